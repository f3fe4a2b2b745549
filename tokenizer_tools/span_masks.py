"""Encoding rendered text, with the tokens that cover given spans of its characters, or begin in them."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import override

from tokenizer_tools.backends import Backend, Ids, Offsets, Reference
from tokenizer_tools.span_kernels import mark_tokens

Mask = npt.NDArray[np.uint8]
Span = tuple[int, int]
"""First character and the one after the last."""


@dataclass(frozen=True)
class Spans:
    """Spans of many texts, none empty: those of text i are from offsets[i] to offsets[i + 1].

    They are counted in bytes of their text.
    """

    offsets: Offsets
    starts: Offsets
    stops: Offsets

    @classmethod
    def of(cls, texts: list[str], spans: list[list[Span]]) -> "Spans":
        """Those that are given in characters."""
        filled = [[span for span in each if span[0] < span[1]] for each in spans]
        edges = [
            len(text[:edge].encode())
            for text, each in zip(texts, filled, strict=True)
            for span in each
            for edge in span
        ]
        starts, stops = np.array(edges, np.int64).reshape(-1, 2).T.copy()
        return cls(np.cumsum([0, *map(len, filled)], dtype=np.int64), starts, stops)

    def of_text(self, number: int) -> list[Span]:
        """Those of one text."""
        held = slice(self.offsets[number], self.offsets[number + 1])
        return list(zip(self.starts[held].tolist(), self.stops[held].tolist(), strict=True))

    def in_characters(self, texts: list[str]) -> list[list[Span]]:
        """They, counted in characters."""
        edges = np.stack([self.starts, self.stops], 1)
        return [
            [_characters(text.encode(), span) for span in edges[start:stop].tolist()]
            for text, start, stop in zip(texts, self.offsets, self.offsets[1:], strict=False)
        ]


@dataclass(frozen=True)
class MaskedIds:
    """Ids of many texts."""

    ids: Ids
    offsets: Offsets
    mask: Mask
    """For each id whether it covers a character of one of its text's spans."""
    begins: npt.NDArray[np.bool_]
    """For each id whether it begins with a character of one of the spans in which beginnings are sought."""


class SpanEncoder(Protocol):
    """Encodes texts with their spans. A text whose spans it cannot place gets no ids."""

    backend: Backend

    def encode(self, texts: list[str], spans: list[list[Span]], begins_in: list[list[Span]]) -> MaskedIds:
        """The spans of each text in order, not overlapping; so are those in which beginnings are sought."""

    def encode_arrays(self, texts: pa.LargeStringArray, spans: Spans, begins_in: Spans) -> MaskedIds:
        """The same, of arrays."""


class ByteSpanEncoder(SpanEncoder):
    """For byte-level tokenizers: a token covers as many bytes as its name has letters.

    Counting places the spans, without a Python object for a token: it is as fast as its backend.
    """

    def __init__(self, backend: Backend, token_bytes: npt.NDArray[np.int64]) -> None:
        self.backend = backend
        self._token_bytes = token_bytes

    @override
    def encode(self, texts: list[str], spans: list[list[Span]], begins_in: list[list[Span]]) -> MaskedIds:
        placed = (Spans.of(texts, each) for each in (spans, begins_in))
        return self.encode_arrays(pa.array(texts, pa.large_string()), *placed)

    @override
    def encode_arrays(self, texts: pa.LargeStringArray, spans: Spans, begins_in: Spans) -> MaskedIds:
        ids, offsets = self.backend.encode(texts)
        _, places, data = texts.buffers()
        text_offsets = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        mask, begins, kept = mark_tokens(
            ids,
            self._token_bytes,
            offsets,
            np.frombuffer(data or b"", np.uint8),
            text_offsets,
            *(spans.offsets, spans.starts, spans.stops),
            *(begins_in.offsets, begins_in.starts, begins_in.stops),
        )
        masked = MaskedIds(ids, offsets, mask, begins)
        return masked if kept.all() else _without(masked, ~kept)


class ReferenceSpanEncoder(SpanEncoder):
    """For all other tokenizers: the reference's own record of which token holds which character."""

    backend: Reference

    def __init__(self, reference: Reference) -> None:
        self.backend = reference
        added = reference.tokenizer.get_added_tokens_decoder()
        self._taking_space = {number for number, token in added.items() if token.lstrip or token.rstrip}

    @override
    def encode(self, texts: list[str], spans: list[list[Span]], begins_in: list[list[Span]]) -> MaskedIds:
        encodings = self.backend.tokenizer.encode_batch(texts, add_special_tokens=False)
        ids = [np.array(encoding.ids, np.uint32) for encoding in encodings]
        masks = [self._mask(*row) for row in zip(texts, encodings, ids, spans, strict=True)]
        begins = [_begins(encoding, found) for encoding, found in zip(encodings, begins_in, strict=True)]
        return MaskedIds(
            np.concatenate([np.empty(0, np.uint32), *ids]),
            np.cumsum([0, *map(len, ids)], dtype=np.int64),
            np.concatenate([np.empty(0, np.uint8), *masks]),
            np.concatenate([np.empty(0, bool), *begins]),
        )

    @override
    def encode_arrays(self, texts: pa.LargeStringArray, spans: Spans, begins_in: Spans) -> MaskedIds:
        listed = texts.to_pylist()
        return self.encode(listed, spans.in_characters(listed), begins_in.in_characters(listed))

    def _mask(self, text: str, encoding: Any, ids: Ids, spans: list[Span]) -> Mask:
        mask = np.zeros(len(ids), np.uint8)
        for start, stop in spans:
            tokens = _tokens(encoding, start, stop)
            if tokens:
                first = tokens[0] + (self._written(text, encoding, ids, tokens[0])[1] <= start)
                last = tokens[-1] - (self._written(text, encoding, ids, tokens[-1])[0] >= stop)
                mask[first : last + 1] = 1
        return mask

    def _written(self, text: str, encoding: Any, ids: Ids, token: int) -> Span:
        """Where a token stands, without the white space that it takes from its neighbours."""
        start, stop = encoding.token_to_chars(token)
        if int(ids[token]) not in self._taking_space:
            return start, stop
        covered = text[start:stop]
        return start + len(covered) - len(covered.lstrip()), start + len(covered.rstrip())


def token_bytes(definition: dict[str, Any]) -> npt.NDArray[np.int64] | None:
    """How many bytes of text each id stands for; None if the tokenizer is not byte-level or drops bytes.

    NFC counts as keeping: what is in that form already stays as it is.
    """
    pre = definition.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers", [pre])
    byte_level = [step for step in steps if step.get("type") == "ByteLevel"]
    adds_space = any(step.get("add_prefix_space") for step in byte_level)
    eats_space = any(token.get("lstrip") or token.get("rstrip") for token in definition["added_tokens"])
    if not byte_level or adds_space or eats_space or normal_form(definition) == "other":
        return None
    vocab = definition["model"]["vocab"]
    added = {token["content"]: token["id"] for token in definition["added_tokens"]}
    lengths = np.zeros(max([*vocab.values(), *added.values()]) + 1, np.int64)
    for token, number in vocab.items():
        lengths[number] = len(token)
    for token, number in added.items():
        lengths[number] = len(token.encode())
    return lengths


def normal_form(definition: dict[str, Any]) -> str | None:
    """`NFC`, None for a tokenizer that takes text as it is, `other` for everything else."""
    normalizer = definition.get("normalizer")
    if normalizer is None:
        return None
    return "NFC" if normalizer.get("type") == "NFC" else "other"


def _characters(text: bytes, span: list[int]) -> Span:
    start, stop = span
    first = len(text[:start].decode())
    return first, first + len(text[start:stop].decode())


def _tokens(encoding: Any, start: int, stop: int) -> range:
    """The tokens that cover characters of a span."""
    characters = range(start, stop)
    first = next(filter(_is_token, map(encoding.char_to_token, characters)), None)
    last = next(filter(_is_token, map(encoding.char_to_token, reversed(characters))), None)
    return range(0) if first is None or last is None else range(first, last + 1)


def _begins(encoding: Any, spans: list[Span]) -> npt.NDArray[np.bool_]:
    """Which tokens begin in a span, and with the whole of a character."""
    begins = np.zeros(len(encoding), bool)
    for start, stop in spans:
        before = start
        for token in _tokens(encoding, start, stop):
            first, end = encoding.token_to_chars(token)
            begins[token] = before <= first < end
            before = max(before, end)
    return begins


def _is_token(token: int | None) -> bool:
    return token is not None


def joined(parts: list[MaskedIds], order: npt.NDArray[np.int64]) -> MaskedIds:
    """The texts of several encodings, in another order."""
    filled = [part for part in parts if len(part.offsets) > 1] or parts[:1]
    if len(filled) == 1:
        return filled[0]
    lengths = np.concatenate([np.diff(part.offsets) for part in filled])
    starts = np.concatenate([[0], np.cumsum(lengths)])[order]
    offsets = np.concatenate([[0], np.cumsum(lengths[order])])
    token = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths[order])
    ids, masks, begins = zip(*((part.ids, part.mask, part.begins) for part in filled), strict=True)
    return MaskedIds(
        np.concatenate(ids)[token], offsets, np.concatenate(masks)[token], np.concatenate(begins)[token]
    )


def _without(masked: MaskedIds, dropped: npt.NDArray[np.bool_]) -> MaskedIds:
    lengths = np.diff(masked.offsets)
    kept = np.repeat(~dropped, lengths)
    offsets = np.concatenate([[0], np.cumsum(np.where(dropped, 0, lengths))])
    return MaskedIds(masked.ids[kept], offsets, masked.mask[kept], masked.begins[kept])
