"""The words of common n-grams: which phrases of benchmarks many documents of a source have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.contamination.index import TRIPLE, Index
from pipelines.execution.output import read_arrow
from pipelines.report.matched_words import words_in
from pipelines.stages.contamination.common_ngrams import COMMON, CommonNgrams

FIELDS = ("passage", "question", "choices", "answer", "label", "solution")
"""The names of the fields of sequences, by their numbers."""
SHOWN = 20


def common_report(common: CommonNgrams, workdir: Path) -> dict[str, Any]:
    """How many n-grams are common in a source, in how many documents that were counted, and the commonest."""
    table = read_arrow(common.path(workdir, COMMON))
    units, documents = (table.column(name).to_numpy() for name in ("unit", "documents"))
    index, items = common.benchmarks.index(workdir), common.benchmarks.items(workdir)
    top = []
    for place in _commonest(index, units, documents):
        item, words = ngram_at(int(units[place]), index, items)
        named = index.items.slice(item, 1).to_pylist()[0]
        top.append(
            {
                "words": words,
                "documents": int(documents[place]),
                "benchmark": named["benchmark"],
                "item_id": named["item_id"],
            }
        )
    return {
        "common": len(units),
        "counted_documents": common.manifest(workdir).counts.number("documents"),
        "top": top,
    }


def _commonest(index: Index, units: npt.NDArray[np.int64], documents: npt.NDArray[np.int32]) -> list[int]:
    """The places of the commonest n-grams; of those that many items have the first."""
    order = np.argsort(-documents, kind="stable")
    hashes = index.words.units
    within = np.minimum(units[order, None] + np.arange(TRIPLE), len(hashes) - 1)
    _, first = np.unique(hashes[within], axis=0, return_index=True)
    chosen: list[int] = order[np.sort(first)[:SHOWN]].tolist()
    return chosen


def ngram_at(unit: int, index: Index, items: pa.Table) -> tuple[int, str]:
    """The row of the item (ITEMS) that has this word of the index, and the words of the n-gram there."""
    words = index.words
    sequence = int(np.searchsorted(words.first, unit, side="right")) - 1
    item, field = int(words.item[sequence]), int(words.field[sequence])
    # A text of many words is several sequences, and so are choices: they follow one another.
    begin, end = words.of_item[item : item + 2].tolist()
    first = begin + int(np.flatnonzero(words.field[begin:end] == field)[0])
    place = unit - int(words.first[first])
    size = int(words.size[sequence])
    value = items.column(FIELDS[field])[item].as_py()
    texts = [text for text in value if text is not None] if isinstance(value, list) else [value]
    found = [text.encode()[start:end] for text in texts for _, start, end, _ in words_in(text).tolist()]
    return item, b" ".join(found[place : place + size]).decode()
