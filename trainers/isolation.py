"""The proof that packed documents do not see each other, made with the run's own model.

One document of a real pack gets other tokens. If the logits of any other document move, documents leak into
each other through attention, convolutions, recurrent states or positions, and training refuses to start.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainers.errors import IsolationError
from trainers.loader import Row, collate, to_device

_DOCUMENTS = 8
_TOKENS_PER_DOCUMENT = 256
_TOLERANCE = 1e-4  # of the perturbed document's own change


class IsolationProof(NamedTuple):
    """Largest changes of a logit, in the perturbed document and in the others (0.0: the same bits)."""

    documents: int
    own_change: float
    other_change: float


@torch.no_grad()
def prove_isolation(
    logits: Callable[..., Tensor], rows: Sequence[Row], device: torch.device | str = "cpu"
) -> IsolationProof:
    """Perturb the middle document of a pack and require that the logits of the others stay.

    Args:
        logits: Called with a batch's entries as keyword arguments; gives `[tokens, vocabulary]`.
        rows: Rows whose documents make the pack; the first few documents are used, cut to a moderate length.
        device: Where the model is.

    Raises:
        IsolationError: The others' logits changed by more than a ten-thousandth of the perturbed document's
            own.
    """
    documents = _documents(rows)
    middle = len(documents) // 2
    batch = to_device(collate([_pack(documents)]), torch.device(device))
    before = logits(**batch)
    start, stop = (int(b) for b in batch["cu_seq_lens_q"][middle : middle + 2])
    batch["input_ids"] = batch["input_ids"].clone()
    batch["input_ids"][0, start:stop] = (batch["input_ids"][0, start:stop] + 1) % before.shape[1]
    change = (logits(**batch) - before).abs().amax(dim=1).float()
    own = float(change[start:stop].max())
    others = float(torch.cat([change[:start], change[stop:]]).max())
    if not own > 0:
        raise IsolationError(
            "The isolation proof changed a document's tokens, yet its own logits did not move: the model"
            " does not use its input, or its weights are not finite. Check the model's folder."
        )
    if not others <= _TOLERANCE * own:
        raise IsolationError(
            f"Documents in a pack influence each other with this model: changing one document moved another's"
            f" logits by {others:.3g} (its own by {own:.3g}). Training on packed rows would teach it across"
            " document boundaries, so it does not start. Models with convolutions or linear attention do"
            " this. Train a pure attention model, or make shards with one document per row."
        )
    return IsolationProof(len(documents), own, others)


def _documents(rows: Sequence[Row]) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for row in rows:
        found += np.split(row.input_ids, np.cumsum(row.seq_lengths)[:-1])
    chosen = [document[:_TOKENS_PER_DOCUMENT] for document in found[:_DOCUMENTS]]
    return chosen * 3 if len(chosen) == 1 else chosen


def _pack(documents: Sequence[np.ndarray]) -> Row:
    lengths = np.array([len(document) for document in documents])
    return Row(np.concatenate(documents), lengths, None)
