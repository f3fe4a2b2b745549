"""The bundled model of languages."""

import hashlib

from pipelines.sources.language_model import bundled_model


def test_lid_176_is_the_published_file():
    digest = hashlib.sha256(bundled_model().read_bytes()).hexdigest()
    assert digest == "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
    assert digest in (bundled_model().parent / "NOTICE.md").read_text()
