"""Loss and bits per byte of each group, and of each language in it, on held-out shards.

Bits per byte compares models with different tokenizers. For a group with documents of B bytes in T tokens,
of which N are predicted with a summed loss of L nats:

    bits per byte = L / N / ln 2 × T / B

that is, the mean bits of a predicted token times the tokens per byte (Gao et al. 2020, "The Pile", section
3.1). The first token of each document piece is not predicted, nor are tokens outside an assistant mask; the
formula counts each of them at the mean of those that are, instead of as free.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trainers.config import Dtype

if TYPE_CHECKING:
    from torch import Tensor

    from mixers.shards import Shards
    from trainers.objective import PackedObjective

UNKNOWN = "und"
"""The language of documents that have none (BCP 47: undetermined)."""


Recode = Callable[[Sequence[Sequence[int]]], Sequence[Sequence[int]]]
"""From the ids of pieces of documents to the ids of another tokenizer for the same texts."""


@dataclass(frozen=True)
class GroupScore:
    """Mean loss in nats per predicted token, bits per byte, and the counts that they are made of."""

    loss: float
    bits_per_byte: float | None
    predicted_tokens: int
    tokens: int
    bytes: int


@dataclass(frozen=True)
class Evaluation:
    """Scores of every group and of all together after `step` optimizer steps.

    `languages` holds the scores of each language over all groups, `group_languages` those of each language
    in each group. Both are empty where the languages of the documents were not given.
    """

    step: int
    seconds: float
    total: GroupScore
    groups: dict[str, GroupScore]
    languages: dict[str, GroupScore] = field(default_factory=dict)
    group_languages: dict[str, dict[str, GroupScore]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Evaluation":
        """The reverse of `to_json`."""

        def scores(found: dict[str, Any]) -> dict[str, GroupScore]:
            return {name: GroupScore(**score) for name, score in found.items()}

        return cls(
            value["step"],
            value["seconds"],
            GroupScore(**value["total"]),
            scores(value["groups"]),
            scores(value.get("languages", {})),
            {name: scores(found) for name, found in value.get("group_languages", {}).items()},
        )


def evaluate(
    model: str | Path,
    shards_folder: Path,
    micro_batch_rows: int = 1,
    dtype: Dtype = "auto",
    languages: Mapping[str, str] | None = None,
    recode: Recode | None = None,
) -> Evaluation:
    """Score a model folder (or hub id) on a shards folder.

    Args:
        model: A causal language model.
        shards_folder: Held-out shards.
        micro_batch_rows: Rows in one forward pass.
        dtype: Precision of matrix products, as `StageTraining.dtype`.
        languages: The language of each document by its id; those that are not in it count as `und`.
        recode: For a model with another tokenizer than the one that made the shards. Rows with masks are
            then left out: their scores are not a number.

    Raises:
        ValueError: The folder holds no shards, or ids that the model has no embedding for.
    """
    from mixers.shards import Shards
    from trainers.model import check_vocabulary, load_model
    from trainers.objective import PackedObjective
    from trainers.precision import default_device, in_bfloat16

    shards = Shards.open(shards_folder)
    loaded = load_model(model).to(default_device())
    objective = PackedObjective(loaded)
    objective.bfloat16 = in_bfloat16(dtype)
    with objective.in_precision():
        if recode is not None:
            return _score_recoded(objective.eval(), shards, recode, languages)
        check_vocabulary(loaded, largest_id(shards))
        return score(objective, shards, micro_batch_rows, languages=languages)


def score(
    objective: "PackedObjective",
    shards: "Shards",
    micro_batch_rows: int,
    step: int = 0,
    languages: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score an objective where it is; in distributed runs every process scores its share of the rows.

    Args:
        objective: The model with its loss (possibly wrapped by a distributed framework).
        shards: Held-out shards.
        micro_batch_rows: Rows in one forward pass.
        step: Optimizer steps done so far, for the record.
        languages: As in `evaluate`.
    """
    import torch

    started = time.monotonic()
    training = objective.training
    objective.eval()
    with torch.no_grad():
        nats, predicted = _sums_per_segment(objective, shards, micro_batch_rows)
    objective.train(training)
    tokens = shards.segments["tokens"].to_numpy()
    return _evaluation(shards, nats, predicted, tokens, step, time.monotonic() - started, languages)


def _score_recoded(
    objective: "PackedObjective", shards: "Shards", recode: Recode, languages: Mapping[str, str] | None
) -> Evaluation:
    """Score the texts of the shards' pieces in the ids that `recode` gives them, packed anew."""
    import torch

    from trainers.loader import Row, collate, to_device

    started = time.monotonic()
    pieces: list[Sequence[int]] = []
    for pack in shards:
        parts = np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1])
        pieces += [part.tolist() if pack.assistant_masks is None else [] for part in parts]
    ids = [np.array(found, np.int64) for found in recode(pieces)]
    lengths = np.array([len(found) for found in ids], np.int64)
    sums = torch.zeros(2, len(ids), dtype=torch.float64)
    device = next(objective.parameters()).device
    with torch.no_grad():
        for segments in _packs(lengths, shards.sequence_length):
            row = Row(np.concatenate([ids[segment] for segment in segments]), lengths[segments], None)
            output = objective(**to_device(collate([row]), device), per_token=True)
            _add_up(sums, segments, lengths, output)
    nats, predicted = sums.numpy()
    return _evaluation(shards, nats, predicted, lengths, 0, time.monotonic() - started, languages)


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


def _evaluation(
    shards: "Shards",
    nats: np.ndarray,
    predicted: np.ndarray,
    tokens: np.ndarray,
    step: int,
    seconds: float,
    languages: Mapping[str, str] | None,
) -> Evaluation:
    segments = shards.segments
    groups = np.array(shards.row_groups)[segments["row"].to_numpy()]
    sums = np.stack([nats, predicted, tokens, segments["bytes"].to_numpy() * (tokens > 0)])
    total = _group_score(*sums.sum(axis=1))
    if languages is None:
        return Evaluation(step, seconds, total, _scores(groups, sums))
    language = np.array([languages.get(document, UNKNOWN) for document in segments["doc_id"].to_pylist()])
    return Evaluation(
        step,
        seconds,
        total,
        _scores(groups, sums),
        _scores(language, sums),
        {str(name): _scores(language[groups == name], sums[:, groups == name]) for name in np.unique(groups)},
    )


def _scores(names: npt.NDArray[np.str_], sums: np.ndarray) -> dict[str, GroupScore]:
    """The score of the segments of each name; `names` is `[segments]`, `sums` `[4, segments]`."""
    found, codes = np.unique(names, return_inverse=True)
    totals = [np.bincount(codes, weights=values, minlength=len(found)) for values in sums]
    return {str(name): _group_score(*of_name) for name, *of_name in zip(found, *totals, strict=True)}


def _group_score(nats: float, predicted: float, tokens: float, size: float) -> GroupScore:
    loss = float(nats / predicted) if predicted else math.nan
    bits_per_byte = float(loss / math.log(2) * tokens / size) if size else None
    return GroupScore(loss, bits_per_byte, int(predicted), int(tokens), int(size))
