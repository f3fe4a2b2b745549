"""How the loops over text are compiled: numba, cached on disk, without the GIL, division as numpy does it."""

from __future__ import annotations

from typing import Any

from numba import njit

kernel: Any = njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of a compiled function. Its arguments carry no annotations: numba infers them at each call."""

inline_kernel: Any = njit(cache=True, nogil=True, error_model="numpy", inline="always")
"""The same for a few operations that are copied into their callers."""
