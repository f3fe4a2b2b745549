"""The compiler of the loops over bytes and tokens: numba, cached on disk where a folder can be written."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Decorator of a function that numba compiles when it is first called."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(function)
