"""Segments of text to ids: cut into words, which are looked up among those met before or merged."""

# mypy: allow-untyped-defs, allow-untyped-calls

import numpy as np

from tokenizer_tools.compiled import entry, inline_kernel, kernel
from tokenizer_tools.fast.byte_strings import find
from tokenizer_tools.fast.characters import character_width, code_point
from tokenizer_tools.fast.memory import PADDING, prefetch
from tokenizer_tools.fast.merging import NONE, SHORT, merge_long, merge_short
from tokenizer_tools.fast.model import NO_ID, piece_end
from tokenizer_tools.fast.splitting import word_end
from tokenizer_tools.fast.word_cache import LONGEST, copy_ids, find_word, keep_word, slot_of

BLOCK = 64
"""Words that are cut before any of them is looked up, so that the memory of the cache has time to arrive."""


@kernel
def merge_word(text, at, end, model, work, out, done):
    """Write the ids of a word to `out` from `done` on; returns their end."""
    if model.whole_words:
        slot = find(model.tokens, text, at, end - at)
        if slot >= 0:
            out[done] = model.token_ids[model.tokens.slots[slot]]
            return done + 1
    symbols, keys = work.symbols, work.keys
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
        return merge_long(model.merges, work, count, out, done)
    count = end - at
    for place in range(count):
        symbols[place] = model.byte_ids[text[at + place]]
    if count > SHORT:
        return merge_long(model.merges, work, count, out, done)
    for place in range(count - 1):
        rank = model.byte_pairs[np.int64(text[at + place]) << 8 | np.int64(text[at + place + 1])]
        keys[place] = np.uint32(0xFFFFFFFF) if rank == NONE else rank << np.uint32(6) | np.uint32(place)
    keys[count - 1] = np.uint32(0xFFFFFFFF)
    return merge_short(model.merges, work, count, out, done)


@kernel
def encode_word(text, at, length, slot, model, cache, work, out, done):
    """The same, by way of the cache."""
    if length > LONGEST:
        return merge_word(text, at, at + length, model, work, out, done)
    slot = find_word(cache, text, at, length, slot)
    if slot >= 0:
        return copy_ids(cache, slot, out, done)
    end = merge_word(text, at, at + length, model, work, out, done)
    keep_word(cache, text, at, length, ~slot, out, done, end)
    return end


@inline_kernel
def encode_text(text, size, rules, pages, kinds, model, cache, work, ends, slots, out, done):
    """The same for a text with zeros after it."""
    at = 0
    while at < size:
        begin, count = at, 0
        while at < size and count < BLOCK:
            start = at
            if model.by_characters:
                at = min(piece_end(text, at, size, model.joins), size)
            else:
                at = min(word_end(text, at, size, rules, pages, kinds), size)
            slots[count] = slot_of(cache, text, start, min(at - start, LONGEST))
            prefetch(cache.words, slots[count] << 6)
            ends[count] = at
            count += 1
        start = begin
        for word in range(count):
            length = ends[word] - start
            done = encode_word(text, start, length, slots[word], model, cache, work, out, done)
            start = ends[word]
    return done


@inline_kernel
def copy_segment(data, start, stop, spaces, text):
    """Write a segment to `text`, zeros after it, and return its size.

    `spaces` of 1: spaces become `▁`; of 2: another one comes first.
    """
    size = stop - start
    if spaces == 0:
        for place in range(size):
            text[place] = data[start + place]
    else:
        size = 0
        if spaces == 2:
            text[0], text[1], text[2] = 0xE2, 0x96, 0x81
            size = 3
        for place in range(start, stop):
            if data[place] == 0x20:
                text[size], text[size + 1], text[size + 2] = 0xE2, 0x96, 0x81
                size += 3
            else:
                text[size] = data[place]
                size += 1
    for place in range(PADDING):
        text[size + place] = 0
    return size


@entry
def encode_segments(
    data, segments, rows, spaces, rules, pages, kinds, model, cache, work, text, ends, slots, out, offsets
):
    """Encode the segments of rows.

    Args:
        data: Bytes of text.
        segments: Of each segment its start and stop in `data`, and the id it stands for, else -1.
        rows: For each row the number of segments before its end.
        spaces: What `copy_segment` does with spaces.
        rules, pages, kinds: How text is cut.
        model: What words become.
        cache: Words met before.
        work, text, ends, slots: Memory to work in.
        out: The ids.
        offsets: Where each row's ids end; the first is 0.
    """
    done, segment = 0, 0
    for row in range(len(rows)):
        while segment < rows[row]:
            start, stop, number = segments[segment, 0], segments[segment, 1], segments[segment, 2]
            if number >= 0:
                out[done] = number
                done += 1
            elif stop > start:
                size = copy_segment(data, start, stop, spaces, text)
                done = encode_text(
                    text, size, rules, pages, kinds, model, cache, work, ends, slots, out, done
                )
            segment += 1
        offsets[row + 1] = done
