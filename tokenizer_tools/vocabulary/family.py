"""What a vocabulary can be: how its tokens are named, how its model cuts a word, and which tokens stay."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.backends import Reference
from tokenizer_tools.encode import control_tokens
from tokenizer_tools.load import TokenizerError, TokenizerFiles

SPACE = "▁"
"""How SentencePiece writes a space."""

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Segmented:
    """Ids of many words: those of word i are ids[offsets[i]:offsets[i + 1]]."""

    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]

    def __getitem__(self, word: int) -> list[int]:
        ids: list[int] = self.ids[self.offsets[word] : self.offsets[word + 1]].tolist()
        return ids

    def __iter__(self) -> Iterator[list[int]]:
        return map(self.__getitem__, range(len(self.offsets) - 1))


class Family:
    """A tokenizer whose vocabulary can be changed.

    Byte-level BPE (GPT-2, Llama 3, Qwen), BPE over characters with or without byte fallback (Llama 2, Gemma),
    or Unigram (T5, XLM-R).

    Raises:
        TokenizerError: It is of another kind.
    """

    def __init__(self, files: TokenizerFiles) -> None:
        self.files = files
        self.model: dict[str, Any] = files.definition["model"]
        self.is_unigram = _is_unigram(self.model)
        self.is_byte_level = _is_byte_level(files.definition)
        if not self.is_unigram and not self.model.get("merges"):
            raise TokenizerError(
                f"{files.source} has no merges ({self.model.get('type', 'an unknown model')}); only BPE and "
                "Unigram tokenizers can get new tokens that leave the old cuts as they are."
            )
        if self.model.get("continuing_subword_prefix") or self.model.get("end_of_word_suffix"):
            raise TokenizerError(
                f"{files.source} marks where in a word its tokens stand (continuing_subword_prefix or "
                "end_of_word_suffix); such a vocabulary cannot be changed."
            )

    @cached_property
    def names(self) -> dict[int, str]:
        """Id to token, added tokens included."""
        return {number: token for token, number in self.files.vocabulary.items()}

    @cached_property
    def merges(self) -> list[tuple[str, str]]:
        """The pairs that are joined, in order; none for Unigram."""
        return [] if self.is_unigram else [_pair(merge) for merge in self.model["merges"]]

    @cached_property
    def byte_values(self) -> dict[int, int]:
        """Id to the byte that it stands for, of the tokens that unknown characters fall back to."""
        if self.is_byte_level or not self.model.get("byte_fallback"):
            return {}
        found = ((number, _BYTE_TOKEN.fullmatch(token)) for number, token in self.names.items())
        return {number: int(match[1], 16) for number, match in found if match}

    @cached_property
    def untouchable(self) -> frozenset[int]:
        """Ids that are never joined with others and never go: control, added and unknown tokens, bytes."""
        added = {token["id"] for token in self.files.definition.get("added_tokens", ())}
        unknown = self.model.get("unk_id") if self.is_unigram else self.model.get("unk_token")
        if isinstance(unknown, str):
            unknown = self.files.vocabulary.get(unknown)
        return frozenset(
            {*added, *control_tokens(self.files).values(), *self.byte_values}
            | ({unknown} if unknown is not None else set())
        )

    @cached_property
    def word_definition(self) -> dict[str, Any]:
        """tokenizer.json of the model alone: it takes a normalised text as one word."""
        whole = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        model = self.model | ({"dropout": None} if "dropout" in self.model else {})
        return self.files.definition | {
            "model": model,
            "normalizer": None,
            "pre_tokenizer": whole if self.is_byte_level else None,
            "post_processor": None,
            "truncation": None,
            "padding": None,
            "added_tokens": [],
        }

    @cached_property
    def _word_backend(self) -> Reference:
        return Reference(json.dumps(self.word_definition), control_tokens=False)

    def segment(self, words: pa.LargeBinaryArray | list[str]) -> Segmented:
        """How the model cuts each word, with nothing beside it."""
        texts = pa.array(words) if isinstance(words, list) else words
        ids, offsets = self._word_backend.encode(texts.cast(pa.large_string()))
        return Segmented(ids.astype(np.int64), offsets)

    def content(self, token: str) -> bytes:
        """What a token stands for, as normalised text; part of a character where the token is one."""
        if not self.is_byte_level:
            return token.encode()
        return bytes(_BYTES[letter] for letter in token) if set(token) <= _BYTES.keys() else token.encode()

    def text(self, token: str) -> str | None:
        """What a token stands for, as normalised text; None for part of a character."""
        try:
            return self.content(token).decode()
        except UnicodeDecodeError:
            return None

    def word(self, letters: str) -> str:
        """A word as text, of the letters by which a byte-level pre-tokenizer writes it."""
        return self.content(letters).decode() if self.is_byte_level else letters

    def plain_text(self, content: str) -> str:
        """What is to be written for a normalised text."""
        return content if self.is_byte_level else content.replace(SPACE, " ")


def _pair(merge: Any) -> tuple[str, str]:
    """A merge in either form in which files write it."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _is_unigram(model: dict[str, Any]) -> bool:
    return isinstance(model.get("vocab"), list)


def _is_byte_level(definition: dict[str, Any]) -> bool:
    pre = definition.get("pre_tokenizer") or {}
    return any(step.get("type") == "ByteLevel" for step in pre.get("pretokenizers", [pre]))


def _byte_letters() -> dict[str, int]:
    """The letters by which byte-level vocabularies write bytes (GPT-2's `bytes_to_unicode`)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}


_BYTES = _byte_letters()
