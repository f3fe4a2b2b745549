"""A trial extension: learnt on half of the documents, measured on the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.span_tokens import own_tokens
from tokenizer_tools.load import TokenizerError, TokenizerFiles
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.words import WordCounter

SIZES = (1_000, 2_000, 4_000, 8_000)
"""How many new tokens are tried."""
LEARNING_BYTES = 8 << 20
"""About so much text is learnt from at most."""
FEWEST_DOCUMENTS = 20
"""With fewer measured documents no interval is given: it would cover too little."""
CRITICAL = 1.96
"""Standard errors on each side of an interval of 95 %."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Saving:
    """What new tokens save of the old ones on text that they were not learnt from."""

    tokens: int
    """How many new ones."""
    saved: float
    """The share of tokens that is saved."""
    interval: tuple[float, float] | None
    """Of 95 %; None where there are fewer than `FEWEST_DOCUMENTS` documents."""


@dataclass(frozen=True)
class Trial:
    """The tokens of measured documents, without new tokens and with more and more of them."""

    sizes: tuple[int, ...]
    """New tokens, ascending."""
    documents: Counts
    """Which of the texts were measured."""
    before: Counts
    """`[documents]`: tokens of each without new ones."""
    after: Counts
    """`[sizes, documents]`: with so many new ones."""
    learnt_bytes: int
    measured_bytes: int

    @cached_property
    def savings(self) -> list[Saving]:
        """What each number of new tokens saves."""
        return [self.saving(number) for number in range(len(self.sizes))]

    def saving(self, number: int, among: npt.NDArray[np.bool_] | None = None) -> Saving:
        """What the new tokens of one size save on the measured documents, or on some `among` them."""
        before, after = self.before, self.after[number]
        if among is not None:
            before, after = before[among], after[among]
        saved = 1 - after.sum() / before.sum() if before.sum() else 0.0
        return Saving(self.sizes[number], float(saved), _interval(before, after))


def try_extension(
    base: TokenizerFiles, texts: pa.LargeStringArray | pa.ChunkedArray, sizes: Sequence[int] = SIZES
) -> Trial:
    """Learn extensions of several sizes on every other document and encode the rest with each.

    Raises:
        TokenizerError: There are fewer than two documents, the tokenizer cannot be extended, or no two tokens
            stand together twice.
    """
    if len(texts) < 2:
        raise TokenizerError("One document cannot be both learnt from and measured. Give more documents.")
    rows = np.arange(len(texts))
    measured = rows[1::2]
    learning = texts.take(pa.array(rows[:: 2 * ceil(_size(texts) / (2 * LEARNING_BYTES) or 1)]))
    held_out = texts.take(pa.array(measured))
    counter = WordCounter(base)
    counter.add(learning)
    words = counter.counts()
    after: dict[int, Counts] = {}
    for size in sizes:
        extension = VocabularyExtension(tokens=size)
        extended = change_vocabulary(base, words, extension=extension, replacement=None)
        after[len(extended.pieces)] = _tokens(extended.files, held_out)
        if len(extended.pieces) < size:
            break
    return Trial(
        sizes=tuple(after),
        documents=measured,
        before=_tokens(base, held_out),
        after=np.array(list(after.values())),
        learnt_bytes=_size(learning),
        measured_bytes=_size(held_out),
    )


def _tokens(files: TokenizerFiles, texts: pa.ChunkedArray) -> Counts:
    """Tokens of each text, without those that begin and end it."""
    encoder = Encoder.build(files)
    return np.diff(own_tokens(encoder, encoder.encode(texts))[1])


def _size(texts: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(texts)).as_py() or 0)


def _interval(before: Counts, after: Counts) -> tuple[float, float] | None:
    """Of the share that is saved: a ratio of sums over documents (Cochran 1977, Sampling Techniques, 6.4)."""
    documents = len(before)
    if documents < FEWEST_DOCUMENTS or not before.sum():
        return None
    ratio = after.sum() / before.sum()
    residuals = after - ratio * before
    error = sqrt(documents / (documents - 1) * float(residuals @ residuals)) / float(before.sum())
    return float(1 - ratio - CRITICAL * error), float(1 - ratio + CRITICAL * error)
