"""Shards of short documents in two or three languages, each row of one of them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixers.ledger import Ledger
from mixers.shards import token_dtype, write_index, write_segments, write_shard_file
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerFiles

Rows = list[list[npt.NDArray[np.uint32]]]


class ShardsWriter:
    """Writes texts in one tokenizer. Each document begins and ends with the end token, so that every token
    of its text is predicted and bits per byte are plain perplexity."""

    def __init__(self, tokenizer: TokenizerFiles, sequence_length: int) -> None:
        self._tokenizer = tokenizer
        self._encoder = Encoder.build(tokenizer)
        self._length = sequence_length

    def documents(self, texts: list[str]) -> list[npt.NDArray[np.uint32]]:
        encoded = self._encoder.encode(pa.array(texts, pa.large_string()))
        found = np.split(encoded.ids, encoded.offsets[1:-1])
        return [np.concatenate([[self._encoder.end_id], ids]).astype(np.uint32) for ids in found]

    def write_training(self, folder: Path, rows: int, mixture: dict[str, tuple[float, list[str]]]) -> Path:
        """Full rows of documents one after another, cut where a row is full; repeated where they are too few.

        Args:
            folder: A new folder.
            rows: Of all languages together.
            mixture: Language to its share of the rows and its texts.
        """
        placed = []
        for language, (share, texts) in mixture.items():
            count = round(share * rows)
            full = self._full_rows(self.documents(texts))
            placed += [((n + 0.5) / count, language, full[n % len(full)]) for n in range(count)]
        placed.sort(key=lambda each: each[0])
        self._write(folder, [row for *_, row in placed], [language for _, language, _ in placed], None)
        return folder

    def write_held_out(self, folder: Path, texts: dict[str, list[str]]) -> Path:
        """Whole documents, as many in a row as have room."""
        rows: Rows = []
        languages: list[str] = []
        sizes: list[int] = []
        for language, found in texts.items():
            rows.append([])
            for text, document in zip(found, self.documents(found), strict=True):
                if sum(map(len, rows[-1])) + len(document) > self._length:
                    rows.append([])
                rows[-1].append(document)
                sizes.append(len(text.encode()))
            languages += [language] * (len(rows) - len(languages))
        self._write(folder, rows, languages, sizes)
        return folder

    def _full_rows(self, documents: list[npt.NDArray[np.uint32]]) -> Rows:
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
            input_ids=np.concatenate(pieces).astype(token_dtype(self._encoder.max_id)),
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
            begin_id=self._encoder.end_id,
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
