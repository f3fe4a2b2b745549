"""A causal model with its tokenizer as plain transformers runs them: with a cache, one text after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from trainers.config import Dtype


class Answers(Protocol):
    """What goes on with texts: a model, or one that reads more before each of them."""

    def continue_texts(
        self, prompts: Sequence[str], new_tokens: int, batch_size: int, one_line: bool = False
    ) -> list[str]:
        """As `PlainModel.continue_texts`."""
        ...


class Written(NamedTuple):
    """What a model wrote."""

    text: str
    ended: bool
    """Whether the model ended it, and not the limit of its tokens."""


@dataclass(frozen=True)
class PlainModel:
    """A loaded causal language model, on the default device, and its tokenizer."""

    model: Any
    """A `transformers.PreTrainedModel`."""
    tokenizer: Any
    """A `transformers.PreTrainedTokenizerBase`."""

    @classmethod
    def load(cls, name: str | Path, dtype: Dtype = "auto") -> Self:
        """Load a hub id or a local folder. No code from the hub or the folder is ever executed.

        Args:
            name: The model.
            dtype: Of the weights; `auto`: bfloat16 where the hardware multiplies it fast, else float32.

        Raises:
            ValueError: It has no tokenizer.
            OSError: It is not there, or not a model.
        """
        import torch
        from transformers import AutoModelForCausalLM

        from trainers.model import tokenizer_of
        from trainers.precision import default_device, in_bfloat16

        precision = torch.bfloat16 if in_bfloat16(dtype) else torch.float32
        model = AutoModelForCausalLM.from_pretrained(str(name), dtype=precision, trust_remote_code=False)
        return cls(model.to(default_device()).eval(), tokenizer_of(None, str(name)))

    @classmethod
    def without_weights(cls, name: str | Path) -> Self:
        """A model that cuts texts and knows how long they may be, but cannot be asked.

        Args:
            name: As in `load`.

        Raises:
            ValueError: It has no tokenizer.
            OSError: It is not there, or not a model.
        """
        from types import SimpleNamespace

        from transformers import AutoConfig

        from trainers.model import tokenizer_of

        config = AutoConfig.from_pretrained(str(name), trust_remote_code=False)
        return cls(SimpleNamespace(config=config), tokenizer_of(None, str(name)))

    @property
    def longest(self) -> int | None:
        """Most tokens the model has positions for; None where it does not say."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def encode(self, text: str, begins: bool = True) -> list[int]:
        """The ids of a text; `begins`: with the token that begins one, where the tokenizer adds it."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=begins)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def continue_texts(
        self, prompts: Sequence[str], new_tokens: int, batch_size: int, one_line: bool = False
    ) -> list[str]:
        """Continue each text greedily by at most `new_tokens` tokens, fewer where the model ends it.

        `one_line`: only up to the end of the line.
        """
        made = self._all_continued(prompts, batch_size, one_line, {"max_new_tokens": new_tokens})
        return [each.text for each in made]

    def sample_texts(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        batch_size: int,
        temperature: float,
        top_k: int,
        seed: int,
        one_line: bool = False,
    ) -> list[str]:
        """Continue each text once by tokens drawn from the `top_k` likeliest, at a temperature.

        The same prompts, batch size and seed give the same on the same machine; torch's own draws go on as if
        nothing had been drawn here.
        """
        settings = {"temperature": temperature, "top_k": top_k, "max_new_tokens": new_tokens}
        return [each.text for each in self._drawn(prompts, batch_size, one_line, settings, seed)]

    def write_texts(self, count: int, new_tokens: int, seed: int) -> list[Written]:
        """Write texts from nothing, at temperature 1 and from all tokens: samples of what it models.

        What precedes them is the token that the tokenizer begins a text with, or else ends one with.

        Args:
            count: Number of texts, all written at once.
            new_tokens: Most tokens of one.
            seed: As in `sample_texts`.
        """
        prompt = "" if self.encode("") else self.tokenizer.eos_token
        settings = {"temperature": 1.0, "top_k": 0, "max_new_tokens": new_tokens}
        return self._drawn([prompt] * count, count, False, settings, seed)

    def _drawn(
        self, prompts: Sequence[str], batch_size: int, one_line: bool, settings: dict[str, Any], seed: int
    ) -> list[Written]:
        import torch

        device = self.model.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            return self._all_continued(
                prompts, batch_size, one_line, {"do_sample": True, "top_p": 1.0, **settings}
            )

    def _all_continued(
        self, prompts: Sequence[str], batch_size: int, one_line: bool, settings: dict[str, Any]
    ) -> list[Written]:
        """Continue the texts in batches of like length."""
        ids = [self.encode(prompt) for prompt in prompts]
        ends = self._end_ids()
        found = [Written("", False)] * len(prompts)
        by_length = sorted(range(len(ids)), key=lambda number: -len(ids[number]))
        for start in range(0, len(ids), batch_size):
            numbers = by_length[start : start + batch_size]
            made = self._continue([ids[number] for number in numbers], one_line, settings)
            for number, continuation in zip(numbers, made, strict=True):
                said = _before(continuation, ends)
                text = self.decode(said)
                ended = len(said) < len(continuation)
                found[number] = Written(text.partition("\n")[0] if one_line else text, ended)
        return found

    def _continue(
        self, prompts: list[list[int]], one_line: bool, settings: dict[str, Any]
    ) -> list[list[int]]:
        import torch
        from transformers import GenerationConfig

        ends = self._end_ids()
        longest = max(map(len, prompts))
        padding = [longest - len(prompt) for prompt in prompts]
        ids = torch.tensor([[0] * left + prompt for left, prompt in zip(padding, prompts, strict=True)])
        mask = torch.tensor([[0] * left + [1] * (longest - left) for left in padding])
        config = GenerationConfig(
            **{"do_sample": False, "repetition_penalty": 1.0, **settings},
            use_cache=True,
            eos_token_id=[*ends, *self._line_end_ids] if one_line else ends,
            pad_token_id=ends[0] if ends else 0,
        )
        device = self.model.device
        with torch.no_grad():
            made = self.model.generate(
                ids.to(device), attention_mask=mask.to(device), generation_config=config
            )
        continuations: list[list[int]] = made[:, longest:].tolist()
        return continuations

    @cached_property
    def _line_end_ids(self) -> list[int]:
        """The tokens with a newline in them."""
        count = len(self.tokenizer)
        texts = self.tokenizer.batch_decode([[token] for token in range(count)])
        return [token for token, text in enumerate(texts) if "\n" in text]

    def _end_ids(self) -> list[int]:
        """The tokens that end a text: the model's generation defaults, else the tokenizer's."""
        ends = self.model.generation_config.eos_token_id
        if ends is None:
            ends = self.tokenizer.eos_token_id
        return ends if isinstance(ends, list) else [] if ends is None else [ends]


def _before(ids: list[int], ends: list[int]) -> list[int]:
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]
