"""Putting the tokens around documents that begin and end them."""

# mypy: allow-untyped-defs, allow-untyped-calls

import numpy as np
import numpy.typing as npt

from tokenizer_tools.compiled import entry

Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]


def framed(ids: Ids, offsets: Offsets, begin: int | None, end: int) -> tuple[Ids, Offsets]:
    """The ids of documents, each with `begin`, if there is one, before its own and `end` after them."""
    added = 1 if begin is None else 2
    framed_offsets = offsets + added * np.arange(len(offsets))
    out = np.empty(framed_offsets[-1], np.uint32)
    _frame(ids, offsets, -1 if begin is None else begin, end, out)
    return out, framed_offsets


@entry
def _frame(ids, offsets, begin, end, out):
    at = 0
    for document in range(len(offsets) - 1):
        if begin >= 0:
            out[at] = begin
            at += 1
        start, stop = offsets[document], offsets[document + 1]
        for place in range(stop - start):
            out[at + place] = ids[start + place]
        at += stop - start
        out[at] = end
        at += 1
