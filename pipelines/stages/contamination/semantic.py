"""The semantic path: passages that say the same as an item, found by embeddings and judged by a model.

Five steps, each cheaper by far for a passage than the next: documents become passages, the screen leaves
those that share words with an item, an embedder gives these a vector, those near an item are candidates,
and a judge, if there is one, says which are the same item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from filters.text.texts import Texts
from pipelines.sources.embedders import Embedder
from pipelines.sources.endpoint import Vectors
from pipelines.stages.contamination.item_texts import item_views
from pipelines.stages.contamination.judge import Judge
from pipelines.stages.contamination.passages import (
    Numbers,
    Passages,
    as_texts,
    find_passages,
    find_words,
    passage_texts,
)
from pipelines.stages.contamination.screen import Screen

MECHANISM = "semantic"
SEMANTIC = pa.schema(
    [
        ("row", pa.int64()),  # the document
        ("item", pa.int64()),  # the row of the item
        ("start", pa.int64()),  # first character of the passage in the document
        ("end", pa.int64()),  # character behind the last
        ("score", pa.float32()),  # cosine of the passage and the item
        ("judged", pa.bool_()),  # whether it is the same item; null where nobody said
        ("why", pa.string()),  # null where nobody said
        ("mechanism", pa.string()),  # MECHANISM
    ]
)
VERSION = 1
"""To be raised when the same documents give other candidates."""
TOP_K = 5
"""Items that a passage may be a candidate of."""
SCORES_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Reference:
    """The items that documents are compared with."""

    view_items: Numbers
    """The item of each vector, ascending: an item has several, by question and answer."""
    vectors: Vectors
    screen: Screen

    @classmethod
    def build(cls, items: pa.Table, embedder: Embedder, background: Texts) -> Reference:
        """The reference of items (ITEMS); some documents, the `background`, tell which words are common."""
        views = item_views(items)
        screen = Screen.of(as_texts(views.text), background)
        return cls(views.item, embedder.embed(views.text), screen)


@dataclass
class PassageCounts:
    """Passages that reached each step."""

    passages: int = 0
    embedded: int = 0
    candidates: int = 0


def find_candidates(
    texts: Texts,
    reference: Reference,
    embedder: Embedder,
    threshold: float,
    counts: PassageCounts,
    top_k: int = TOP_K,
    translations: bool = False,
) -> pa.Table:
    """The passages of documents that are near an item: SEMANTIC, by document, item and place; none judged.

    Args:
        texts: The documents.
        reference: The items.
        embedder: What the vectors of the reference are from.
        threshold: Least cosine; `threshold_at` tells one from the documents.
        counts: Counted up.
        top_k: Items that a passage may be near, the nearest ones.
        translations: Embed what is in another language than the items, too, which no screen can tell apart.
    """
    words = find_words(texts)
    passages = find_passages(texts, words)
    numbers = np.flatnonzero(reference.screen.passed(words, passages, translations))
    vectors = embedder.embed(passage_texts(texts, passages.chosen(numbers)))
    near, item, score = candidates(vectors, reference, threshold, top_k)
    counts.passages += len(passages.row)
    counts.embedded += len(numbers)
    found = _rows(passages.chosen(numbers[near]), item, score)
    counts.candidates += found.num_rows
    return found


def candidates(
    vectors: Vectors, reference: Reference, threshold: float, top_k: int = TOP_K
) -> tuple[Numbers, Numbers, Vectors]:
    """The pairs of a vector and an item whose cosine reaches the threshold: vector, item, cosine.

    Of an item the nearest vector counts, and for each vector the `top_k` nearest items.
    """
    items = np.unique(reference.view_items)
    found: list[tuple[Numbers, Numbers, Vectors]] = []
    for start, scores in _nearest(vectors, reference):
        vector, column = np.nonzero(scores >= threshold)
        order = np.lexsort((column, -scores[vector, column], vector))
        vector, column = vector[order], column[order]
        kept = np.arange(len(vector)) - np.searchsorted(vector, vector) < top_k
        vector, column = vector[kept], column[kept]
        found.append((vector + start, items[column], scores[vector, column]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    vector, item, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return vector, item, score


def threshold_at(share: float, vectors: Vectors, reference: Reference) -> float:
    """The cosine that `share` of some vectors reach with any item.

    What a cosine means differs from model to model: of all-MiniLM-L6-v2 unrelated texts have about 0, of the
    E5 models 0.75. So the share of passages that may become candidates by chance is the better setting.
    """
    best = [scores.max(axis=1) for _, scores in _nearest(vectors, reference)]
    return float(np.quantile(np.concatenate(best), 1 - share)) if best else 1.0


def _nearest(vectors: Vectors, reference: Reference) -> Iterator[tuple[int, Vectors]]:
    """For some vectors at a time the place of the first, and the cosines, shape (vectors, items)."""
    if not len(vectors) or not len(reference.view_items):
        return
    firsts = np.flatnonzero(np.diff(reference.view_items, prepend=-1))
    step = max(1, SCORES_AT_ONCE // len(reference.view_items))
    for start in range(0, len(vectors), step):
        scores = vectors[start : start + step] @ reference.vectors.T
        yield start, np.maximum.reduceat(scores, firsts, axis=1)


def _rows(passages: Passages, item: Numbers, score: Vectors) -> pa.Table:
    """The candidates as rows; of passages of a document that overlap, the nearest to an item."""
    behind_all_before = pl.col("start") >= pl.col("end").cum_max().shift(1).over("row", "item")
    found = (
        pl.DataFrame(
            {"row": passages.row, "item": item, "start": passages.start, "end": passages.end, "score": score}
        )
        .sort("row", "item", "start", "end")
        .with_columns(run=behind_all_before.fill_null(True).cum_sum())
        .sort("run", "score", "start", descending=[False, True, False])
        .unique("run", keep="first", maintain_order=True)
        .with_columns(
            judged=pl.lit(None, pl.Boolean), why=pl.lit(None, pl.String), mechanism=pl.lit(MECHANISM)
        )
    )
    return found.select(SEMANTIC.names).to_arrow().cast(SEMANTIC)


def candidate_texts(found: pa.Table, texts: Texts) -> list[str]:
    """The passage of each candidate (SEMANTIC)."""
    documents: Sequence[pa.Scalar] = texts
    return [
        documents[row["row"]].as_py()[row["start"] : row["end"]]
        for row in found.select(["row", "start", "end"]).to_pylist()
    ]


def judge_candidates(
    found: pa.Table, passages: Sequence[str], judged_texts: Sequence[str], judge: Judge
) -> pa.Table:
    """The same rows (SEMANTIC) with what a judge says of each; null where it failed.

    Args:
        found: The candidates.
        passages: The passage of each.
        judged_texts: Each item as the judge reads it.
        judge: The judge.
    """
    items = (judged_texts[item] for item in found["item"].to_pylist())
    judgements = judge.judge(list(zip(items, passages, strict=True)))
    said = {
        "judged": pa.array([judgement and judgement.same for judgement in judgements], pa.bool_()),
        "why": pa.array([judgement and judgement.why for judgement in judgements], pa.string()),
    }
    for name, column in said.items():
        found = found.set_column(found.schema.get_field_index(name), SEMANTIC.field(name), column)
    return found
