"""The passages of held-out documents: what must not stand in training, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import override

from filters.contamination.index import Index, build_index
from filters.contamination.items import ITEMS
from filters.text.texts import text_buffers
from mixers.plan import most_of_a_document
from pipelines.execution.output import Output, Task, TaskOutput, read_arrow
from pipelines.execution.stage import Stage
from pipelines.sources.schema import PART_SCHEMA
from pipelines.stages.contamination.passages import find_words, sentence_ends
from pipelines.stages.mix import DOCUMENTS, ROWS, SEGMENTS, HeldOutDraw
from pipelines.stages.parts import PartStage, text_size
from pipelines.stages.tokenize import Tokenize

PASSAGES = "passages.arrow"
LEAST_WORDS = 20
"""Fewer words are no passage: they stand in texts that have nothing else in common."""
NO_BORDER, SENTENCE_END, LINE_END, BLANK_LINE, END = range(5)
ENOUGH_WORDS = {NO_BORDER: 120, SENTENCE_END: 50, LINE_END: 40, BLANK_LINE: LEAST_WORDS, END: 0}
"""Words from which on a passage ends at such a border.

Who quotes takes whole paragraphs, turns or functions, and they end with a line.
"""
IN_MANY = 3
"""A passage of so many held-out documents is a form, such as a licence or a notice: it says nothing."""

Numbers = npt.NDArray[np.int64]


class Cut(NamedTuple):
    """The passages of some documents."""

    words: Numbers
    """Of each document, also those in no passage."""
    passages: pa.Table
    """`document` int64 (its row), `words` int64, `passage` large_string; in the order of the text."""


def cut(texts: pa.ChunkedArray) -> Cut:
    """Cut documents into passages that end at borders of paragraphs, lines or sentences where they can."""
    words = find_words(texts)
    before = np.searchsorted(words.starts, words.documents)
    firsts, lasts = _bounds(_borders(*words, before))
    document = np.searchsorted(before, firsts, "right") - 1
    data, offsets = text_buffers(texts)
    begins, ends = offsets[0] + words.starts[firsts], offsets[0] + words.ends[lasts - 1]
    pieces = [data[begin:end].tobytes() for begin, end in zip(begins, ends, strict=True)]
    passages = pa.array(pieces, pa.large_binary()).cast(pa.large_string())
    columns = {"document": document, "words": lasts - firsts, "passage": passages}
    return Cut(np.diff(before), pa.table(columns))


def _borders(
    data: npt.NDArray[np.uint8], documents: Numbers, starts: Numbers, ends: Numbers, before: Numbers
) -> npt.NDArray[np.int64]:
    """What stands behind each word."""

    def marks_behind(marks: npt.NDArray[np.bool_]) -> Numbers:
        count = np.concatenate([[0], np.cumsum(marks)])
        found: Numbers = count[np.append(starts[1:], len(data))[: len(ends)]] - count[ends]
        return found

    lines = marks_behind(data == ord("\n"))
    found = np.where(marks_behind(sentence_ends(data)) > 0, SENTENCE_END, NO_BORDER)
    found = np.where(lines > 0, np.where(lines > 1, BLANK_LINE, LINE_END), found)
    found[before[1:][np.diff(before) > 0] - 1] = END
    return found


def _bounds(borders: npt.NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """The first word of each passage, and the word behind its last."""
    found = []
    first = 0
    for place, border in enumerate(borders.tolist(), 1):
        if place - first >= ENOUGH_WORDS[border]:
            if place - first >= LEAST_WORDS:
                found.append((first, place))
            first = place
    firsts, lasts = np.array(found, np.int64).reshape(-1, 2).T
    return firsts, lasts


class Sought(NamedTuple):
    """What is looked for in training documents."""

    lookup: Index
    """Of the passages that are not in many held-out documents."""
    passages: Numbers
    """Their rows, those of the same words together: the index finds the first of them."""
    begins: Numbers
    """Where in `passages` those begin that an item of the index stands for; one more than there are items."""

    def passages_of(self, item: Numbers, row: Numbers) -> tuple[Numbers, Numbers]:
        """For items that are found in rows: all passages that they stand for, and the row of each."""
        number = self.begins[item + 1] - self.begins[item]
        place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        return self.passages[np.repeat(self.begins[item], number) + place], np.repeat(row, number)


def _rows_of(parts: PartStage, workdir: Path, part: str, rows: Numbers, columns: list[str]) -> pa.Table:
    """Columns of some documents of a part, by their rows, ascending; nothing else of it is read."""
    found = []
    first = 0
    with pq.ParquetFile(parts.path(workdir, part)) as file:
        for number in range(file.num_row_groups):
            last = first + file.metadata.row_group(number).num_rows
            inside = rows[(rows >= first) & (rows < last)] - first
            if len(inside):
                found.append(file.read_row_group(number, columns).take(pa.array(inside)))
            first = last
    schema = pa.schema([PART_SCHEMA.field(name) for name in columns])
    return pa.concat_tables([schema.empty_table(), *found])


def _evaluated_share(
    stage: Tokenize, workdir: Path, name: str, positions: Numbers, most: int
) -> npt.NDArray[np.float64]:
    """How much of each of some tokenized documents is evaluated: at most so many tokens."""
    documents = read_arrow(stage.path(workdir, name)).select(["ids", "indivisible"]).take(pa.array(positions))
    tokens = pc.list_value_length(documents.column("ids")).to_numpy()
    whole = documents.column("indivisible").to_numpy()
    return np.where(whole, 1.0, np.minimum(1.0, most / np.maximum(tokens, 1)))


@dataclass(frozen=True, kw_only=True)
class HeldOutPassages(Stage):
    """One task a tokenized file. Output, of the documents that would be evaluated:

    `documents.arrow`: `doc_id`, `parent_id`, `group`, `words` int64; `passages.arrow`: `document` int64 (row
    in the former), `words` int64, `passage`, `held_out_documents` int64 that have the passage; and both of
    each task as `TTTTT-NAME`. Of a long document only the beginning that is evaluated counts.
    """

    name: ClassVar[str] = "held_out_passages"
    version: ClassVar[int] = 1
    drawn: HeldOutDraw

    @property
    @override
    def inputs(self) -> tuple[Stage, ...]:
        return (self.drawn, *self.drawn.tokenized, *(stage.parts for stage in self.drawn.tokenized))

    @override
    def tasks(self, workdir: Path) -> list[Task]:
        return [{"file": number} for number in range(len(self.drawn.files(workdir)))]

    @override
    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        documents = self._drawn(workdir, task["file"], output)
        words, passages = cut(documents.column("text"))
        documents = documents.drop_columns(["text"]).append_column("words", pa.array(words))
        output.write_arrow(_file(output.task, DOCUMENTS), documents)
        output.write_arrow(_file(output.task, PASSAGES), passages)
        output.counts.add("held_out_documents", documents.num_rows)
        output.counts.add("passages", passages.num_rows)

    def _drawn(self, workdir: Path, number: int, output: TaskOutput) -> pa.Table:
        """The documents of a tokenized file that would be evaluated, as far as they would."""
        scope, name = self.drawn.files(workdir)[number]
        stage = next(stage for stage in self.drawn.tokenized if stage.scope == scope)
        batch = self.drawn.batches(workdir, DOCUMENTS).get_batch(number)
        used = np.flatnonzero(batch.column("used").to_numpy(zero_copy_only=False))
        rows = batch.column("row").to_numpy()[used]
        part = name.replace(".arrow", ".parquet")
        documents = _rows_of(stage.parts, workdir, part, rows, ["doc_id", "parent_id", "text"])
        output.counts.add("text_bytes_read", text_size(documents.column("text")))
        evaluated = _evaluated_share(stage, workdir, name, used, most_of_a_document(self.drawn.most))
        lengths = np.ceil(pc.utf8_length(documents.column("text")).to_numpy() * evaluated).astype(np.int64)
        texts = documents.column("text").to_pylist()
        beginnings = [text[:length] for text, length in zip(texts, lengths.tolist(), strict=True)]
        return pa.table(
            {
                "doc_id": documents.column("doc_id"),
                "parent_id": documents.column("parent_id"),
                "group": self._groups(workdir, number, used),
                "text": pa.array(beginnings, pa.large_string()),
            }
        )

    def _groups(self, workdir: Path, number: int, used: Numbers) -> pa.Array:
        """The group of each document that a file has in the plan."""
        batches = self.drawn.batches(workdir, DOCUMENTS)
        first = sum(batches.get_batch(before).num_rows for before in range(number))
        segments = self.drawn.batches(workdir, SEGMENTS).read_all()
        documents, place = np.unique(segments.column("document").to_numpy(), return_index=True)
        row = segments.column("row").to_numpy()[place[np.searchsorted(documents, first + used)]]
        groups = self.drawn.batches(workdir, ROWS).read_all().column("group").cast(pa.string())
        return groups.take(pa.array(row)).combine_chunks()

    @override
    def finish(self, workdir: Path, output: Output) -> None:
        folder = self.folder(workdir)
        documents, passages = [], []
        first = 0
        for number in range(len(self.tasks(workdir))):
            documents.append(read_arrow(folder / _file(number, DOCUMENTS)))
            of_file = read_arrow(folder / _file(number, PASSAGES))
            numbers = pa.array(of_file.column("document").to_numpy() + first)
            passages.append(of_file.set_column(0, "document", numbers))
            first += documents[-1].num_rows
        output.write_arrow(DOCUMENTS, pa.concat_tables(documents).combine_chunks())
        whole = pa.concat_tables(passages)
        whole = whole.append_column("held_out_documents", pa.array(_documents_with(whole)))
        output.write_arrow(PASSAGES, whole.combine_chunks())

    def documents(self, workdir: Path) -> pa.Table:
        """The documents."""
        return read_arrow(self.path(workdir, DOCUMENTS))

    def passages(self, workdir: Path) -> pa.Table:
        """Their passages."""
        return read_arrow(self.path(workdir, PASSAGES))

    def sought(self, workdir: Path) -> Sought:
        """What is looked for, made once a process."""
        return _sought(self.path(workdir, PASSAGES))


def _documents_with(passages: pa.Table) -> Numbers:
    """In how many documents each passage stands, whatever its case and punctuation."""
    same = pc.replace_substring_regex(pc.utf8_lower(passages.column("passage")), r"[^\pL\pN]+", " ")
    key = pc.dictionary_encode(same).combine_chunks().indices.to_numpy().astype(np.int64)
    pairs = np.unique(np.stack([key, passages.column("document").to_numpy()]), axis=1)
    counts: Numbers = np.bincount(pairs[0])[key].astype(np.int64)
    return counts


def _file(number: int, name: str) -> str:
    """The file of a task whose tables become `name`."""
    return f"{number:05d}-{name}"


@lru_cache(maxsize=1)
def _sought(path: Path) -> Sought:
    passages = read_arrow(path)
    rare = np.flatnonzero(passages.column("held_out_documents").to_numpy() < IN_MANY)
    passages, number = passages.take(pa.array(rare)), len(rare)
    columns = {field.name: pa.nulls(number, field.type) for field in ITEMS}
    columns["benchmark"] = pa.repeat("held_out", number)
    columns["item_id"] = pa.array(np.arange(number)).cast(pa.string())
    columns["passage"] = passages.column("passage")
    index = build_index(pa.table(columns, schema=ITEMS))
    same_as = index.items.column("same_as").to_numpy()
    alike = np.argsort(same_as, kind="stable")
    begins = np.searchsorted(same_as[alike], np.arange(number + 1))
    return Sought(index, rare[alike], begins)
