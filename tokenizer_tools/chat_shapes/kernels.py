"""Loops over the bytes of contents and of renderings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer_tools.compiled import compiled

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@compiled
def _space_at(data: Bytes, at: int, stop: int) -> int:
    """How many bytes the white space has that begins at a place, 0 where there is none: as `str.isspace`."""
    byte = data[at]
    if byte < 0x80:
        return 1 if byte == 0x20 or 0x09 <= byte <= 0x0D or 0x1C <= byte <= 0x1F else 0
    if byte == 0xC2 and at + 1 < stop:
        return 2 if data[at + 1] == 0x85 or data[at + 1] == 0xA0 else 0
    if not (0xE1 <= byte <= 0xE3) or at + 2 >= stop:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:
        is_space = second == 0x9A and third == 0x80
    elif byte == 0xE3:
        is_space = second == 0x80 and third == 0x80
    else:
        is_space = (second == 0x81 and third == 0x9F) or (
            second == 0x80 and (0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF)
        )
    return 3 if is_space else 0


@compiled
def trim(data: Bytes, starts: Places, stops: Places) -> tuple[Places, Places]:
    """The slices of `data` without white space at their edges: what `str.strip` leaves."""
    trimmed_starts, trimmed_stops = starts.copy(), stops.copy()
    for number in range(len(starts)):
        start, stop = starts[number], stops[number]
        while start < stop:
            size = _space_at(data, start, stop)
            if size == 0:
                break
            start += size
        while start < stop:
            last = stop - 1
            while last > start and data[last] & 0xC0 == 0x80:
                last -= 1
            size = _space_at(data, last, stop)
            if size == 0 or last + size != stop:
                break
            stop = last
        trimmed_starts[number], trimmed_stops[number] = start, stop
    return trimmed_starts, trimmed_stops


@compiled
def are_usual(data: Bytes, starts: Places, stops: Places, unusual: Flags) -> Flags:
    """Whether each slice holds none of the characters that are flagged; `unusual` has one flag for each.

    ASCII never is.
    """
    usual = np.ones(len(starts), np.bool_)
    for number in range(len(starts)):
        at, stop = starts[number], stops[number]
        while at < stop:
            byte = np.int64(data[at])
            if byte < 0x80:
                at += 1
                continue
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if at + size > stop:
                usual[number] = False
                break
            character = byte & (0x7F >> size)
            for further in range(1, size):
                character = character << 6 | np.int64(data[at + further]) & 0x3F
            if character >= len(unusual) or unusual[character]:
                usual[number] = False
                break
            at += size
    return usual


@compiled
def stands_at(data: Bytes, at: int, stop: int, part: Bytes) -> bool:
    """Whether `part` stands at a place of `data`, before `stop`."""
    if at < 0 or at + len(part) > stop:
        return False
    for offset in range(len(part)):
        if data[at + offset] != part[offset]:
            return False
    return True


@compiled
def contain(data: Bytes, starts: Places, stops: Places, part: Bytes) -> Flags:
    """Whether each slice contains a text that is not empty."""
    found = np.zeros(len(starts), np.bool_)
    first = part[0]
    for number in range(len(starts)):
        stop = stops[number]
        for at in range(starts[number], stop - len(part) + 1):
            if data[at] == first and stands_at(data, at, stop, part):
                found[number] = True
                break
    return found


@compiled
def begin(data: Bytes, starts: Places, stops: Places, part: Bytes) -> Flags:
    """Whether each slice begins with a text."""
    found = np.zeros(len(starts), np.bool_)
    for number in range(len(starts)):
        found[number] = stands_at(data, starts[number], stops[number], part)
    return found


@compiled
def end(data: Bytes, starts: Places, stops: Places, part: Bytes) -> Flags:
    """Whether each slice ends with a text."""
    found = np.zeros(len(starts), np.bool_)
    for number in range(len(starts)):
        at = stops[number] - len(part)
        found[number] = at >= starts[number] and stands_at(data, at, stops[number], part)
    return found


@compiled
def equal(data: Bytes, starts: Places, stops: Places, whole: Bytes) -> Flags:
    """Whether each slice is a text."""
    found = np.zeros(len(starts), np.bool_)
    for number in range(len(starts)):
        same_length = stops[number] - starts[number] == len(whole)
        found[number] = same_length and stands_at(data, starts[number], stops[number], whole)
    return found


@compiled
def are_within(data: Bytes, starts: Places, stops: Places, whole: Bytes) -> Flags:
    """Whether each slice is a part of a text."""
    found = np.zeros(len(starts), np.bool_)
    for number in range(len(starts)):
        start, size = starts[number], stops[number] - starts[number]
        for at in range(len(whole) - size + 1):
            if stands_at(whole, at, len(whole), data[start : start + size]):
                found[number] = True
                break
    return found


@compiled
def contain_any(
    data: Bytes, offsets: Places, parts: Bytes, part_offsets: Places, parts_with_first: Places
) -> Flags:
    """Whether each text contains any of some parts.

    Args:
        data: Texts one after the other.
        offsets: shape (texts + 1): where in `data` each begins.
        parts: The parts one after the other, sorted.
        part_offsets: shape (parts + 1): where in `parts` each begins.
        parts_with_first: shape (257): the first of the parts that begin with each byte, or with a later one.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    begins_one = parts_with_first[1:] > parts_with_first[:-1]
    for text in range(len(offsets) - 1):
        stop = offsets[text + 1]
        for at in range(offsets[text], stop):
            if begins_one[data[at]]:
                byte = np.int64(data[at])
                for number in range(parts_with_first[byte], parts_with_first[byte + 1]):
                    if stands_at(data, at, stop, parts[part_offsets[number] : part_offsets[number + 1]]):
                        found[text] = True
                if found[text]:
                    break
    return found


@compiled
def sizes(
    plans: Places, firsts: Places, lengths: Places, piece_offsets: Places, contents: Places, literals: Places
) -> Places:
    """The number of bytes of each rendering.

    Args:
        plans: shape (rows): the number of the plan of each.
        firsts: shape (rows): its first message.
        lengths: shape (messages): bytes of each content.
        piece_offsets: shape (plans + 1): the first piece of each.
        contents: shape (pieces): the number of a message, -1 for a literal.
        literals: shape (pieces + 1): where each literal begins.
    """
    found = np.zeros(len(plans), np.int64)
    for row in range(len(plans)):
        for piece in range(piece_offsets[plans[row]], piece_offsets[plans[row] + 1]):
            if contents[piece] < 0:
                found[row] += literals[piece + 1] - literals[piece]
            else:
                found[row] += lengths[firsts[row] + contents[piece]]
    return found


@compiled
def write(
    plans: Places,
    firsts: Places,
    data: Bytes,
    starts: Places,
    stops: Places,
    piece_offsets: Places,
    contents: Places,
    literals: Places,
    literal_bytes: Bytes,
    out: Bytes,
    out_offsets: Places,
    out_edges: Any,
) -> None:
    """Write renderings, and where in each every piece begins.

    Args:
        plans: As in `sizes`; so are `firsts`, `piece_offsets`, `contents` and `literals`.
        firsts: shape (rows).
        data: Contents.
        starts: shape (messages): where in `data` each begins.
        stops: shape (messages): where it ends.
        piece_offsets: shape (plans + 1).
        contents: shape (pieces).
        literals: shape (pieces + 1).
        literal_bytes: The literals one after the other.
        out: Where to write.
        out_offsets: shape (rows + 1): where in `out` each rendering begins.
        out_edges: For the pieces of each row one after the other, the first byte and the one after the last.
    """
    edge = 0
    for row in range(len(plans)):
        at = out_offsets[row]
        for piece in range(piece_offsets[plans[row]], piece_offsets[plans[row] + 1]):
            out_edges[edge, 0] = at - out_offsets[row]
            if contents[piece] < 0:
                for source in range(literals[piece], literals[piece + 1]):
                    out[at] = literal_bytes[source]
                    at += 1
            else:
                message = firsts[row] + contents[piece]
                size = stops[message] - starts[message]
                out[at : at + size] = data[starts[message] : stops[message]]
                at += size
            out_edges[edge, 1] = at - out_offsets[row]
            edge += 1
