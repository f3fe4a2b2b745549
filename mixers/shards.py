"""The shard format: rows of token ids in training order, as files that `datasets.load_from_disk` opens.

A folder holds ``data-00000-of-00007.arrow`` ... (Arrow IPC streams, one row per pack), ``dataset_info.json``
and ``state.json`` for the datasets library, ``segments.parquet`` (which part of which document lies where),
``ledger.json``, and ``coupage.json``, which is written last: without it a folder is not finished.

Data files can be written by any number of workers in any order; their bytes depend on their rows alone.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from mixers.files import finished_file, hash_file
from mixers.ledger import Ledger
from mixers.shard_index import (
    INDEX_FILE,
    LEDGER_FILE,
    SEGMENTS_FILE,
    ShardError,
    ShardFile,
    ShardIndex,
    read_index,
    read_ledger,
)

ROWS_PER_BATCH = 1024

SEGMENTS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("position", pa.int32()),
        ("doc_id", pa.string()),
        ("first_token", pa.int64()),
        ("tokens", pa.int32()),
        ("epoch", pa.int32()),
        ("bytes", pa.int64()),
    ]
)


class Pack(NamedTuple):
    """One row. The arrays are views of the memory-mapped file and cannot be written to."""

    input_ids: NDArray[np.integer[Any]]
    """Shape (tokens); uint16 or int32."""
    seq_lengths: NDArray[np.int32]
    """Shape (documents): tokens of each document in the row, in order; they add up to the row."""
    group: str
    assistant_masks: NDArray[np.uint8] | None
    """Shape (tokens): 1 where a token bears loss. None: all do."""

    def masks_or_ones(self) -> NDArray[np.uint8]:
        """The mask, all ones where there is none."""
        return (
            np.ones(len(self.input_ids), np.uint8) if self.assistant_masks is None else self.assistant_masks
        )


def token_dtype(largest_id: int) -> np.dtype[Any]:
    """The narrowest type of the format that holds every id: uint16 or int32."""
    return np.dtype(np.uint16 if largest_id < 2**16 else np.int32)


def shard_file_name(index: int, count: int) -> str:
    """The name of data file `index` (from 0) of `count`."""
    return f"data-{index:05d}-of-{count:05d}.arrow"


def shard_schema(ids: np.dtype[Any]) -> pa.Schema:
    """The columns of a data file whose ids are of this type."""
    return pa.schema(
        [
            ("input_ids", pa.list_(pa.from_numpy_dtype(ids))),
            ("seq_lengths", pa.list_(pa.int32())),
            ("group", pa.string()),
            ("assistant_masks", pa.list_(pa.uint8())),
        ]
    )


def write_shard_file(
    path: str | os.PathLike[str],
    *,
    input_ids: NDArray[np.integer[Any]],
    row_offsets: NDArray[np.int64],
    seq_lengths: NDArray[np.int32],
    seq_offsets: NDArray[np.int64],
    groups: Sequence[str] | pa.Array,
    assistant_masks: NDArray[np.uint8] | None = None,
    masked_rows: NDArray[np.bool_] | None = None,
) -> ShardFile:
    """Write one data file under a temporary name, flush it, and rename it.

    Args:
        path: the file; its folder exists.
        input_ids: uint16 or int32, the ids of all rows one after the other.
        row_offsets: shape (rows + 1): the ids of row i are ``row_offsets[i]:row_offsets[i + 1]``.
        seq_lengths: the document lengths of all rows one after the other.
        seq_offsets: shape (rows + 1), into `seq_lengths`.
        groups: shape (rows).
        assistant_masks: aligned with `input_ids`; without it no row is masked.
        masked_rows: shape (rows): False where a row has no mask; without it, with `assistant_masks`, all
            have.

    Raises:
        ValueError: the arrays contradict each other, or the ids are of another type.
    """
    path = Path(path)
    rows = len(row_offsets) - 1
    schema = shard_schema(input_ids.dtype)
    _check_rows(input_ids, row_offsets, seq_lengths, seq_offsets)
    groups = pa.array(groups, pa.string())
    if masked_rows is None:
        masked_rows = np.full(rows, assistant_masks is not None)
    masks = np.zeros(0, np.uint8) if assistant_masks is None else assistant_masks

    with (
        finished_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        for start in range(0, rows, ROWS_PER_BATCH):
            stop = min(start + ROWS_PER_BATCH, rows)
            columns = [
                _lists(input_ids, row_offsets[start : stop + 1]),
                _lists(seq_lengths, seq_offsets[start : stop + 1]),
                groups[start:stop],
                _masks(masks, row_offsets[start : stop + 1], masked_rows[start:stop]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return ShardFile(
        name=path.name,
        rows=rows,
        tokens=len(input_ids),
        dtype="uint16" if input_ids.dtype == np.uint16 else "int32",
        hash=hash_file(path),
    )


def _check_rows(
    input_ids: NDArray[Any], row_offsets: NDArray[Any], seq_lengths: NDArray[Any], seq_offsets: NDArray[Any]
) -> None:
    if input_ids.dtype not in (np.dtype(np.uint16), np.dtype(np.int32)):
        raise ValueError(f"Ids are uint16 or int32, not {input_ids.dtype}; choose with `token_dtype`.")
    if row_offsets[-1] != len(input_ids) or seq_offsets[-1] != len(seq_lengths):
        raise ValueError("The last offset of the rows is not the number of ids, or of document lengths.")
    tokens_before = np.concatenate([[0], np.cumsum(seq_lengths, dtype=np.int64)])
    if not np.array_equal(tokens_before[seq_offsets], row_offsets):
        raise ValueError("The document lengths of a row do not add up to its tokens.")


def _lists(values: NDArray[Any], offsets: NDArray[np.int64]) -> pa.ListArray:
    """The rows between these offsets as lists, without copying their values."""
    own_offsets = (offsets - offsets[0]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(own_offsets), pa.array(values[offsets[0] : offsets[-1]]))


def _masks(masks: NDArray[np.uint8], offsets: NDArray[np.int64], masked: NDArray[np.bool_]) -> pa.ListArray:
    """The masks of these rows, null where a row is not masked."""
    lengths = np.where(masked, np.diff(offsets), 0)
    kept = [masks[start:stop] for start, stop in zip(offsets[:-1][masked], offsets[1:][masked], strict=True)]
    own_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = np.concatenate([np.zeros(0, np.uint8), *kept])
    return pa.ListArray.from_arrays(pa.array(own_offsets), pa.array(values), mask=pa.array(~masked))


def write_segments(folder: str | os.PathLike[str], segments: Iterable[pa.Table]) -> None:
    """Write ``segments.parquet`` from tables with the columns of `SEGMENTS_SCHEMA`, in row order."""
    with (
        finished_file(Path(folder) / SEGMENTS_FILE) as temporary,
        pq.ParquetWriter(temporary, SEGMENTS_SCHEMA, compression="zstd") as writer,
    ):
        for table in segments:
            writer.write_table(table.select(SEGMENTS_SCHEMA.names).cast(SEGMENTS_SCHEMA))


def write_index(
    folder: str | os.PathLike[str],
    files: Sequence[ShardFile],
    *,
    tokenizer_hash: str,
    sequence_length: int,
    seed: int,
    recipe_fingerprint: str,
    ledger: Ledger,
    begin_id: int | None = None,
) -> None:
    """Finish a folder whose data files and segments are written: the ledger and the indexes.

    Args:
        folder: the folder of shards.
        files: its data files in training order.
        tokenizer_hash: of the tokenizer that made the ids.
        sequence_length: most tokens in a row.
        seed: of the plan.
        recipe_fingerprint: of the recipe that the plan came from.
        ledger: the account of the plan.
        begin_id: the token that the tokenizer puts before a text, if it does.
    """
    folder = Path(folder)
    _write_text(folder / LEDGER_FILE, ledger.model_dump_json(indent=2) + "\n")
    index = ShardIndex(
        tokenizer_hash=tokenizer_hash,
        begin_id=begin_id,
        sequence_length=sequence_length,
        seed=seed,
        recipe_fingerprint=recipe_fingerprint,
        rows=sum(file.rows for file in files),
        tokens=sum(file.tokens for file in files),
        files=tuple(files),
        segments_hash=hash_file(folder / SEGMENTS_FILE),
        ledger_hash=hash_file(folder / LEDGER_FILE),
    )
    text = _json(index.model_dump(exclude_none=True))
    _write_datasets_index(folder, files, fingerprint=xxhash.xxh3_64_hexdigest(text.encode()))
    _write_text(folder / INDEX_FILE, text)


def _write_datasets_index(folder: Path, files: Sequence[ShardFile], fingerprint: str) -> None:
    """Write the two files by which `datasets.load_from_disk` knows a data set."""
    from datasets import Features

    schema = shard_schema(np.dtype(files[0].dtype))
    _write_text(
        folder / "dataset_info.json", _json({"features": Features.from_arrow_schema(schema).to_dict()})
    )
    state: dict[str, Any] = {
        "_data_files": [{"filename": file.name} for file in files],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    _write_text(folder / "state.json", _json(state))


class Shards:
    """A finished folder of shards, memory-mapped: ``shards[i]`` is row i in training order."""

    def __init__(self, folder: Path, index: ShardIndex, batches: list[pa.RecordBatch]) -> None:
        self.folder = folder
        self.index = index
        self._batches = [_Batch(batch) for batch in batches]
        self._batch_starts = np.cumsum([0] + [len(batch) for batch in batches])

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a folder of shards.

        Raises:
            ShardError: the folder is not one of shards or not finished, or a file is missing or damaged.
        """
        folder = Path(folder)
        index = read_index(folder)
        batches = [batch for file in index.files for batch in _map_batches(folder, file)]
        return cls(folder, index, batches)

    def __len__(self) -> int:
        return int(self._batch_starts[-1])

    def __getitem__(self, row: int) -> Pack:
        if not -len(self) <= row < len(self):
            raise IndexError(f"Row {row} of {len(self)}.")
        row %= len(self)
        batch = int(np.searchsorted(self._batch_starts, row, side="right")) - 1
        return self._batches[batch].pack(row - int(self._batch_starts[batch]))

    def __iter__(self) -> Iterator[Pack]:
        return (self[row] for row in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the folder's name, so that worker processes map the files themselves."""
        return Shards.open, (self.folder,)

    @property
    def tokens(self) -> int:
        """Tokens in all rows."""
        return self.index.tokens

    @property
    def sequence_length(self) -> int:
        """Most tokens in a row."""
        return self.index.sequence_length

    @property
    def tokenizer_hash(self) -> str:
        """Of the tokenizer that made the ids."""
        return self.index.tokenizer_hash

    @property
    def begin_id(self) -> int | None:
        """The token that the tokenizer puts before a text; None where it puts none, or nobody said."""
        return self.index.begin_id

    @property
    def token_dtype(self) -> np.dtype[Any]:
        """Of the ids: uint16 or int32."""
        return np.dtype(self.index.files[0].dtype)

    @property
    def fingerprint(self) -> str:
        """The hash of the index, and so of every byte in the folder."""
        return hash_file(self.folder / INDEX_FILE)

    @cached_property
    def row_lengths(self) -> NDArray[np.int64]:
        """Shape (rows): tokens in each row."""
        return np.concatenate(
            [np.zeros(0, np.int64), *(np.diff(batch.ids.offsets) for batch in self._batches)]
        )

    @cached_property
    def row_groups(self) -> list[str]:
        """The group of each row."""
        return [group for batch in self._batches for group in batch.groups.to_pylist()]

    @property
    def segments(self) -> pa.Table:
        """Which part of which document lies where; see `SEGMENTS_SCHEMA`."""
        return pq.read_table(self.folder / SEGMENTS_FILE)

    @property
    def ledger(self) -> Ledger:
        """The account of these rows."""
        return read_ledger(self.folder)

    def verify(self) -> None:
        """Hash every file again.

        Raises:
            ShardError: files are missing or have changed; the message names each.
        """
        faults = []
        expected_hashes = {file.name: file.hash for file in self.index.files}
        expected_hashes |= {SEGMENTS_FILE: self.index.segments_hash, LEDGER_FILE: self.index.ledger_hash}
        for name, expected in expected_hashes.items():
            path = self.folder / name
            if not path.is_file():
                faults.append(f"{path} is missing.")
            elif hash_file(path) != expected:
                faults.append(f"{path} has changed since it was written.")
        if faults:
            raise ShardError("\n".join(faults))


class _ListColumn:
    """A list column as numpy views: its values and where each row's begin."""

    def __init__(self, column: pa.ListArray) -> None:
        self.values = column.values.to_numpy()
        self.offsets = column.offsets.to_numpy()

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]  # type: ignore[no-any-return]


class _Batch:
    """One memory-mapped record batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.ids = _ListColumn(batch.column("input_ids"))
        self.lengths = _ListColumn(batch.column("seq_lengths"))
        self.groups = batch.column("group")
        self.masks = _ListColumn(batch.column("assistant_masks"))
        self.masked = batch.column("assistant_masks").is_valid().to_numpy(zero_copy_only=False)

    def pack(self, row: int) -> Pack:
        mask = self.masks[row] if self.masked[row] else None
        return Pack(self.ids[row], self.lengths[row], self.groups[row].as_py(), mask)


def _map_batches(folder: Path, file: ShardFile) -> list[pa.RecordBatch]:
    path = folder / file.name
    try:
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            batches = list(stream)
    except FileNotFoundError as error:
        raise ShardError(f"{path} is missing; the index names it. Build the shards again.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise ShardError(f"{path} is damaged: {error}. Delete it and build the shards again.") from error
    if stream.schema != shard_schema(np.dtype(file.dtype)):
        raise ShardError(f"{path} has other columns than a file of shards. Build the shards again.")
    if sum(len(batch) for batch in batches) != file.rows:
        raise ShardError(f"{path} does not hold the {file.rows} rows of its index. Build the shards again.")
    return batches


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _write_text(path: Path, text: str) -> None:
    with finished_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
