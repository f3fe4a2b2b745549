"""How often each word of a corpus occurs, where a tokenizer never joins a word with what is beside it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer_tools.encode import control_tokens, encoding_definition
from tokenizer_tools.fast.cutting import UnknownTokenizerError
from tokenizer_tools.fast.word_table import WordTable
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
    """Distinct words, sorted, and how often each occurs; weighted counts need not be whole."""

    words: pa.LargeBinaryArray
    """UTF-8 of the normalised text."""
    counts: npt.NDArray[np.float64]


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
            words, counts = table.words()
            counted = WordCounts(words, counts.astype(np.float64))
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
        return {
            name: WordCounts(counted.words, counted.counts * (weights[name] * unit / tokens[name]))
            for name, counted in groups.items()
        }


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
        self._counts: Counter[str] = Counter()

    def add(self, texts: pa.LargeStringArray) -> None:
        """Count the words of texts."""
        for text in texts.drop_null().to_pylist():
            for part in self._kept_whole.split(text) if self._kept_whole else [text]:
                self._counts.update(self._words(part))

    def words(self) -> tuple[pa.LargeBinaryArray, npt.NDArray[np.int64]]:
        """The words and their counts."""
        texts = pa.array(map(self._family.word, self._counts), pa.large_string()).cast(pa.large_binary())
        return texts, np.fromiter(self._counts.values(), np.int64, len(self._counts))

    @property
    def nbytes(self) -> int:
        """About as many bytes of memory as the words take."""
        return 200 * len(self._counts)

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
    return WordCounts(words.words.filter(pa.array(kept)), words.counts[kept])


def _merged(groups: Iterable[WordCounts]) -> WordCounts:
    tables = [pa.table({"words": group.words, "counts": group.counts}) for group in groups]
    empty = pa.table({"words": pa.array([], pa.large_binary()), "counts": pa.array([], pa.float64())})
    table = pa.concat_tables([empty, *tables]).group_by("words", use_threads=False)
    summed = table.aggregate([("counts", "sum")]).sort_by("words").combine_chunks()
    words = summed.column("words").combine_chunks()
    return WordCounts(words, summed.column("counts_sum").to_numpy())
