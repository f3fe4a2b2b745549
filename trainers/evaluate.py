"""Scores every piece of the documents in held-out shards; what scores are is in `trainers.scores`."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trainers.config import Dtype
from trainers.scores import PIECES, UNKNOWN, Described, Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from mixers.shards import Pack, Shards
    from trainers.objective import PackedObjective

Ids = Sequence[Sequence[int]]

NOTHING_MORE = Described()


@dataclass(frozen=True)
class Recode:
    """How the texts of shards are read in another tokenizer than the one that made them."""

    encode: Callable[[Ids], Ids]
    """From the ids of pieces to the ids of the same texts."""
    begin_id: int | None
    """The token with which these begin; None: they begin with their text."""


def evaluate(
    model: str | Path,
    shards_folder: Path,
    micro_batch_rows: int = 1,
    dtype: Dtype = "auto",
    described: Described = NOTHING_MORE,
    recode: Recode | None = None,
) -> Evaluation:
    """The scores of a model folder (or hub id) on a shards folder; see `evaluate_pieces`."""
    started = time.monotonic()
    pieces = evaluate_pieces(model, shards_folder, micro_batch_rows, dtype, described, recode)
    return Evaluation.of(pieces, 0, time.monotonic() - started)


def evaluate_pieces(
    model: str | Path,
    shards_folder: Path,
    micro_batch_rows: int = 1,
    dtype: Dtype = "auto",
    described: Described = NOTHING_MORE,
    recode: Recode | None = None,
) -> pa.Table:
    """What each piece in a shards folder costs a model folder (or hub id), as `trainers.scores.PIECES`.

    Args:
        model: A causal language model.
        shards_folder: Held-out shards.
        micro_batch_rows: Rows in one forward pass.
        dtype: Precision of matrix products, as `StageTraining.dtype`.
        described: Languages and clusters of the documents.
        recode: For a model with another tokenizer than the one that made the shards. Rows with masks are
            then left out: its tokens do not fit them.

    Raises:
        ValueError: The folder holds no shards, or ids that the model has no embedding for.
    """
    import torch

    from mixers.shards import Shards
    from trainers.model import check_vocabulary, load_model
    from trainers.objective import PackedObjective
    from trainers.precision import default_device, in_bfloat16

    shards = Shards.open(shards_folder)
    loaded = load_model(model).to(default_device())
    if recode is None:
        check_vocabulary(loaded, largest_id(shards))
    objective = PackedObjective(loaded).eval()
    objective.bfloat16 = in_bfloat16(dtype)
    with objective.in_precision(), torch.no_grad():
        if recode is not None:
            return described_pieces(shards, *_recoded_sums(objective, shards, recode), described)
        return score_pieces(objective, shards, micro_batch_rows, described)


def score_pieces(
    objective: "PackedObjective",
    shards: "Shards",
    micro_batch_rows: int,
    described: Described = NOTHING_MORE,
) -> pa.Table:
    """What each piece costs an objective; in distributed runs every process scores its share of the rows.

    Args:
        objective: The model with its loss (possibly wrapped by a distributed framework).
        shards: Held-out shards.
        micro_batch_rows: Rows in one forward pass.
        described: Languages and clusters of the documents.
    """
    import torch

    training = objective.training
    objective.eval()
    with torch.no_grad():
        nats, predicted = _sums_per_segment(objective, shards, micro_batch_rows)
    objective.train(training)
    tokens = shards.segments["tokens"].to_numpy()
    begun = np.array([_begins(piece, shards.begin_id) for pack in shards for piece in _split(pack)], bool)
    return described_pieces(shards, nats, predicted, tokens - begun, described)


def _recoded_sums(
    objective: "PackedObjective", shards: "Shards", recode: Recode
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Nats, predicted tokens and tokens of the pieces in the ids that `recode` gives them, packed anew."""
    import torch

    from trainers.loader import Row, collate, to_device

    readable: list[Sequence[int]] = [
        piece.tolist() if pack.assistant_masks is None else [] for pack in shards for piece in _split(pack)
    ]
    ids = [np.array(found, np.int64) for found in recode.encode(readable)]
    lengths = np.array([len(found) for found in ids], np.int64)
    sums = torch.zeros(2, len(ids), dtype=torch.float64)
    device = next(objective.parameters()).device
    for segments in _packs(lengths, shards.sequence_length):
        row = Row(np.concatenate([ids[segment] for segment in segments]), lengths[segments], None)
        output = objective(**to_device(collate([row]), device), per_token=True)
        _add_up(sums, segments, lengths, output)
    nats, predicted = sums.numpy()
    begun = np.array([_begins(found, recode.begin_id) for found in ids], bool)
    return nats, predicted, lengths - begun


def _packs(lengths: npt.NDArray[np.int64], most: int) -> Iterator[npt.NDArray[np.int64]]:
    """Neighbouring segments together, up to `most` tokens; a longer one alone, an empty one not at all."""
    present = np.flatnonzero(lengths)
    starts = [0]
    for place in range(1, len(present)):
        if lengths[present[starts[-1] : place + 1]].sum() > most:
            starts.append(place)
    yield from (pack for pack in np.split(present, starts[1:]) if len(pack))


def largest_id(shards: "Shards") -> int:
    """The largest token id in the shards."""
    return max((int(shards[row].input_ids.max()) for row in range(len(shards))), default=0)


def _sums_per_segment(
    objective: "PackedObjective", shards: "Shards", micro_batch_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Summed loss in nats, and predicted tokens, of each segment; float64 `[segments]` both."""
    import torch
    import torch.distributed as dist

    from trainers.loader import RowDataset, StepSampler, collate, to_device

    processes, process = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    sampler = StepSampler(
        len(shards), micro_batch_rows * processes, micro_batch_rows, processes=processes, process=process
    )
    device = next(objective.parameters()).device
    rows = RowDataset(shards)
    table = shards.segments
    lengths = table["tokens"].to_numpy()
    first = np.searchsorted(table["row"].to_numpy(), np.arange(len(shards) + 1))
    sums = torch.zeros(2, len(lengths), dtype=torch.float64)
    for numbers in sampler:
        batch = to_device(collate([rows[number] for number in numbers]), device)
        output = objective(**batch, per_token=True)
        ranges = [np.arange(first[row], first[row + 1]) for row in numbers]
        segments = np.concatenate([np.empty(0, np.int64), *ranges])  # a process may have no rows left
        _add_up(sums, segments, lengths, output)
    if processes > 1:
        sums = sums.to(device)
        dist.all_reduce(sums)
    nats, predicted = sums.cpu().numpy()
    return nats, predicted


def _add_up(
    sums: "Tensor", segments: npt.NDArray[np.int64], lengths: npt.NDArray[Any], output: dict[str, "Tensor"]
) -> None:
    """Add the losses of one forward pass over these segments to `sums` `[2, all segments]`: nats, tokens."""
    import torch

    ends = torch.from_numpy(np.cumsum(lengths[segments]))
    places = torch.searchsorted(ends, output["positions"].cpu(), right=True)
    segment = torch.from_numpy(segments)[places]
    sums[0].index_add_(0, segment, output["losses"].double().cpu())
    sums[1].index_add_(0, segment, torch.ones(len(segment), dtype=torch.float64))


def _begins(ids: npt.NDArray[Any], begin_id: int | None) -> bool:
    """Whether the first of these ids holds no text, but begins one."""
    return begin_id is not None and len(ids) > 0 and ids[0] == begin_id


def _split(pack: "Pack") -> list[npt.NDArray[Any]]:
    """The ids of each piece in a row."""
    return np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1])


def described_pieces(
    shards: "Shards",
    nats: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    tokens: npt.NDArray[Any],
    described: Described,
) -> pa.Table:
    """The table of pieces, `trainers.scores.PIECES`."""
    segments = shards.segments
    names = segments["doc_id"].to_pylist()
    languages, clusters = described.languages, described.clusters
    columns = {
        "doc_id": names,
        "first_token": segments["first_token"],
        "cluster": [clusters.get(name, name) for name in names],
        "group": np.array(shards.row_groups, object)[segments["row"].to_numpy()],
        "language": [None if languages is None else languages.get(name, UNKNOWN) for name in names],
        "nats": nats,
        "predicted": predicted.astype(np.int64),
        "tokens": tokens,
        "bytes": segments["bytes"],
    }
    return pa.table(
        {name: pa.array(column, PIECES.field(name).type) for name, column in columns.items()}, PIECES
    )
