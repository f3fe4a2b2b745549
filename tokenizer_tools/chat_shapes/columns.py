"""Conversations as Arrow holds them: who speaks, and the bytes that are said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from unicodedata import combining, is_normalized, normalize

import numpy as np
import pyarrow as pa

from tokenizer_tools.chat_shapes import kernels
from tokenizer_tools.chat_shapes.kernels import Bytes, Flags, Places
from tokenizer_tools.chat_shapes.learnt import Shape
from tokenizer_tools.chat_shapes.symbolic import MOST_CONTENTS

_ROLE = re.compile("[A-Za-z0-9_-]+")
_MOST_ROLES = 100


@dataclass(frozen=True)
class Columns:
    """Messages of many conversations, and the shape of each conversation that is a plain one.

    A plain conversation has messages of role and content only, in well-known characters.
    """

    shapes: list[Shape]
    shape: Places
    """For each conversation the number of its shape, -1 where it is not plain."""
    first: Places
    """For each conversation its first message."""
    data: Bytes
    """Contents one after the other."""
    starts: Places
    """For each message the first byte of its content, without the white space before it."""
    stops: Places
    """And the one after its last, without the white space after it."""
    is_trimmed: Flags
    """For each message whether its content has no white space at its edges."""

    @classmethod
    def of(
        cls, messages: pa.Array, template_fields: pa.Array | None, *, composed: bool
    ) -> Columns | None:
        """Read them; None where they are not of the types in which conversations are stored.

        Args:
            messages: Lists of structs of role and content.
            template_fields: Null for conversations without further fields.
            composed: Whether only characters count as well known that no neighbour combines with (NFC).
        """
        if not isinstance(messages, pa.ListArray | pa.LargeListArray) or not len(messages):
            return None
        offsets = messages.offsets.to_numpy().astype(np.int64)
        values = messages.values.slice(offsets[0], offsets[-1] - offsets[0])
        names = [values.type.field(number).name for number in range(values.type.num_fields)]
        roles, contents = (values.flatten()[names.index(name)] for name in ("role", "content"))
        if not (_is_text(roles) and _is_text(contents)):
            return None
        data, raw_starts, raw_stops = _bytes(contents)
        starts, stops = kernels.trim(data, raw_starts, raw_stops)
        is_empty = raw_starts == raw_stops
        roles = roles.dictionary_encode()
        role = roles.indices.fill_null(_MOST_ROLES).to_numpy().astype(np.int64)
        named = [bool(name is not None and _ROLE.fullmatch(name)) for name in roles.dictionary.to_pylist()]
        is_plain = np.array([*named[:_MOST_ROLES], *[False] * _MOST_ROLES])[np.minimum(role, _MOST_ROLES)]
        is_plain &= contents.is_valid().to_numpy(zero_copy_only=False)
        is_plain &= (starts < stops) | is_empty
        is_plain &= kernels.are_usual(data, starts, stops, unusual_characters(composed=composed))
        offsets -= offsets[0]
        unusual = np.concatenate([[0], np.cumsum(~is_plain)])[offsets]
        lengths = np.diff(offsets)
        plain = (np.diff(unusual) == 0) & (lengths > 0) & (lengths <= MOST_CONTENTS)
        plain &= messages.is_valid().to_numpy(zero_copy_only=False)
        if template_fields is not None:
            plain &= template_fields.is_null().to_numpy(zero_copy_only=False)
        codes = (2 * np.minimum(role, _MOST_ROLES) + is_empty).astype(np.uint8)
        shape, found = _grouped(codes, offsets, plain)
        names = roles.dictionary.to_pylist()
        shapes = [tuple((names[code // 2], code % 2 == 0) for code in each) for each in found]
        is_trimmed = (starts == raw_starts) & (stops == raw_stops)
        return cls(shapes, shape, offsets[:-1], data, starts, stops, is_trimmed)


def _is_text(array: pa.Array) -> bool:
    return pa.types.is_string(array.type) or pa.types.is_large_string(array.type)


def _bytes(texts: pa.Array) -> tuple[Bytes, Places, Places]:
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    held = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return held, places[:-1], places[1:]


def _grouped(codes: Bytes, offsets: Places, chosen: Flags) -> tuple[Places, list[bytes]]:
    """The number of each row's sequence of codes, -1 for rows not chosen, and the sequences."""
    valid = pa.array(chosen)
    buffers = [pa.array(chosen).buffers()[1], pa.py_buffer(offsets), pa.py_buffer(codes)]
    rows = pa.Array.from_buffers(pa.large_binary(), len(valid), buffers)
    encoded = rows.dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


@cache
def unusual_characters(*, composed: bool) -> Flags:
    """A flag for each character that takes a conversation out of the common path."""
    flags = np.zeros(0x110000, bool)
    flags[0xD800:0xE000] = flags[0xFDD0:0xFDF0] = True
    if composed:
        combine = {ord(part) for code in _CHARACTERS for part in normalize("NFD", chr(code))[1:]}
        changed = [code for code in _CHARACTERS if combining(chr(code)) or not is_normalized("NFC", chr(code))]
        flags[[*combine, *changed]] = True
    flags[:0x80] = False
    return flags


_CHARACTERS = range(0x80, 0x110000)
