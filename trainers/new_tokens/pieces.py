"""New tokens as weighted means of their pieces."""

from collections.abc import Callable, Iterable
from math import exp

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.family import SPACE, Family
from trainers.new_tokens.combinations import Combinations
from trainers.new_tokens.find import Pieces

Weighting = Callable[[Pieces], list[float]]
"""The weight of each piece, to be divided by their sum."""


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
    """By the bytes of text that each piece stands for in the model's own tokenizer."""
    family = Family(own)
    lengths = {number: _bytes(family, number) for number in family.names}
    return lambda pieces: [float(lengths[piece]) for piece in pieces]


def _bytes(family: Family, number: int) -> int:
    if number in family.byte_values:
        return 1
    content = family.content(family.names[number])
    return len(content if family.is_byte_level else content.replace(SPACE.encode(), b" "))


def combine(tokens: Iterable[Pieces], weighting: Weighting) -> Combinations:
    """The weighted means, with weights that add up to one."""
    return Combinations.of((pieces, _shares(weighting(pieces))) for pieces in tokens)


def _shares(weights: list[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]
