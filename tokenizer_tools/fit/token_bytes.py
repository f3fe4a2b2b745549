"""What each token of a vocabulary stands for in the bytes of a text."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tokenizer_tools.encode import encoding_definition
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.span_masks import normal_form, token_bytes

_SPACE = "▁"
"""How pieces of the SentencePiece kind write a space."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class TokenBytes:
    """A vocabulary, id by id."""

    texts: dict[int, bytes]
    """What a token writes; of kinds that write no bytes its name."""
    lengths: npt.NDArray[np.int64] | None
    """The bytes of text that a token covers; None where tokens need not add up to the text."""
    parts: npt.NDArray[np.bool_]
    """Whether a token is one byte of a longer character."""
    composes: bool
    """Whether the tokenizer brings text into the form NFC first."""

    @classmethod
    def of(cls, files: TokenizerFiles) -> "TokenBytes":
        """Of a tokenizer's vocabulary, added tokens included."""
        definition = encoding_definition(files)
        byte_level, pieces = _is_byte_level(definition), _are_pieces(definition)
        added = {token["id"] for token in definition["added_tokens"]}
        texts = {
            number: name.encode() if number in added else _written(name, byte_level)
            for name, number in files.vocabulary.items()
        }
        size = max(texts) + 1
        parts = np.zeros(size, bool)
        parts[[number for number, text in texts.items() if len(text) == 1 and text[0] >= 0x80]] = True
        lengths = token_bytes(definition)
        if lengths is None and pieces:
            lengths = np.zeros(size, np.int64)
            lengths[list(texts)] = [len(text) for text in texts.values()]
        return cls(texts, lengths, parts, normal_form(definition) == "NFC")

    def shown(self, number: int) -> str:
        r"""What a token writes, with bytes that are no whole characters as ``\xd0``."""
        return self.texts[number].decode(errors="backslashreplace")


def _letters_of_bytes() -> dict[str, int]:
    """The letters by which byte-level vocabularies write bytes (GPT-2, Radford et al. 2019)."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTE_OF_LETTER = _letters_of_bytes()


def _written(name: str, byte_level: bool) -> bytes:
    if byte_level and all(letter in _BYTE_OF_LETTER for letter in name):
        return bytes(_BYTE_OF_LETTER[letter] for letter in name)
    if found := _BYTE.fullmatch(name):
        return bytes([int(found[1], 16)])
    return name.replace(_SPACE, " ").encode()


def _steps(step: dict[str, Any] | None, within: str) -> list[dict[str, Any]]:
    """The steps of a sequence, or the only one."""
    return step.get(within, [step]) if step else []


def _is_byte_level(definition: dict[str, Any]) -> bool:
    steps = _steps(definition.get("pre_tokenizer"), "pretokenizers")
    return any(step["type"] == "ByteLevel" for step in steps)


def _are_pieces(definition: dict[str, Any]) -> bool:
    """Whether pieces with byte fallback add up to the text, but for a space that is put before it."""
    normalizers = _steps(definition.get("normalizer"), "normalizers")
    keeping = all(
        step["type"] == "Prepend"
        or (step["type"] == "Replace" and step["pattern"] == {"String": " "} and step["content"] == _SPACE)
        for step in normalizers
    )
    eats_space = any(token.get("lstrip") or token.get("rstrip") for token in definition["added_tokens"])
    return bool(definition["model"].get("byte_fallback")) and keeping and not eats_space
