"""What new tokens cost a model on held-out text, against what their old pieces cost the model before.

Both read the same documents, packed alike: the model as the shards have them, its base with each new token
replaced by its pieces. So the loss of a new token and the summed loss of its pieces are of the same text, and
so are bits per byte (`trainers.scores`); their difference on a group of old text is the drift.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.added import added_tokens
from trainers.config import Dtype
from trainers.evaluate import NOTHING_MORE, described_pieces
from trainers.scores import Described, Evaluation

if TYPE_CHECKING:
    from mixers.shards import Shards
    from trainers.loader import Row

Numbers = npt.NDArray[np.int64]
Nats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NewTokenScores:
    """How well a model with new tokens reads held-out text, and its base the same text without them."""

    new_tokens: int
    """That the model's tokenizer has and its base's lacks."""
    used: int
    """Of these, those that occur in the text."""
    positions: int
    """Tokens of the text that are new."""
    tokens: int
    """Tokens of the text."""
    scored: int
    """New tokens that are predicted: not those that begin a document or are outside of answers."""
    loss: float | None
    """Mean nats of a scored new token; None where there is none."""
    pieces_loss: float | None
    """Mean of the summed nats of its pieces, for the base."""
    model: Evaluation
    base: Evaluation

    @property
    def drift(self) -> dict[str, float]:
        """Bits per byte of each group that the model has more than its base."""
        return _difference(self.model, self.base, "groups")

    @property
    def language_drift(self) -> dict[str, float]:
        """The same for each language; empty where languages are not known."""
        return _difference(self.model, self.base, "languages")

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        own = {name: value for name, value in asdict(self).items() if name not in ("model", "base")}
        scores = {"model": self.model.to_json(), "base": self.base.to_json()}
        return own | scores | {"drift": self.drift, "language_drift": self.language_drift}


def new_token_scores(
    shards: "Path | Shards",
    model: str | Path,
    base: str | Path,
    base_tokenizer: TokenizerFiles,
    tokenizer: TokenizerFiles,
    described: Described = NOTHING_MORE,
    dtype: Dtype = "auto",
) -> NewTokenScores:
    """Score a model and its base on held-out shards.

    Args:
        shards: Made with `tokenizer`.
        model: Folder or hub id of the model with the changed tokenizer.
        base: The model before.
        base_tokenizer: The tokenizer before.
        tokenizer: The changed one.
        described: Languages of the documents.
        dtype: Precision of matrix products, as `StageTraining.dtype`.

    Raises:
        ValueError: The shards were made with another tokenizer, it is not what the base's was changed to, or
            a model lacks embeddings.
    """
    from mixers.shards import Shards

    opened = Shards.open(shards) if isinstance(shards, Path) else shards
    if opened.tokenizer_hash != tokenizer.hash:
        raise ValueError(
            f"{opened.folder} was made with another tokenizer than {tokenizer.source}: make held-out shards"
            " with the changed tokenizer."
        )
    if not len(opened):
        raise ValueError(f"{opened.folder} holds no rows.")
    pieces = added_tokens(base_tokenizer, tokenizer)
    undo = _Undo(pieces, max(tokenizer.vocabulary.values()) + 1)
    rows = [_row(opened, number) for number in range(len(opened))]
    old_rows = [undo.row(row) for row in rows]
    started = time.monotonic()
    nats = _nats(model, rows, dtype)
    middle = time.monotonic()
    old_nats = _nats(base, old_rows, dtype)
    ids = _together(row.input_ids for row in rows)
    lengths = undo.lengths[ids]
    spans = np.add.reduceat(np.nan_to_num(old_nats), np.cumsum(lengths) - lengths)
    is_new = np.isin(ids, list(pieces))
    scored = is_new & ~np.isnan(nats)
    return NewTokenScores(
        new_tokens=len(pieces),
        used=len(np.unique(ids[is_new])),
        positions=int(is_new.sum()),
        tokens=len(ids),
        scored=int(scored.sum()),
        loss=float(nats[scored].mean()) if scored.any() else None,
        pieces_loss=float(spans[scored].mean()) if scored.any() else None,
        model=_evaluation(opened, rows, nats, described, middle - started),
        base=_evaluation(opened, old_rows, old_nats, described, time.monotonic() - middle),
    )


class _Undo:
    """Replaces each new token by its pieces."""

    def __init__(self, pieces: Mapping[int, Sequence[int]], ids: int) -> None:
        found = [tuple(pieces.get(number, (number,))) for number in range(ids)]
        if () in found:
            raise ValueError(f"The new token {found.index(())} stands for no text that the base could read.")
        self.lengths: Numbers = np.array([len(each) for each in found])
        """The number of pieces of each id."""
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._pieces = np.array([piece for each in found for piece in each], np.int64)

    def row(self, row: "Row") -> "Row":
        """The same documents in pieces, and all pieces of a token trained where it is."""
        from trainers.loader import Row

        lengths = self.lengths[row.input_ids]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        ids = self._pieces[np.repeat(self._starts[row.input_ids], lengths) + within]
        documents = np.diff(ends[np.cumsum(row.seq_lengths) - 1], prepend=0)
        mask = None if row.assistant_masks is None else np.repeat(row.assistant_masks, lengths)
        return Row(ids, documents, mask)


def _row(shards: "Shards", number: int) -> "Row":
    from trainers.loader import Row

    pack = shards[number]
    return Row(pack.input_ids.astype(np.int64), pack.seq_lengths.astype(np.int64), pack.assistant_masks)


def _nats(name: str | Path, rows: list["Row"], dtype: Dtype) -> Nats:
    """The loss of every token of all rows, `[tokens]`; NaN where it is not predicted."""
    import torch

    from trainers.loader import collate, to_device
    from trainers.model import check_vocabulary, load_model
    from trainers.objective import PackedObjective
    from trainers.precision import default_device, in_bfloat16

    model = load_model(name).to(default_device())
    check_vocabulary(model, max((int(row.input_ids.max()) for row in rows), default=0))
    objective = PackedObjective(model).eval()
    objective.bfloat16 = in_bfloat16(dtype)
    found = [np.empty(0)]
    with objective.in_precision(), torch.no_grad():
        for row in rows:
            output = objective(**to_device(collate([row]), model.device), per_token=True)
            nats = np.full(len(row.input_ids), np.nan)
            nats[output["positions"].cpu().numpy() + 1] = output["losses"].double().cpu().numpy()
            found.append(nats)
    return np.concatenate(found)


def _evaluation(
    shards: "Shards", rows: list["Row"], nats: Nats, described: Described, seconds: float
) -> Evaluation:
    """Bits per byte of groups and languages from the loss of every token."""
    lengths = _together(row.seq_lengths for row in rows)
    starts = np.cumsum(lengths) - lengths
    first = _together(row.input_ids for row in rows)[starts]
    begun = first == (-1 if shards.begin_id is None else shards.begin_id)
    sums = np.add.reduceat(np.nan_to_num(nats), starts)
    predicted = np.add.reduceat((~np.isnan(nats)).astype(np.int64), starts)
    pieces = described_pieces(shards, sums, predicted, lengths - begun, described)
    return Evaluation.of(pieces, 0, seconds)


def _together(arrays: Iterator[npt.NDArray[Any]]) -> Numbers:
    return np.concatenate([np.empty(0, np.int64), *arrays])


def _difference(model: Evaluation, base: Evaluation, what: str) -> dict[str, float]:
    found, before = getattr(model, what), getattr(base, what)
    return {
        name: score.bits_per_byte - before[name].bits_per_byte
        for name, score in found.items()
        if score.bits_per_byte is not None and before[name].bits_per_byte is not None
    }
