"""Tokenizer fit: how well the run's tokenizer encodes each domain and language, and how well its base.

Measured on held-out documents, of which no tokenizer has learnt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
from typing_extensions import override

from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.stage import SingleTaskStage, Stage
from pipelines.stages.classify.percentile_verdicts import DOMAIN
from pipelines.stages.select import LANGUAGE, Select
from pipelines.stages.selected_texts import SelectedTexts, learnable
from pipelines.stages.tokenize import encoders_of
from pipelines.stages.tokenizer import Tokenizer, encoding_versions
from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit import coverage
from tokenizer_tools.fit.coverage import Fit

FIT = "fit.json"
TEXT_BYTES = 16 << 20
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, kw_only=True)
class TokenizerFit(SingleTaskStage):
    """Output: `fit.json`.

    `held_out`: whether it was measured on held-out documents, else on those that are trained on; and for each
    tokenizer, `before` (the base, where it was changed) and `after`, its `vocabulary`, `domains` and
    `languages` (rows of measures, see `Fit.by`) and `worst_terms`.
    """

    name: ClassVar[str] = "tokenizer_fit"
    version: ClassVar[int] = 1
    select: Select
    tokenizer: Tokenizer

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.select, *self.select.preference.parts, self.tokenizer)

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"fit": coverage.VERSION, "encoding": encoding_versions()}

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        held_out = self.select.held_out_share > 0
        documents = SelectedTexts(self.select, self.select.preference.parts, held_out).sample(
            workdir, TEXT_BYTES
        )
        texts, described = _texts(documents)
        found = {
            name: {
                "vocabulary": fit.vocabulary,
                "domains": _rows(fit.by(described.column(DOMAIN))),
                "languages": _rows(fit.by(described.column(LANGUAGE))),
                "worst_terms": [asdict(term) for term in fit.worst_terms()],
            }
            for name, encoder in self._encoders(workdir)
            for fit in ([Fit(encoder, texts)] if len(texts) else [])
        }
        output.write_json(FIT, {"held_out": held_out, **found})

    def _encoders(self, workdir: Path) -> Iterator[tuple[str, Encoder]]:
        if self.tokenizer.vocabulary is not None:
            yield BEFORE, Encoder.build(self.tokenizer.vocabulary.base_files())
        yield AFTER, encoders_of(self.tokenizer.whole_folder(workdir)).text

    def content(self, workdir: Path) -> dict[str, Any]:
        """What `fit.json` says."""
        content: dict[str, Any] = orjson.loads(self.path(workdir, FIT).read_bytes())
        return content


def _texts(documents: Iterator[pa.Table]) -> tuple[pa.ChunkedArray, pa.Table]:
    """Texts, and domain and language of each."""
    chunks: list[pa.Array] = []
    described = [pa.schema([(DOMAIN, pa.large_string()), (LANGUAGE, pa.large_string())]).empty_table()]
    for table in documents:
        texts, rows = learnable(table)
        chunks += texts.chunks
        described.append(table.select([DOMAIN, LANGUAGE]).take(pa.array(rows)))
    return pa.chunked_array(chunks, pa.large_string()), pa.concat_tables(described)


def _rows(measures: pa.Table) -> list[dict[str, Any]]:
    return [
        {name: value if _is_finite(value) else None for name, value in row.items()}
        for row in measures.to_pylist()
    ]


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or bool(np.isfinite(value))
