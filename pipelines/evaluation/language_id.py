"""The languages of short texts, by the bundled lid.176."""

from __future__ import annotations

from collections.abc import Sequence


def languages(texts: Sequence[str], min_score: float) -> list[str | None]:
    """The code of each text's language, None where it is less sure than `min_score`."""
    import pyarrow as pa

    from filters.language.identify import LanguageRule
    from filters.language.language_codes import UNKNOWN
    from pipelines.sources.language_model import bundled_model, load_identifier

    identified = load_identifier(str(bundled_model())).identify(pa.array(texts, pa.large_string()))
    believed = LanguageRule(min_score).believed(identified).to_pylist()
    return [None if language == UNKNOWN else language for language in believed]
