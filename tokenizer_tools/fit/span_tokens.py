"""Which tokens make up each word."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer_tools.backends import Ids, Offsets
from tokenizer_tools.encode import Encoded, Encoder
from tokenizer_tools.fit.words import Spans


@dataclass(frozen=True)
class SpanTokens:
    """The tokens of spans: of span i they are ids[first[i]:first[i] + count[i]]."""

    ids: Ids
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]


def own_tokens(encoder: Encoder, encoded: Encoded) -> tuple[Ids, Offsets]:
    """The texts' own ids and offsets, without begin and end token."""
    own = np.ones(len(encoded.ids), bool)
    own[encoded.offsets[1:] - 1] = False
    if encoder.begin_id is not None:
        own[encoded.offsets[:-1]] = False
    return encoded.ids[own], encoded.offsets - encoder.added_tokens * np.arange(len(encoded.offsets))


def overlapping(spans: Spans, ids: Ids, offsets: Offsets, lengths: npt.NDArray[np.int64]) -> SpanTokens:
    """The tokens that overlap each span, by the bytes that every token of the texts covers.

    A tokenizer may put one space before a text. The spans of a text whose tokens do not add up to it get
    none: the encoder broke down on it, or the text holds what only looks like the tokenizer's own spaces.
    """
    ends = np.concatenate([[0], np.cumsum(lengths[ids])])
    bounds = spans.texts.offsets
    before = np.diff(ends[offsets]) - np.diff(bounds)
    adds_up = (before == 0) | (before == 1)
    text_of_token = np.repeat(np.arange(len(bounds) - 1), np.diff(offsets))
    shift = (bounds[:-1] - ends[offsets[:-1]] - before)[text_of_token]
    placed = adds_up[text_of_token]
    starts = np.maximum(ends[:-1] + shift, bounds[text_of_token])[placed]
    stops = (ends[1:] + shift)[placed]
    first = np.searchsorted(stops, spans.starts, side="right")
    count = np.searchsorted(starts, spans.stops, side="left") - first
    return SpanTokens(ids[placed], first, np.where(adds_up[spans.text], count, 0))


def alone(spans: Spans, encoder: Encoder) -> SpanTokens:
    """The tokens that each span has as a text of its own."""
    ids, offsets = own_tokens(encoder, encoder.encode(spans.distinct))
    return SpanTokens(ids, offsets[:-1][spans.number], np.diff(offsets)[spans.number])
