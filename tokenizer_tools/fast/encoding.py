"""Segments of text to ids: cut into words, which are looked up among those met before or merged."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry, inline_kernel, kernel
from tokenizer_tools.fast.byte_strings import find
from tokenizer_tools.fast.characters import character_width, code_point
from tokenizer_tools.fast.cutting import copy_segment, next_word
from tokenizer_tools.fast.memory import PADDING, peek, poke, prefetch
from tokenizer_tools.fast.merging import NO_KEY, SHORT, key_of, merge_long, merge_short, rank_of
from tokenizer_tools.fast.model import NO_ID
from tokenizer_tools.fast.word_cache import LONGEST, copy_ids, find_word, keep_word, slot_of

BLOCK = 64
"""Words that are cut before any of them is looked up, so that the memory of the cache has time to arrive."""


class Memory(NamedTuple):
    """What is written while encoding: segments, the words of a block, and the merging of one word."""

    text: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.uint32]
    keys: npt.NDArray[np.uint32]
    following: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    heap: npt.NDArray[np.uint64]

    @classmethod
    def of_size(cls, size: int) -> "Memory":
        """For segments of up to so many bytes; what they do not need is never touched."""
        return cls(
            np.empty(size + PADDING, np.uint8),
            np.empty(BLOCK, np.int64),
            np.empty(BLOCK, np.int64),
            np.empty(size + SHORT, np.uint32),
            np.empty(SHORT, np.uint32),
            np.empty(size + SHORT, np.int64),
            np.empty(size + SHORT, np.int64),
            np.empty(3 * size + SHORT, np.uint64),
        )


@inline_kernel
def sure_to_join(text, begin, at, end, first, second, model):
    """Whether the two bytes at `at` of a word are joined before either can be joined to what is beside it."""
    pair = first << 8 | second
    rank = peek(model.byte_pairs, pair)
    if peek(model.joined_bytes, pair) == NO_ID:
        return False
    if at > begin and peek(model.taken_from_left, np.int64(peek(text, at - 1)) << 8 | first) <= rank:
        return False
    return at + 2 == end or peek(model.taken_from_right, second << 8 | np.int64(peek(text, at + 2))) > rank


@kernel
def merge_word(text, at, end, model, memory, out, done):
    """Write the ids of a word to `out` from `done` on; returns their end."""
    if model.whole_words:
        slot = find(model.tokens, text, at, end - at)
        if slot >= 0:
            out[done] = model.token_ids[model.tokens.slots[slot]]
            return done + 1
    symbols, keys = memory.symbols, memory.keys
    count = 0
    if model.by_characters:
        while at < end:
            point, width = code_point(text, at), character_width(text[at])
            number = model.character_ids[np.int64(model.character_pages[point >> 6]) << 6 | (point & 63)]
            if number != NO_ID:
                symbols[count] = number
                count += 1
            else:
                for byte in range(at, at + width):
                    symbols[count] = model.byte_ids[text[byte]]
                    count += 1
            at += width
    else:
        begin = at
        while at < end:
            first, second = np.int64(peek(text, at)), np.int64(peek(text, at + 1))
            if at + 1 < end and sure_to_join(text, begin, at, end, first, second, model):
                poke(symbols, count, peek(model.joined_bytes, first << 8 | second))
                at += 2
            else:
                poke(symbols, count, peek(model.byte_ids, first))
                at += 1
            count += 1
    if count > SHORT:
        return merge_long(model.merges, memory, count, out, done)
    for place in range(count - 1):
        rank = rank_of(model.merges, peek(symbols, place), peek(symbols, place + 1))
        poke(keys, place, key_of(rank, place))
    keys[count - 1] = NO_KEY
    return merge_short(model.merges, memory, count, out, done)


@kernel
def encode_new_word(text, at, end, slot, model, cache, memory, out, done):
    """The same, and remember the word in the free entry for it."""
    after = merge_word(text, at, end, model, memory, out, done)
    if end - at <= LONGEST:
        keep_word(cache, text, at, end - at, slot, out, done, after)
    return after


@inline_kernel
def encode_text(text, size, words, model, cache, memory, out, done):
    """The same for a text with zeros after it."""
    ends, slots = memory.ends, memory.slots
    at = 0
    while at < size:
        begin, count = at, 0
        while at < size and count < BLOCK:
            start = at
            at = next_word(text, at, size, words)
            slot = slot_of(cache, text, start, min(at - start, LONGEST))
            prefetch(cache.words, slot << 6)
            poke(slots, count, slot)
            poke(ends, count, at)
            count += 1
        start = begin
        for word in range(count):
            end, slot = peek(ends, word), peek(slots, word)
            length = end - start
            slot = ~slot if length > LONGEST else find_word(cache, text, start, length, slot)
            if slot >= 0:
                done = copy_ids(cache, slot, out, done)
            else:
                done = encode_new_word(text, start, end, ~slot, model, cache, memory, out, done)
            start = end
    return done


@entry
def encode_segments(data, bounds, row_ends, words, model, cache, memory, out, offsets):
    """Encode the segments of texts; the ids go to `out`, and to `offsets` where those of each text end."""
    done, segment = 0, 0
    for row in range(len(row_ends)):
        while segment < row_ends[row]:
            start, stop, number = bounds[segment, 0], bounds[segment, 1], bounds[segment, 2]
            if number >= 0:
                out[done] = number
                done += 1
            elif stop > start:
                size = copy_segment(data, start, stop, words.spaces, memory.text)
                done = encode_text(memory.text, size, words, model, cache, memory, out, done)
            segment += 1
        offsets[row + 1] = done
