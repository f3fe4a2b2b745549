"""Language identification with a fastText model such as lid.176 (Joulin et al. 2016) or GlotLID."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language.fasttext import FastText
from filters.language.language_codes import UNKNOWN, language_code
from filters.text.characters import LETTER, character_classes, decode, width
from filters.text.kernel import driver
from filters.text.texts import Texts, text_buffers

VERSION = 1

SAMPLE_BYTES = 8192
"""Of a longer document its beginning, middle and end are read; see `STRETCHES`."""

_FEWEST_LETTER_BYTES = 10
"""Bytes of UTF-8 that the letters of a text must have: ten Latin, five Cyrillic or four Chinese letters."""

LOW_SCORE, NOT_KEPT = "language.low_score", "language.not_kept"
"""Why a document is dropped: its language is not clear, or not wanted."""


@dataclass(frozen=True, eq=False)
class LanguageIdentifier:
    """Tells the language of documents."""

    model: FastText
    codes: tuple[str, ...]
    """The language of each label of the model."""

    @classmethod
    def build(cls, model: FastText) -> LanguageIdentifier:
        """From a model whose labels are languages."""
        return cls(model, tuple(map(language_code, model.labels)))

    def identify(self, texts: Texts) -> pa.Table:
        """The likeliest language of each text, and its probability by the model.

        Args:
            texts: A string or large_string column without nulls.

        Returns:
            `language` string and `language_score` float32, a row a text; `UNKNOWN` and 0 where the text has
            too few letters.
        """
        labels, scores = self.model.predict(texts, SAMPLE_BYTES)
        buffers = text_buffers(texts)
        clear = labels >= 0
        _require_letters(buffers.data, buffers.offsets, character_classes(), clear)
        names = pa.array([*self.codes, UNKNOWN])
        language = names.take(pa.array(np.where(clear, labels, len(self.codes))))
        return pa.table({"language": language, "language_score": np.where(clear, scores, np.float32(0))})


@driver
def _require_letters(data, offsets, classes, clear):
    """Sets `clear` to False for each document with too few bytes of letters; reads no more than it must."""
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
        found = 0
        while at < end and found < _FEWEST_LETTER_BYTES:
            size = width(data[at])
            if classes[decode(data, at, end)] & LETTER:
                found += size
            at += size
        if found < _FEWEST_LETTER_BYTES:
            clear[document] = False


@dataclass(frozen=True)
class LanguageRule:
    """Which languages stay, and how sure one must be of a language."""

    min_score: float = 0.65
    """The smallest score with which a language is believed; FineWeb's (Penedo et al. 2024)."""
    keep: tuple[str, ...] | None = None
    """The codes of the languages that stay; None drops nothing."""

    def failed(self, identified: pa.Table) -> pa.StringArray:
        """For each document `LOW_SCORE` or `NOT_KEPT`, null where it stays."""
        if self.keep is None:
            return pa.nulls(identified.num_rows, pa.string())
        wanted = pc.is_in(identified.column("language"), value_set=pa.array(self.keep, pa.string()))
        reasons = pc.make_struct(pc.invert(self._believed(identified)), pc.invert(wanted))
        return pc.case_when(reasons, LOW_SCORE, NOT_KEPT).combine_chunks()

    def believed(self, identified: pa.Table) -> pa.StringArray:
        """The language of each document, `UNKNOWN` where the score is too low."""
        language = identified.column("language")
        return pc.if_else(self._believed(identified), language, UNKNOWN).combine_chunks()

    def _believed(self, identified: pa.Table) -> pa.ChunkedArray:
        return pc.greater_equal(identified.column("language_score"), pa.scalar(self.min_score, pa.float32()))
