"""Whether the documents of a source are in the language that its recipe says they are in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from filters.language.language_codes import UNKNOWN, language_code
from pipelines.report.finished import Finished
from pipelines.stages.parts import PartStage
from pipelines.stages.select import Select


def language_identified(
    parts: PartStage, select: Select, declared: str | None, done: Finished
) -> dict[str, Any] | None:
    """The language `declared` for a source, and its documents by the language that their text seems to be in.

    Those whose language is not clear are left out. None where no language is declared, or none known yet.
    """
    if declared is None or select not in done:
        return None
    source = select.source(parts.scope)
    found: Counter[str] = Counter()
    for table in source.annotations.language.tables(done.workdir, ["language", "language_score"]):
        clear = pl.DataFrame(pl.from_arrow(table)).filter(
            pl.col("language_score") >= source.language.min_score, pl.col("language") != UNKNOWN
        )
        found.update(dict(clear["language"].value_counts().rows()))
    return {"declared": language_code(declared), "identified": dict(found.most_common())}
