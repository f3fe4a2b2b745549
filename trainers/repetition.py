"""Whether a model can say a token at all: it is asked to repeat it, in three ways.

The second half of Land & Bartolo 2024, "Fishing for Magikarp" (section 2.3, and `verify_magikarp` of
github.com/cohere-ai/magikarp): prompts for which a model that knows the token gives it almost surely, and of
the next three tokens of a greedy continuation the largest probability that it had. As theirs: a device that
repeats its input, after 20 examples; an assistant who is asked what a word means; 50 repeats. The words are
ours, and the token is put between the ids of the words, where they put it between the words.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.load import TokenizerFiles

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

CONTINUATION = 3
"""Tokens generated after each prompt."""
_TOKENS_AT_ONCE = 16384
_TOKEN = "{token}"


class _Prompt(NamedTuple):
    begin: str
    shot: str
    shots: int
    end: str


PROMPTS = (
    _Prompt(
        "This machine prints exactly what is put into it, as its log shows.\n",
        "In: «{token}»\nOut: «{token}»\n",
        20,
        "In: «{token}»\nOut: «",
    ),
    _Prompt(
        "The teacher begins each answer with the word that was asked for.\nPupil: What does 'brumfle' mean?\n"
        "Teacher: 'brumfle' is no word that I know.\n",
        "",
        0,
        "Pupil: What does '{token}' mean?\nTeacher: '",
    ),
    _Prompt("Someone says one and the same thing over and over again:\n", "{token}", 49, "{token}"),
)


def repetition(
    model: "PreTrainedModel", files: TokenizerFiles, tokens: Sequence[int]
) -> npt.NDArray[np.float64]:
    """The largest probability that a model gives each of these tokens where it is to repeat it.

    Prompts too long for the model's positions get fewer examples.

    Args:
        model: A plain causal language model of transformers, on the device where it computes.
        files: Its tokenizer.
        tokens: Ids.

    Returns:
        Of each token, float64 `[tokens]`.
    """
    import torch

    largest = np.zeros(len(tokens))
    words = _Words(files)
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    wanted = torch.tensor(tokens, dtype=torch.int64)
    for prompt in PROMPTS:
        ids, places = words.prompt(prompt, None if room is None else room - CONTINUATION)
        for part in _slices(len(tokens), max(1, _TOKENS_AT_ONCE // len(ids))):
            batch = torch.tensor(ids)[None].repeat(part.stop - part.start, 1)
            batch[:, places] = wanted[part, None]
            found = _probabilities(model, batch.to(model.device), wanted[part].to(model.device))
            largest[part] = np.maximum(largest[part], found.double().cpu().numpy())
    return largest


class _Words:
    """The ids of the words between which tokens are put."""

    def __init__(self, files: TokenizerFiles) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
        framed, plain = self._tokenizer.encode("a").ids, self._encode("a")
        self._begin = framed[: framed.index(plain[0])]

    def prompt(self, prompt: _Prompt, room: int | None) -> tuple[list[int], list[int]]:
        """The ids, and the places of the token among them."""
        for shots in range(prompt.shots, -1, -1):
            ids, places = list(self._begin), []
            for text in (prompt.begin, *[prompt.shot] * shots, prompt.end):
                for number, part in enumerate(text.split(_TOKEN)):
                    if number:
                        places.append(len(ids))
                        ids.append(0)
                    ids += self._encode(part) if part else []
            if room is None or len(ids) <= room or not shots:
                return ids, places
        raise AssertionError("a prompt has at least no examples")

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _probabilities(model: "PreTrainedModel", batch: "Tensor", tokens: "Tensor") -> "Tensor":
    """The largest probability of each row's token among the next ones of a greedy continuation, `[rows]`."""
    import torch

    largest = torch.zeros(len(batch), device=batch.device)
    cache = None
    with torch.no_grad():
        for _ in range(CONTINUATION):
            output = model(input_ids=batch, past_key_values=cache, use_cache=True, logits_to_keep=1)
            logits = output.logits[:, -1].float()
            found = logits.softmax(dim=-1).gather(1, tokens[:, None])[:, 0]
            largest, cache = torch.maximum(largest, found), output.past_key_values
            batch = logits.argmax(dim=-1, keepdim=True)
    return largest
