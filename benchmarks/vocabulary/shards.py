"""Shards of short documents in two or three languages, each row of one of them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixers.ledger import Ledger
from mixers.shards import token_dtype, write_index, write_segments, write_shard_file
from tokenizer_tools.load import TokenizerFiles

Rows = list[list[npt.NDArray[np.int32]]]


def _ids(documents: pa.Table) -> list[npt.NDArray[np.int32]]:
    column = documents["ids"].combine_chunks()
    return np.split(column.flatten().to_numpy(), np.cumsum(column.value_lengths().to_numpy())[:-1])


class ShardsWriter:
    """Writes documents, tables of `ids` and `bytes`, in one tokenizer."""

    def __init__(self, tokenizer: TokenizerFiles, sequence_length: int) -> None:
        self._tokenizer = tokenizer
        self._length = sequence_length

    def write_training(self, folder: Path, rows: int, mixture: dict[str, tuple[float, pa.Table]]) -> Path:
        """Full rows of documents one after another, cut where a row is full; repeated where they are too few.

        Args:
            folder: A new folder.
            rows: Of all languages together.
            mixture: Language to its share of the rows and its documents.
        """
        placed = []
        for language, (share, documents) in mixture.items():
            count = round(share * rows)
            full = self._full_rows(_ids(documents))
            placed += [((n + 0.5) / count, language, full[n % len(full)]) for n in range(count)]
        placed.sort(key=lambda each: each[0])
        self._write(folder, [row for *_, row in placed], [language for _, language, _ in placed], None)
        return folder

    def write_held_out(self, folder: Path, documents: dict[str, pa.Table]) -> Path:
        """Whole documents, as many in a row as have room."""
        rows: Rows = []
        languages: list[str] = []
        sizes: list[int] = []
        for language, table in documents.items():
            rows.append([])
            for document in _ids(table):
                if sum(map(len, rows[-1])) + len(document) > self._length:
                    rows.append([])
                rows[-1].append(document)
            sizes += table["bytes"].to_pylist()
            languages += [language] * (len(rows) - len(languages))
        self._write(folder, rows, languages, sizes)
        return folder

    def _full_rows(self, documents: list[npt.NDArray[np.int32]]) -> Rows:
        flat = np.concatenate(documents)
        ends = np.cumsum([len(document) for document in documents])
        rows = []
        for start in range(0, len(flat) - self._length + 1, self._length):
            inside = ends[np.searchsorted(ends, start, "right") : np.searchsorted(ends, start + self._length)]
            rows.append(np.split(flat[start : start + self._length], inside - start))
        return rows

    def _write(self, folder: Path, rows: Rows, groups: list[str], sizes: list[int] | None) -> None:
        folder.mkdir(parents=True)
        pieces = [piece for row in rows for piece in row]
        lengths = np.array([len(piece) for piece in pieces], np.int32)
        in_row = np.array([len(row) for row in rows])
        tokens = [sum(map(len, row)) for row in rows]
        file = write_shard_file(
            folder / "data-00000-of-00001.arrow",
            input_ids=np.concatenate(pieces).astype(token_dtype(max(self._tokenizer.vocabulary.values()))),
            row_offsets=np.concatenate([[0], np.cumsum(tokens)]),
            seq_lengths=lengths,
            seq_offsets=np.concatenate([[0], np.cumsum(in_row)]),
            groups=groups,
        )
        segments = pa.table(
            {
                "row": np.repeat(np.arange(len(rows)), in_row),
                "position": np.concatenate([np.arange(count) for count in in_row]).astype(np.int32),
                "doc_id": [str(number) for number in range(len(pieces))],
                "first_token": np.zeros(len(pieces), np.int64),
                "tokens": lengths,
                "epoch": np.zeros(len(pieces), np.int32),
                "bytes": np.array(sizes or lengths, np.int64),
            }
        )
        write_segments(folder, [segments])
        write_index(
            folder,
            [file],
            tokenizer_hash=self._tokenizer.hash,
            begin_id=self._tokenizer.token_id(self._tokenizer.end_token),
            sequence_length=self._length,
            seed=0,
            recipe_fingerprint="vocabulary",
            ledger=Ledger(
                unit="tokens",
                sequence_length=self._length,
                total=None,
                rows=len(rows),
                tokens=sum(tokens),
                longest_row=max(tokens),
                constraints=(),
                groups=(),
            ),
        )
