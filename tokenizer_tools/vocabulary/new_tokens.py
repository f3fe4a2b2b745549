"""The tokens that shorten words most, with their names and what they are made of."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import compiled
from tokenizer_tools.vocabulary.changed import Pieces
from tokenizer_tools.vocabulary.family import Family, Segmented
from tokenizer_tools.vocabulary.learn import Join, Learner, Symbols
from tokenizer_tools.vocabulary.words import WordCounts


@dataclass(frozen=True)
class NewToken:
    """A token that is learnt, before it has an id."""

    name: str
    merge: tuple[str, str] | None
    """The names of the two tokens that make it; None for a character that was bytes."""
    pieces: Pieces
    """The base's ids for the same text."""
    gain: float
    """How many tokens it saves in the words."""
    word: int
    """A word in which it was learnt, by its place among all."""
    start: int
    """The byte of that word where it begins."""


def learn_tokens(family: Family, words: WordCounts, segmented: Segmented) -> Iterator[NewToken]:
    """New tokens, those first that are worth most, until no two tokens stand side by side twice.

    A name is never given twice. Where the base looks up whole words, or chooses among all ways to cut, a
    token is learnt only if the base cuts its text into the same pieces when it stands alone.
    """
    ids, offsets, characters = _characters_joined(family, segmented)
    naming = _Naming(family, characters)
    fixed = np.zeros(naming.first_new, bool)
    fixed[[*family.untouchable, *characters]] = True
    savings = {symbol: len(pieces) - 1 for symbol, pieces in characters.items()}
    learner = Learner(ids, offsets, words.worth, fixed, savings)
    for join in learner.learn(naming.may_join):
        where = np.searchsorted(offsets, join.at, side="right") - 1
        gain = float(words.counts[where].sum()) * savings.get(join.parts[0], 1)
        yield naming.named(join, gain, int(where[0]), ids[offsets[where[0]] : join.at[0]])


def _characters_joined(
    family: Family, segmented: Segmented
) -> tuple[Symbols, npt.NDArray[np.int64], dict[int, Pieces]]:
    """The words with one symbol for each character that fell back to several bytes, and their bytes."""
    ids = segmented.ids.astype(np.int32)
    if family.is_unigram or not family.byte_values:
        return ids, segmented.offsets, {}
    first = max(family.names) + 1
    byte_of = np.full(first, _NO_BYTE)
    byte_of[list(family.byte_values)] = list(family.byte_values.values())
    codes = character_codes(ids, byte_of)
    joined, kept = codes > 0xFF, codes != _FOLLOWS
    found, symbols = np.unique(codes[joined], return_inverse=True)
    ids[joined] = first + symbols
    id_of = {value: number for number, value in family.byte_values.items()}
    characters = {
        first + at: tuple(id_of[byte] for byte in int(code).to_bytes(4, "big").lstrip(b"\0"))
        for at, code in enumerate(found)
    }
    return ids[kept], np.concatenate([[0], np.cumsum(kept)])[segmented.offsets], characters


_NO_BYTE, _FOLLOWS = -1, -2


@compiled
def character_codes(ids: Symbols, byte_of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each id the bytes of the character that begins with it, as one number; _FOLLOWS for the others."""
    codes = np.full(len(ids), _NO_BYTE)
    begins = -1
    for at in range(len(ids)):
        byte = byte_of[ids[at]]
        if byte >= 0 and byte & 0xC0 == 0x80 and begins >= 0:
            codes[begins] = codes[begins] << 8 | byte
            codes[at] = _FOLLOWS
        else:
            codes[at] = byte
            begins = at if byte >= 0 else -1
    return codes


class _Naming:
    """Names, bytes and pieces of symbols: the base's ids, characters that were bytes, and new tokens."""

    def __init__(self, family: Family, characters: dict[int, Pieces]) -> None:
        from tokenizers import Tokenizer

        bytes_of = family.byte_values
        self._family = family
        self._names = dict(family.names)
        self._pieces: dict[int, Pieces] = {number: (number,) for number in family.names}
        self._taken = set(family.files.vocabulary)
        for symbol, pieces in characters.items():
            self._names[symbol] = bytes(bytes_of[piece] for piece in pieces).decode()
            self._pieces[symbol] = pieces
        self._sizes = {number: 1 for number in bytes_of}
        self.first_new = max(self._names) + 1
        self._new = self.first_new
        self._model = Tokenizer.from_str(json.dumps(family.word_definition)).model
        self._must_stand_alone = family.is_unigram or bool(family.model.get("ignore_merges"))

    def may_join(self, parts: tuple[int, ...]) -> bool:
        """Whether the joined text is no token yet, and standing alone is cut into the same pieces."""
        name, pieces = self._joined(parts)
        if name in self._taken:
            return False
        return not self._must_stand_alone or pieces == tuple(token.id for token in self._model.tokenize(name))

    def named(self, join: Join, gain: float, word: int, before: Symbols) -> NewToken:
        """Name the next new symbol, of a word where `before` stands before it."""
        name, pieces = self._joined(join.parts)
        left, *right = (self._names[part] for part in join.parts)
        start = sum(map(self._size, before.tolist()))
        self._names[self._new], self._pieces[self._new] = name, pieces
        self._taken.add(name)
        self._new += 1
        return NewToken(name, (left, right[0]) if right else None, pieces, gain, word, start)

    def _joined(self, parts: tuple[int, ...]) -> tuple[str, Pieces]:
        name = "".join(self._names[part] for part in parts)
        return name, tuple(piece for part in parts for piece in self._pieces[part])

    def _size(self, symbol: int) -> int:
        """How many bytes of text a symbol stands for."""
        return self._sizes.get(symbol) or len(self._family.content(self._names[symbol]))
