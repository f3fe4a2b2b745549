"""Copying token ids from where documents lie to where their segments belong."""

from typing import Any

from numpy.typing import NDArray

from tokenizer_tools.compiled import compiled


@compiled
def gather_segments(
    source: NDArray[Any],
    starts: NDArray[Any],
    lengths: NDArray[Any],
    out: NDArray[Any],
    out_starts: NDArray[Any],
) -> None:
    """Copy slices: ``out[out_starts[i] :][: lengths[i]] = source[starts[i] :][: lengths[i]]`` for every i.

    Args:
        source: the ids (or masks) of documents one after the other.
        starts: shape (segments): where in `source` each begins.
        lengths: shape (segments).
        out: where to copy to.
        out_starts: shape (segments): where in `out` each belongs.
    """
    for segment in range(len(starts)):
        start, out_start = starts[segment], out_starts[segment]
        for token in range(lengths[segment]):
            out[out_start + token] = source[start + token]
