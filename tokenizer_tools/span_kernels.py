"""The loop over tokens that tells which of them cover given bytes, or begin in them."""

import numpy as np
from numpy.typing import NDArray

from tokenizer_tools.compiled import compiled

Places = NDArray[np.int64]


@compiled
def mark_tokens(
    ids: NDArray[np.uint32],
    token_bytes: Places,
    offsets: Places,
    data: NDArray[np.uint8],
    text_offsets: Places,
    span_offsets: Places,
    span_starts: Places,
    span_stops: Places,
    begin_offsets: Places,
    begin_starts: Places,
    begin_stops: Places,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the tokens of many texts.

    Args:
        ids: shape (tokens).
        token_bytes: shape (ids): how many bytes of text each id stands for.
        offsets: shape (texts + 1): the first token of each text.
        data: Texts one after the other.
        text_offsets: shape (texts + 1): where in `data` each begins.
        span_offsets: shape (texts + 1): the first span of each.
        span_starts: shape (spans): first bytes, counted from the text's, in order.
        span_stops: shape (spans): the bytes after the last, each above its start.
        begin_offsets: As for spans, so are the others: where beginnings are sought.
        begin_starts: shape (spans).
        begin_stops: shape (spans).

    Returns:
        For each token whether it covers a byte of a span, and whether it begins with the first byte of a
        character in a span in which beginnings are sought; for each text whether its tokens stand for as many
        bytes as it has. Tokens of a text of which this does not hold are not marked rightly.
    """
    mask = np.zeros(len(ids), np.uint8)
    begins = np.zeros(len(ids), np.bool_)
    kept = np.zeros(len(offsets) - 1, np.bool_)
    for text in range(len(offsets) - 1):
        first = text_offsets[text]
        size = text_offsets[text + 1] - first
        span, last_span = span_offsets[text], span_offsets[text + 1]
        sought, last_sought = begin_offsets[text], begin_offsets[text + 1]
        start = np.int64(0)
        for token in range(offsets[text], offsets[text + 1]):
            stop = start + token_bytes[ids[token]]
            while span < last_span and span_stops[span] <= start:
                span += 1
            mask[token] = span < last_span and span_starts[span] < stop
            while sought < last_sought and begin_stops[sought] <= start:
                sought += 1
            if sought < last_sought and begin_starts[sought] <= start < size:
                begins[token] = data[first + start] & 0xC0 != 0x80
            start = stop
        kept[text] = start == size
    return mask, begins, kept
