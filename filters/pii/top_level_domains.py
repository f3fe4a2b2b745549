"""The top-level domains there are, as IANA lists them in `top_level_domains.txt`."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np

from filters.text.hashing import combine, mix
from filters.text.kernel import kernel


def domain_names() -> list[str]:
    """Their names in lower case, without internationalised ones."""
    text = resources.files("filters.pii").joinpath("top_level_domains.txt").read_text("ascii")
    return [line for line in text.lower().splitlines() if line and not line.startswith(("#", "xn--"))]


@lru_cache(maxsize=1)
def top_level_domains() -> np.ndarray:
    """The hashes of all top-level domains in lower case, in ascending order: uint64."""
    names = [np.frombuffer(name.encode(), dtype=np.uint8) for name in domain_names()]
    return np.sort(np.array([_hash(letters, 0, len(letters)) for letters in names], dtype=np.uint64))


@kernel
def is_top_level_domain(data, at, stop, known):
    """Whether `data[at:stop]`, in any case, is one of the known ones."""
    key = _hash(data, at, stop)
    low, high = 0, known.size
    while low < high:
        middle = (low + high) // 2
        if known[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < known.size and known[low] == key


@kernel
def _hash(data, at, stop):
    state = np.uint64(stop - at)
    for index in range(at, stop):
        state = combine(state, np.uint64(data[index] | 0x20))
    return mix(state)
