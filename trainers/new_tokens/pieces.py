"""New tokens as weighted means of their pieces."""

import re
from collections.abc import Callable, Iterable, Mapping
from math import exp
from typing import Any

from tokenizer_tools.load import TokenizerFiles
from trainers.new_tokens.combinations import Combinations
from trainers.new_tokens.find import Pieces

Weighting = Callable[[Pieces], list[float]]
"""The weight of each piece, to be divided by their sum."""
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def mean(pieces: Pieces) -> list[float]:
    """All the same (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models")."""
    return [1.0] * len(pieces)


def later(pieces: Pieces) -> list[float]:
    """e² times that of the piece before: at its last piece a model has read the whole token.

    (Nakash et al. 2025, "AdaptiVocab", for input embeddings.)
    """
    return [exp(2.0 * (number - len(pieces))) for number in range(len(pieces))]


def earlier(pieces: Pieces) -> list[float]:
    """e² times that of the piece after: a model that is to say the token would have said its first piece.

    (AdaptiVocab, for the output head.)
    """
    return later(pieces)[::-1]


def longer(own: TokenizerFiles) -> Weighting:
    """The bytes of text that each piece stands for in the model's own tokenizer."""
    steps = (own.definition.get("decoder") or {}, own.definition.get("pre_tokenizer") or {})
    byte_level = any("ByteLevel" in (part["type"] for part in _parts(step)) for step in steps)
    lengths = {number: _bytes(token, byte_level) for token, number in own.vocabulary.items()}
    return lambda pieces: [float(lengths[piece]) for piece in pieces]


def _parts(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of a sequence, or the one that there is."""
    return [*step.get("decoders", ()), *step.get("pretokenizers", ())] or ([step] if step else [])


def _bytes(token: str, byte_level: bool) -> int:
    """Byte-level tokens have a letter for each byte; others stand for themselves, or for a byte by number."""
    if byte_level or not token:
        return max(1, len(token))
    return 1 if _BYTE.fullmatch(token) else len(token.replace("▁", " ").encode())


def combine(tokens: Iterable[Pieces], weighting: Weighting) -> Combinations:
    """The weighted means, with weights that add up to one."""
    return Combinations.of((pieces, _shares(weighting(pieces))) for pieces in tokens)


def _shares(weights: list[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]
