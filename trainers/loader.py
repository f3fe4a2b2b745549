"""From shards to batches: rows in their order, several rows of a micro batch concatenated into one flat pack.

Row order is training order. Optimizer step s trains on the next `rows_per_step` rows whatever the number of
processes or the size of the micro batch, so a run can be continued from the number of rows it has consumed.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

if TYPE_CHECKING:
    from mixers.shards import Shards

IGNORED = -100
"""The label of a token that is not predicted (the convention of torch and transformers)."""


class Row(NamedTuple):
    """One pack: token ids, lengths of its documents, and which tokens train (None: all)."""

    input_ids: np.ndarray
    seq_lengths: np.ndarray
    assistant_masks: np.ndarray | None


class RowDataset(Dataset[Row]):
    """The rows of a shards folder, `epochs` times over, in order. Index i is row `i % rows`."""

    def __init__(self, shards: "Shards", epochs: int = 1) -> None:
        self.shards = shards
        self.epochs = epochs

    def __len__(self) -> int:
        return len(self.shards) * self.epochs

    def __getitem__(self, index: int) -> Row:
        pack = self.shards[index % len(self.shards)]
        return Row(pack.input_ids, pack.seq_lengths, pack.assistant_masks)

    def tokens_before(self, row: int) -> int:
        """Tokens in the first `row` rows of all epochs together."""
        epochs, rest = divmod(row, len(self.shards))
        return epochs * self.shards.tokens + int(self.shards.row_lengths[:rest].sum())


# Of two tokens, because graphs are compiled for sizes above 1.
_NOTHING = Row(np.zeros(2, np.int64), np.full(1, 2), np.zeros(2, np.uint8))


def collate(rows: Sequence[Row]) -> dict[str, Any]:
    """One flat pack of all documents of `rows`, as the keyword arguments of a transformers model.

    No rows at all give a document that trains nothing.

    Returns:
        `input_ids`, `position_ids` (from 0 in every document) and `labels`, int64 `[1, tokens]`;
        `cu_seq_lens_q` and `cu_seq_lens_k`, int32 `[documents + 1]`; `max_length_q` and `max_length_k`, int.
        A label is the token's own id (models shift by themselves), or `IGNORED` for the first token of a
        document, which nothing predicts, and for tokens outside the assistant mask.
    """
    rows = rows or [_NOTHING]
    lengths = np.concatenate([row.seq_lengths for row in rows]).astype(np.int64)
    input_ids = np.concatenate([row.input_ids for row in rows]).astype(np.int64)
    if lengths.sum() != len(input_ids) or (lengths <= 0).any():
        raise ValueError("A row's seq_lengths do not add up to its input_ids; the shards are damaged.")
    starts = np.cumsum(lengths) - lengths
    trained = np.concatenate([_trained(row) for row in rows])
    trained[starts] = False
    labels = np.where(trained, input_ids, IGNORED)
    boundaries = torch.from_numpy(np.append(starts, len(input_ids)).astype(np.int32))
    longest = int(lengths.max())
    return {
        "input_ids": torch.from_numpy(input_ids)[None],
        "position_ids": torch.from_numpy(np.arange(len(input_ids)) - np.repeat(starts, lengths))[None],
        "labels": torch.from_numpy(labels)[None],
        "cu_seq_lens_q": boundaries,
        "cu_seq_lens_k": boundaries,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """The same batch with its tensors on `device`."""
    return {name: x.to(device) if isinstance(x, torch.Tensor) else x for name, x in batch.items()}


def _trained(row: Row) -> np.ndarray:
    mask = row.assistant_masks
    return np.ones(len(row.input_ids), bool) if mask is None else np.asarray(mask, bool)


class StepSampler(Sampler[list[int]]):
    """The row numbers of each micro batch of one process, step by step.

    The rows of a step are dealt in consecutive slices to the processes, and each slice is cut into micro
    batches. Every process yields the same number of micro batches for a step; one that has no rows left
    yields an empty list, which trains nothing. Steps before `first_step` were trained by an earlier process;
    they are yielded as empty lists, to be skipped, because `transformers.Trainer` resumes by counting
    batches.
    """

    def __init__(
        self,
        total_rows: int,
        rows_per_step: int,
        micro_batch_rows: int,
        *,
        processes: int = 1,
        process: int = 0,
        first_step: int = 0,
        first_row: int = 0,
        last_step: int | None = None,
    ) -> None:
        self.total_rows = total_rows
        self.rows_per_step = rows_per_step
        self.micro_batch_rows = micro_batch_rows
        self.processes = processes
        self.process = process
        self.first_step = first_step
        self.first_row = first_row
        self.last_step = last_step

    @property
    def accumulation(self) -> int:
        """Micro batches of each process in a whole step."""
        return self._micro_batches(self.rows_per_step)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run, those before `first_step` included."""
        steps = self.first_step + math.ceil((self.total_rows - self.first_row) / self.rows_per_step)
        return steps if self.last_step is None else max(self.first_step, min(steps, self.last_step))

    def rows_before(self, step: int) -> int:
        """Rows consumed when `step` steps are done: the row cursor."""
        return min(self.first_row + (step - self.first_step) * self.rows_per_step, self.total_rows)

    def __len__(self) -> int:
        if self.steps == self.first_step:
            return self.first_step * self.accumulation
        last = self.rows_before(self.steps) - self.rows_before(self.steps - 1)
        return (self.steps - 1) * self.accumulation + self._micro_batches(last)

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.first_step * self.accumulation):
            yield []
        for step in range(self.first_step, self.steps):
            start, stop = self.rows_before(step), self.rows_before(step + 1)
            own = np.array_split(np.arange(start, stop), self.processes)[self.process].tolist()
            for micro in range(self._micro_batches(stop - start)):
                yield own[micro * self.micro_batch_rows : (micro + 1) * self.micro_batch_rows]

    def _micro_batches(self, rows: int) -> int:
        largest_share = math.ceil(rows / self.processes)
        return math.ceil(largest_share / self.micro_batch_rows)
