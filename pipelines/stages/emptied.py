"""Where the documents of a group went that has none left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from pipelines.stages.select import DUPLICATE
from pipelines.stages.tokenize import Tokenize


def why_empty(tokenized: Iterable[Tokenize], group: str, workdir: Path) -> str:
    """For each source of the group: how many documents were read, and what became of them."""
    feeding = [stage for stage in tokenized if stage.parts.domain == group]
    return " ".join(f"{stage.scope}: {', '.join(_lost(stage, workdir))}." for stage in feeding)


def _lost(stage: Tokenize, workdir: Path) -> Iterator[str]:
    tables = [pl.DataFrame(pl.from_arrow(table)) for _, table in stage.select.verdicts(workdir, stage.scope)]
    if not tables:
        yield "nothing read"
        return
    verdicts = pl.concat(table.select("keep", "held_out", "reason", "kept_doc_id") for table in tables)
    yield f"{len(verdicts):,} read"
    dropped = verdicts.filter(~pl.col("keep"))
    for reason, number in Counter(dropped["reason"].to_list()).most_common():
        yield f"{number:,} {reason}{_of_whom(dropped.filter(reason=reason), reason)}"
    if held_out := int(verdicts["held_out"].sum()):
        yield f"{held_out:,} held out"
    for count, number in stage.manifest(workdir).counts.dropped("documents").items():
        yield f"{number:,} {count.what}: {count.reason}"


def _of_whom(dropped: pl.DataFrame, reason: str) -> str:
    """For duplicates the source that most of the documents in their place come from."""
    if reason not in DUPLICATE.values():
        return ""
    kept = Counter(doc_id.partition("/")[0] for doc_id in dropped["kept_doc_id"].drop_nulls())
    return f"s of {kept.most_common(1)[0][0]}" if kept else ""
