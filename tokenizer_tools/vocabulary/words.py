"""How often each word of a corpus occurs, where a tokenizer never joins a word with what is beside it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.encode import control_tokens
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.family import SPACE, Family

MOST_WORDS = 1 << 21
"""Distinct words that are held at most."""

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
        from tokenizers import Tokenizer

        self._family = Family(base)
        self._tokenizer = Tokenizer.from_str(base.tokenizer_json.decode())
        self._kept_whole = _kept_whole(base)
        self._groups: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, texts: pa.LargeStringArray | pa.ChunkedArray, group: str = "") -> None:
        """Count the words of texts of a group. Nulls count as no text."""
        words = self._groups[group]
        for text in texts.drop_null().to_pylist():
            for part in self._kept_whole.split(text) if self._kept_whole else [text]:
                words.update(self._words(part))
            self._bound()

    def counts(self, weights: Mapping[str, float] | None = None) -> WordCounts:
        """The words of all groups.

        Args:
            weights: Group to its relative weight in tokens of the base: counts are scaled so that each group
                has its share, and all together as many tokens as there were. A group without a weight counts
                nothing; one without words leaves its share to the others. None: counts as they are.
        """
        groups = {name: self._counted(words) for name, words in sorted(self._groups.items()) if words}
        if weights is not None:
            weighted = {name: words for name, words in groups.items() if weights.get(name, 0) > 0}
            groups = self._scaled(weighted, weights)
        return _merged(groups.values())

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

    def _bound(self) -> None:
        seen = 0
        while sum(map(len, self._groups.values())) > (MOST_WORDS // 2 if seen else MOST_WORDS):
            seen += 1
            for name, words in self._groups.items():
                self._groups[name] = Counter({word: count for word, count in words.items() if count > seen})

    def _counted(self, words: Counter[str]) -> WordCounts:
        texts = pa.array(map(self._family.word, words), pa.large_string()).cast(pa.large_binary())
        return _sorted(texts, np.fromiter(words.values(), np.float64, len(words)))

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


def _kept_whole(base: TokenizerFiles) -> re.Pattern[str] | None:
    """The added tokens that text may spell: they are taken out before anything is cut."""
    control = control_tokens(base)
    added = {token["content"] for token in base.definition.get("added_tokens", ())} - control.keys()
    longest_first = sorted(filter(None, added), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _sorted(words: pa.LargeBinaryArray, counts: npt.NDArray[np.float64]) -> WordCounts:
    order = pc.array_sort_indices(words)
    return WordCounts(words.take(order), counts[order.to_numpy()])


def _merged(groups: Iterable[WordCounts]) -> WordCounts:
    tables = [pa.table({"words": group.words, "counts": group.counts}) for group in groups]
    empty = pa.table({"words": pa.array([], pa.large_binary()), "counts": pa.array([], pa.float64())})
    table = pa.concat_tables([empty, *tables]).group_by("words", use_threads=False)
    summed = table.aggregate([("counts", "sum")]).sort_by("words").combine_chunks()
    words = summed.column("words").combine_chunks()
    return WordCounts(words, summed.column("counts_sum").to_numpy())
