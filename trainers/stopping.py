"""Which tokens end the text that a trained model generates.

They are those at which its base stopped, the end of a document, and the ends of an assistant's turn that it
was taught: after a chat most templates write something between the end of the turn and the end of the
document, which nobody teaches the model to write, so that it would never come to the latter.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards


def stop_tokens(model: "PreTrainedModel", tokenizer: Any, turn_ends: Iterable[int]) -> tuple[int, ...]:
    """The ids at which generation stops, those of the base first.

    Args:
        model: As it was loaded: its generation config says at which tokens the base stops.
        tokenizer: Of the run, or None where nobody knows it.
        turn_ends: What `learnt_turn_ends` gives.
    """
    own = model.generation_config.eos_token_id
    of_base = own if isinstance(own, list) else [own]
    if tokenizer is None:
        return tuple(number for number in of_base if number is not None)
    known = set(tokenizer.get_vocab().values())
    stops = [*of_base, tokenizer.eos_token_id, *turn_ends]
    return tuple(dict.fromkeys(number for number in stops if number in known))


def pad_token(model: "PreTrainedModel", tokenizer: Any) -> int | None:
    """The id that fills batches in generation: the base's, else the tokenizer's, else the document's end."""
    own = model.generation_config.pad_token_id
    if tokenizer is None or own in tokenizer.get_vocab().values():
        return own
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def learnt_turn_ends(shards: "Shards", tokenizer: str | Path) -> tuple[int, ...]:
    """The ends of an assistant's turn, under the tokenizer's chat template, that the masks of `shards` teach.

    Args:
        shards: What is trained on. Only rows with a mask hold conversations.
        tokenizer: A folder or a hub id.
    """
    from tokenizer_tools.chat import ChatEncoder
    from tokenizer_tools.load import TokenizerError, load_tokenizer

    try:
        wanted = ChatEncoder.build(load_tokenizer(tokenizer)).turn_ends
    except TokenizerError:  # it has no chat template, or no tokenizer.json
        return ()
    found: set[int] = set()
    for taught in _taught(shards):
        found.update(taught[np.isin(taught, wanted)].tolist())
        if len(found) == len(wanted):
            break
    return tuple(number for number in wanted if number in found)


def answers_never_end(shards: "Shards", stops: Sequence[int]) -> bool:
    """Whether there are conversations in `shards` and their masks teach none of the ids in `stops`."""
    there_are = False
    for taught in _taught(shards):
        there_are = True
        if np.isin(taught, stops).any():
            return False
    return there_are


def _taught(shards: "Shards") -> Iterator[np.ndarray]:
    """The ids that bear loss in each row with a mask: those of conversations."""
    for pack in shards:
        if pack.assistant_masks is not None:
            yield pack.input_ids[pack.assistant_masks == 1]
