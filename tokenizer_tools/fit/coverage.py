"""How a tokenizer encodes texts: one row of measures a group of texts, and the terms that split worst."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.renyi import renyi_efficiency
from tokenizer_tools.fit.scripts import missing_scripts, tokens_by_script
from tokenizer_tools.fit.span_tokens import SpanTokens, alone, overlapping, own_tokens
from tokenizer_tools.fit.token_bytes import TokenBytes
from tokenizer_tools.fit.words import FlatTexts, Spans, terms_of, words_of

VERSION = 1
"""To be raised when the same texts and tokenizer give other measures."""

FEW_TOKENS = 2
"""A word is cut well in at most so many; the report of T-pro 2.0 counts Russian words so."""
WORST_TERMS = 20
LONGEST_TERM = 64
"""Characters: what is longer is no word but an address, a key or a line without spaces."""


@dataclass(frozen=True)
class Term:
    """A word that costs many tokens."""

    term: str
    count: int
    tokens: float
    """Per occurrence, on average."""
    pieces: list[str]
    r"""The tokens of an occurrence like most; a byte that is no whole character is written ``\xd0``."""


class Fit:
    """A tokenizer on texts: encoded once, to be measured by several groupings.

    A *word* is a run of characters between white space. Its tokens are those that overlap it, and so are part
    of it at least; `the` and `,` of `the,` are two. Where a tokenizer changes texts, so that its tokens do
    not add up to them (WordPiece, Unigram with a map of characters), they are those of the word by itself.
    """

    def __init__(self, encoder: Encoder, texts: pa.LargeStringArray | pa.ChunkedArray) -> None:
        self._encoder = encoder
        self._tokens = TokenBytes.of(encoder.files)
        self.ids, self.offsets = own_tokens(encoder, encoder.encode(texts))
        self._bytes, self._characters = pc.binary_length(texts), pc.utf8_length(texts)
        flat = FlatTexts.of(pc.utf8_normalize(texts, form="NFC") if self._tokens.composes else texts)
        self._words = words_of(flat)
        self._word_tokens = self._tokens_of(self._words)

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return len(self._tokens.texts)

    def by(self, groups: pa.Array | None = None) -> pa.Table:
        """The measures, one row per group, sorted by group; without `groups` one group, `all`.

        `groups` names the group of each text, by strings or numbers without nulls.

        Columns: group; documents; bytes (UTF-8); characters; words; tokens (the texts' own, without begin and
        end token); words_in_two (words in at most two tokens); single_byte_tokens (each one byte of a longer
        character); unknown_tokens; used_tokens (distinct ids); unused_tokens (ids of the vocabulary that do
        not occur); bytes_per_token; characters_per_token; fertility (tokens per word); and the shares
        words_in_two_share (of words), single_byte_share, unknown_share (of tokens), unused_share (of the
        vocabulary); renyi_efficiency. What there is nothing to divide by for is not finite. Counts of groups
        add up to those of all, but for used and unused tokens.
        """
        named = groups.to_pylist() if groups is not None else ["all"] * (len(self.offsets) - 1)
        names, group = np.unique(named, return_inverse=True)
        of_token, of_word = np.repeat(group, np.diff(self.offsets)), group[self._words.text]
        in_two = (self._word_tokens.count > 0) & (self._word_tokens.count <= FEW_TOKENS)
        wide = self._encoder.max_id + 1
        used, counts = np.unique(of_token * wide + self.ids, return_counts=True)

        def total(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
            return np.bincount(group, weights=values, minlength=len(names)).astype(np.int64)

        def count(of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            return np.bincount(of, minlength=len(names))

        columns = {
            "group": pa.array(names.tolist()),
            "documents": count(group),
            "bytes": total(self._bytes),
            "characters": total(self._characters),
            "words": count(of_word),
            "tokens": count(of_token),
            "words_in_two": count(of_word[in_two]),
            "single_byte_tokens": count(of_token[self._tokens.parts[self.ids]]),
            "unknown_tokens": count(of_token[self.ids == self._encoder.unknown_id]),
            "used_tokens": count(used // wide),
        }
        columns["unused_tokens"] = self.vocabulary - columns["used_tokens"]
        with np.errstate(invalid="ignore", divide="ignore"):
            columns |= {
                "bytes_per_token": columns["bytes"] / columns["tokens"],
                "characters_per_token": columns["characters"] / columns["tokens"],
                "fertility": columns["tokens"] / columns["words"],
                "words_in_two_share": columns["words_in_two"] / columns["words"],
                "single_byte_share": columns["single_byte_tokens"] / columns["tokens"],
                "unknown_share": columns["unknown_tokens"] / columns["tokens"],
                "unused_share": columns["unused_tokens"] / self.vocabulary,
            }
        columns["renyi_efficiency"] = renyi_efficiency(counts, used // wide, len(names), self.vocabulary)
        return pa.table(columns)

    def worst_terms(self, number: int = WORST_TERMS) -> list[Term]:
        """The terms that cost most tokens beyond one for each occurrence, the most costly first.

        A term is a word without the signs around it; it occurs twice at least.
        """
        terms = terms_of(self._words)
        tokens = self._tokens_of(terms)
        occurrences = np.bincount(terms.number, minlength=len(terms.distinct))
        spent = np.bincount(terms.number, weights=tokens.count, minlength=len(terms.distinct))
        long = pc.utf8_length(terms.distinct).to_numpy() > LONGEST_TERM
        excess = np.where(long | (occurrences < 2), 0, spent - occurrences)
        worst = np.argsort(-excess, kind="stable")[:number]
        typical = np.flatnonzero(tokens.count == np.rint(spent / occurrences)[terms.number])
        example = np.zeros(len(terms.distinct), np.int64)
        example[terms.number] = np.arange(len(terms.number))
        example[terms.number[typical]] = typical
        return [
            Term(
                terms.distinct[int(term)].as_py(),
                int(occurrences[term]),
                float(spent[term] / occurrences[term]),
                self._pieces(tokens, int(example[term])),
            )
            for term in worst
            if excess[term] > 0
        ]

    def unneeded_scripts(self) -> dict[str, int]:
        """The tokens of each script that the texts do without, and that do not occur in them.

        Most tokens first; those that are no whole characters are not counted.
        """
        missing = missing_scripts(self._words)
        return tokens_by_script(
            self._tokens.texts.keys() - set(np.unique(self.ids).tolist()), self._tokens, missing
        )

    def _tokens_of(self, spans: Spans) -> SpanTokens:
        if self._tokens.lengths is None:
            return alone(spans, self._encoder)
        return overlapping(spans, self.ids, self.offsets, self._tokens.lengths)

    def _pieces(self, tokens: SpanTokens, span: int) -> list[str]:
        start = tokens.first[span]
        return [self._tokens.shown(int(each)) for each in tokens.ids[start : start + tokens.count[span]]]


def fit_of(
    encoder: Encoder, texts: pa.LargeStringArray | pa.ChunkedArray, groups: pa.Array | None = None
) -> pa.Table:
    """Measure how texts are encoded, one row per group: the columns of `Fit.by`."""
    return Fit(encoder, texts).by(groups)
