"""How often each word of a corpus occurs, where a tokenizer never joins a word with what is beside it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.encode import control_tokens, encoding_definition
from tokenizer_tools.fast.cutting import UnknownTokenizerError
from tokenizer_tools.fast.word_table import STRETCH, WordTable
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.family import SPACE, Family

MOST_WORDS = 1 << 22
"""Distinct words that are held at most."""

TABLE_BYTES = 256 << 20
"""Memory of the tables in which words are first counted."""

_PIECE = re.compile(rf"\n+|{SPACE}*[^{SPACE}\n]+|{SPACE}+")
"""A word of a text in which spaces are letters: new tokens cross neither its spaces nor its lines."""


@dataclass(frozen=True)
class WordCounts:
    """Distinct words, sorted, how often each occurs, and how widely; weighted numbers need not be whole."""

    words: pa.LargeBinaryArray
    """UTF-8 of the normalised text."""
    counts: npt.NDArray[np.float64]
    stretches: npt.NDArray[np.float64]
    """The stretches that hold it: each 16 KiB of a normalised text, from its beginning on, are one."""

    @property
    def worth(self) -> npt.NDArray[np.float64]:
        """What it is worth to shorten each word: the geometric mean of occurrences and stretches.

        A word that is in one file a thousand times, such as a table's, saves much there and nothing
        elsewhere; one that is in a hundred files ten times will be met again (words come in bursts; Church
        and Gale 1995, "Poisson mixtures"). On held-out text this gives about as many bytes per token as plain
        counts or more, and mostly more of the new tokens are used (docs/tokenizers.md).
        """
        return np.sqrt(self.counts * self.stretches)


class WordCounter:
    """Counts the words of texts, for each group of texts apart, in bounded memory.

    Beyond MOST_WORDS distinct ones the rarest are dropped: first those seen once, and so on until half are
    left. Only then does it matter in which order texts come.

    Raises:
        TokenizerError: The base is of a kind whose vocabulary cannot be changed.
    """

    def __init__(self, base: TokenizerFiles) -> None:
        self._family = Family(base)
        self._tables: dict[str, WordTable | _ReferenceTable] = {}
        self._groups: dict[str, WordCounts] = {}

    def add(self, texts: pa.LargeStringArray | pa.ChunkedArray, group: str = "") -> None:
        """Count the words of texts of a group. Nulls count as no text."""
        for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
            if group not in self._tables:
                self._tables[group] = _new_table(self._family)
            self._tables[group].add(chunk.cast(pa.large_string()))
            if sum(table.nbytes for table in self._tables.values()) > TABLE_BYTES:
                self._gather()

    def counts(self, weights: Mapping[str, float] | None = None) -> WordCounts:
        """The words of all groups.

        Args:
            weights: Group to its relative weight in tokens of the base: counts are scaled so that each group
                has its share, and all together as many tokens as there were. A group without a weight counts
                nothing; one without words leaves its share to the others. None: counts as they are.
        """
        self._gather()
        groups = {name: words for name, words in sorted(self._groups.items()) if len(words.counts)}
        if weights is not None:
            weighted = {name: words for name, words in groups.items() if weights.get(name, 0) > 0}
            groups = self._scaled(weighted, weights)
        return _merged(groups.values())

    def _gather(self) -> None:
        """Take the words out of the tables, and drop the rarest where they are too many."""
        for name, table in self._tables.items():
            words, *numbers = table.words()
            counted = WordCounts(words, *(each.astype(np.float64) for each in numbers))
            self._groups[name] = _merged([self._groups[name], counted] if name in self._groups else [counted])
        self._tables.clear()
        seen = 0
        while sum(len(words.counts) for words in self._groups.values()) > MOST_WORDS // (2 if seen else 1):
            seen += 1
            self._groups = {name: _more_than(words, seen) for name, words in self._groups.items()}

    def _scaled(self, groups: dict[str, WordCounts], weights: Mapping[str, float]) -> dict[str, WordCounts]:
        tokens = {
            name: float(np.diff(self._family.segment(counted.words).offsets) @ counted.counts)
            for name, counted in groups.items()
        }
        unit = sum(tokens.values()) / (sum(weights[name] for name in groups) or 1)
        factors = {name: weights[name] * unit / tokens[name] for name in groups}
        return {
            name: WordCounts(counted.words, counted.counts * factors[name], counted.stretches * factors[name])
            for name, counted in groups.items()
        }


class _Tally:
    """Of one word."""

    __slots__ = ("_last", "count", "stretches")

    def __init__(self) -> None:
        self.count = self.stretches = 0
        self._last: tuple[int, int] | None = None

    def add(self, stretch: tuple[int, int]) -> None:
        """It occurs in this stretch, or once more in the last."""
        self.count += 1
        self.stretches += stretch != self._last
        self._last = stretch


def _new_table(family: Family) -> "WordTable | _ReferenceTable":
    """The compiled table where it knows how the words of a byte-level tokenizer are cut."""
    if family.is_byte_level:
        try:
            return WordTable(encoding_definition(family.files))
        except UnknownTokenizerError:
            pass
    return _ReferenceTable(family)


class _ReferenceTable:
    """Words as the tokenizers library cuts them."""

    def __init__(self, family: Family) -> None:
        from tokenizers import Tokenizer

        self._family = family
        self._tokenizer = Tokenizer.from_str(family.files.tokenizer_json.decode())
        self._kept_whole = _kept_whole(family.files)
        self._tallies: dict[str, _Tally] = {}
        self._texts = 0

    def add(self, texts: pa.LargeStringArray) -> None:
        """Count the words of texts."""
        for text in texts.drop_null().to_pylist():
            self._texts += 1
            at = 0
            for part in self._kept_whole.split(text) if self._kept_whole else [text]:
                for word in self._words(part):
                    self._tallies.setdefault(word, _Tally()).add((self._texts, at // STRETCH))
                    at += len(word) if word.isascii() else len(word.encode())

    def words(self) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The words, their counts, and how many stretches hold them."""
        texts = pa.array(map(self._family.word, self._tallies), pa.large_string()).cast(pa.large_binary())
        tallies = self._tallies.values()
        counts = np.array([tally.count for tally in tallies], np.int64)
        return texts, counts, np.array([tally.stretches for tally in tallies], np.int64)

    @property
    def nbytes(self) -> int:
        """About as many bytes of memory as the words take."""
        return 350 * len(self._tallies)

    def _words(self, text: str) -> Iterator[str]:
        """The pieces of text that the tokenizer never joins with others; none where it breaks down."""
        try:
            if self._tokenizer.normalizer is not None:
                text = self._tokenizer.normalizer.normalize_str(text)
            pieces = [text]
            if self._tokenizer.pre_tokenizer is not None:
                pieces = [piece for piece, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException:  # a panic in the library: the pattern ran away
            return iter(())
        if self._family.is_byte_level:
            return iter(pieces)
        return (word for piece in pieces for word in _PIECE.findall(piece))


def _kept_whole(base: TokenizerFiles) -> re.Pattern[str] | None:
    """The added tokens that text may spell: they are taken out before anything is cut."""
    control = control_tokens(base)
    added = {token["content"] for token in base.definition.get("added_tokens", ())} - control.keys()
    longest_first = sorted(filter(None, added), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _more_than(words: WordCounts, seen: int) -> WordCounts:
    kept = words.counts > seen
    return WordCounts(words.words.filter(pa.array(kept)), words.counts[kept], words.stretches[kept])


def _merged(groups: Iterable[WordCounts]) -> WordCounts:
    tables = [
        pa.table({"words": group.words, "counts": group.counts, "stretches": group.stretches})
        for group in groups
    ]
    names = pa.schema({"words": pa.large_binary(), "counts": pa.float64(), "stretches": pa.float64()})
    table = pa.concat_tables([names.empty_table(), *tables]).group_by("words", use_threads=False)
    summed = table.aggregate([("counts", "sum"), ("stretches", "sum")]).sort_by("words").combine_chunks()
    words = summed.column("words").combine_chunks()
    counts, stretches = (summed.column(name).to_numpy() for name in ("counts_sum", "stretches_sum"))
    return WordCounts(words, counts, stretches)
