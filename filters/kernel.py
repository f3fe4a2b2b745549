"""How the loops over text are compiled: by numba, cached on disk, without the GIL, division as numpy does it."""

from __future__ import annotations

from typing import Any

from numba import njit

driver: Any = njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of a compiled function that allocates arrays. Like all compiled functions here it carries no
annotations: numba infers the types of its arguments at each call."""

kernel: Any = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
"""Decorator of a compiled function that allocates nothing, and so need not count references to its arrays.
Counting costs an atomic instruction at every call, which is more than most of these functions do."""

inline_kernel: Any = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
"""The same for a few operations that are copied into their callers."""
