"""Two texts beside each other: the words of each that the other has too, by what counts as the same word."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from filters.contamination.words import UNIT, find_words, word_tables

Hashes = npt.NDArray[np.uint64]
Piece = dict[str, Any]
"""`text`, and `matched`: whether the other text has it too."""
LETTERS = 64
"""Room for those of a word."""
SHOWN_BYTES = 1200
CUT_OFF = "…"


def words_in(text: str) -> npt.NDArray[Any]:
    """The words of a text (UNIT), by which it is compared."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    units = np.empty(max(1, data.size), UNIT)
    count = find_words(data, 0, data.size, word_tables(), np.empty(LETTERS, np.uint32), units)
    return units[:count]


def hashes_of(*texts: str) -> Hashes:
    """The different words of some texts, by their hashes."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *(words_in(text)["hash"] for text in texts)]))


def in_pieces(text: str, others: Hashes) -> list[Piece]:
    """A text in pieces: the words that others have are apart. Of a long one the place with most of them."""
    data = text.encode("utf-8", "replace")
    words = words_in(text)
    matched = np.isin(words["hash"], others)
    low, high = _window(words, matched, len(data))
    pieces = [{"text": CUT_OFF, "matched": False}] if low else []
    at = low
    for start, end in _runs(words[matched], np.flatnonzero(matched), low, high):
        pieces.append({"text": data[at:start].decode(errors="ignore"), "matched": False})
        pieces.append({"text": data[start:end].decode(errors="ignore"), "matched": True})
        at = end
    pieces.append(
        {
            "text": data[at:high].decode(errors="ignore") + (CUT_OFF if high < len(data) else ""),
            "matched": False,
        }
    )
    return [piece for piece in pieces if piece["text"]]


def _runs(
    words: npt.NDArray[Any], places: npt.NDArray[np.intp], low: int, high: int
) -> list[tuple[int, int]]:
    """Matched words between two bytes; those that follow one another are one run."""
    runs: list[tuple[int, int]] = []
    last = -2
    for word, place in zip(words, places.tolist(), strict=True):
        start, end = int(word["start"]), int(word["end"])
        if low <= start and end <= high:
            if place == last + 1 and runs:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
        last = place
    return runs


def _window(words: npt.NDArray[Any], matched: npt.NDArray[np.bool_], size: int) -> tuple[int, int]:
    """Of a text of `size` bytes the `SHOWN_BYTES` with the most matched words, from one word's border on."""
    if size <= SHOWN_BYTES:
        return 0, size
    if len(words) == 0:
        return 0, SHOWN_BYTES
    after = np.searchsorted(words["end"], words["start"] + SHOWN_BYTES, side="right")
    sums = np.append(0, np.cumsum(matched))
    best = int(np.argmax(sums[np.maximum(after, np.arange(len(words)))] - sums[:-1]))
    last = max(int(after[best]) - 1, best)
    return int(words["start"][best]), min(int(words["end"][last]), int(words["start"][best]) + SHOWN_BYTES)
