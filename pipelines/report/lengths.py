"""How long documents are, and how they fill the rows of mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.graph.build import Graph
from pipelines.report.finished import Finished
from pipelines.stages.mix import SEGMENTS, Mix, MixStage
from pipelines.stages.tokenize import Tokenize

Row = dict[str, Any]
Numbers = npt.NDArray[np.int64]
BITS = 32
"""Of the length of a document in tokens."""
FEW = 8
"""So many documents of a row are told apart; more by powers of two."""


def lengths(graph: Graph, done: Finished) -> dict[str, Any]:
    """Histograms of the documents and rows that there are so far.

    `tokens_per_document` of all kept documents by domain, held-out ones too, and of their tokens.
    `packing` of each mixture: its rows, their fill, the longest, and documents or their pieces a row.
    Between two `bounds` lies what is at least the first and under the second.
    """
    mixes = {name: mix for name, mix in graph.mixes.items() if mix in done}
    return {
        "tokens_per_document": _tokens_per_document(graph, done),
        "packing": {name: _packing(mix, done) for name, mix in mixes.items()},
    }


def languages(graph: Graph, done: Finished) -> dict[str, list[Row]]:
    """Of each mixture that is planned the documents and tokens by group and language."""
    return {
        name: mix.languages(done.workdir)
        for name, mix in graph.mixes.items()
        if isinstance(mix, Mix) and mix in done
    }


def _tokens_per_document(graph: Graph, done: Finished) -> dict[str, Row]:
    documents: dict[str, Numbers] = {}
    tokens: dict[str, Numbers] = {}
    for stage in done.of(stage for stage in graph.stages() if isinstance(stage, Tokenize)):
        for table in stage.files(done.workdir):
            for batch in table.select(["domain", "ids"]).to_batches():
                _add_lengths(documents, tokens, batch)
    return {
        group: _between(documents[group], {"documents": documents[group], "tokens": tokens[group]})
        for group in sorted(documents)
    }


def _add_lengths(documents: dict[str, Numbers], tokens: dict[str, Numbers], batch: pa.RecordBatch) -> None:
    """Count the documents of a batch, and their tokens, by domain and the bits that their length has."""
    length = pc.list_value_length(batch.column("ids")).to_numpy()
    domain = batch.column("domain").dictionary_encode()
    code = domain.indices.to_numpy().astype(np.int64) * BITS + np.frexp(length)[1] - 1
    shape = (len(domain.dictionary), BITS)
    counts = np.bincount(code, minlength=shape[0] * BITS).reshape(shape)
    sums = np.bincount(code, length, shape[0] * BITS).astype(np.int64).reshape(shape)
    for group, *more in zip(domain.dictionary.to_pylist(), counts, sums, strict=True):
        for known, new in zip((documents, tokens), more, strict=True):
            known[group] = known.get(group, 0) + new


def _between(counts: Numbers, columns: dict[str, Numbers]) -> Row:
    """The bits that occur, and those between them."""
    there = np.flatnonzero(counts)
    first, after = int(there[0]), int(there[-1]) + 1
    bounds = [1 << bits for bits in range(first, after + 1)]
    return {"bounds": bounds} | {name: column[first:after].tolist() for name, column in columns.items()}


def _packing(mix: MixStage, done: Finished) -> Row:
    """How the rows of a plan are filled."""
    ledger = mix.ledger(done.workdir)
    segments = mix.batches(done.workdir, SEGMENTS)
    rows = np.zeros(FEW + BITS, np.int64)
    for number in range(segments.num_record_batches):
        inside = _documents_per_row(segments.get_batch(number))
        few = np.where(inside < FEW, inside, FEW + np.frexp(inside / FEW)[1] - 1)
        rows += np.bincount(few, minlength=len(rows))
    last = int(np.flatnonzero(rows).max(initial=0))
    bounds = [*range(1, FEW), *(FEW << bits for bits in range(BITS))]
    return {
        "rows": ledger.rows,
        "fill": ledger.tokens / max(ledger.rows * ledger.sequence_length, 1),
        "longest_row": ledger.longest_row,
        "documents_per_row": {"bounds": bounds[: last + 1], "rows": rows[1 : last + 1].tolist()},
    }


def _documents_per_row(segments: pa.RecordBatch) -> Numbers:
    """How many documents, or pieces of them, are in each row; what stands before and after a gap is one."""
    row, position = (segments.column(name).to_numpy() for name in ("row", "position"))
    if len(row) == 0:
        return np.empty(0, np.int64)
    is_first = (np.diff(row, prepend=-1) != 0) | (np.diff(position, prepend=-1) != 0)
    return np.bincount(row[is_first] - row[0])
