"""Encoding rendered text, with the tokens that cover given spans of its characters, or begin in them."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import override

from tokenizer_tools.backends import Backend, Ids, Offsets, Reference

Mask = npt.NDArray[np.uint8]
Span = tuple[int, int]
"""First character and the one after the last."""


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


class ByteSpanEncoder(SpanEncoder):
    """For byte-level tokenizers: a token covers as many bytes as its name has letters.

    Counting places the spans, without a Python object for a token: it is as fast as its backend.
    """

    def __init__(self, backend: Backend, token_bytes: npt.NDArray[np.int64]) -> None:
        self.backend = backend
        self._token_bytes = token_bytes

    @override
    def encode(self, texts: list[str], spans: list[list[Span]], begins_in: list[list[Span]]) -> MaskedIds:
        ids, offsets = self.backend.encode(pa.array(texts, pa.large_string()))
        ends = np.cumsum(self._token_bytes[ids])
        row_starts = np.concatenate([[0], ends])[offsets]
        kept = np.diff(row_starts) == [len(text.encode()) for text in texts]
        rows = [(texts[row], int(row_starts[row]), row) for row in np.flatnonzero(kept)]
        mask = _covering(ends, [edge for text, at, row in rows for edge in _byte_edges(text, at, spans[row])])
        characters = [_character_bytes(text, at, begins_in[row]) for text, at, row in rows]
        begins = np.zeros(int(row_starts[-1]) + 1, bool)
        begins[np.concatenate([np.empty(0, np.int64), *characters])] = True
        starts = ends - self._token_bytes[ids]
        return _without(MaskedIds(ids, offsets, mask, begins[starts]), ~kept)


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


def _byte_edges(text: str, at: int, spans: list[Span]) -> list[int]:
    """The first byte of each span and the one after its last, of a text whose bytes begin at `at`."""
    return [at + len(text[:edge].encode()) for span in spans for edge in span]


def _character_bytes(text: str, at: int, spans: list[Span]) -> npt.NDArray[np.int64]:
    """The first byte of each character of the spans, of a text whose bytes begin at `at`."""
    found = [np.empty(0, np.int64)]
    for start, stop in spans:
        units = np.frombuffer(text[start:stop].encode(), np.uint8)
        found.append(at + len(text[:start].encode()) + np.flatnonzero(units & 0xC0 != 0x80))
    return np.concatenate(found)


def _covering(ends: npt.NDArray[np.int64], edges: list[int]) -> Mask:
    """Which tokens, that end before these bytes, cover a byte between a pair of edges."""
    starts, stops = np.array(edges, np.int64).reshape(-1, 2).T
    filled = starts < stops
    first = np.searchsorted(ends, starts[filled], side="right")
    last = np.searchsorted(ends, stops[filled], side="left")
    steps = np.zeros(len(ends) + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    return (np.cumsum(steps[:-1]) > 0).astype(np.uint8)


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


def _without(masked: MaskedIds, dropped: npt.NDArray[np.bool_]) -> MaskedIds:
    lengths = np.diff(masked.offsets)
    kept = np.repeat(~dropped, lengths)
    offsets = np.concatenate([[0], np.cumsum(np.where(dropped, 0, lengths))])
    return MaskedIds(masked.ids[kept], offsets, masked.mask[kept], masked.begins[kept])
