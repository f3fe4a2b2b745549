"""The compilers of loops over tokens, rows and bytes: numba, cached on disk where a folder can be written."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit


@cache
def _source_stamp(folder: Path) -> tuple[float, int]:
    """Latest time and total size of the Python files of a folder: changes when any of them does."""
    stats = [path.stat() for path in folder.glob("*.py")]
    return max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats)


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def compiler(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = njit(cache=True, **options)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return njit(**options)(function)
        # numba asks whether the function's own file has changed, but its code holds other files' functions
        dispatcher._cache._cache_file._source_stamp = _source_stamp(
            Path(function.__code__.co_filename).parent
        )
        return dispatcher

    return compiler


compiled = _compiler()
"""Decorator of a function that numba compiles when it is first called."""

entry = _compiler(nogil=True, error_model="numpy", _nrt=False)
"""The same for one that allocates nothing, and so need not count references to its arrays."""

kernel = _compiler(
    nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
"""The same for one that only compiled functions call."""

inline_kernel = _compiler(
    nogil=True,
    error_model="numpy",
    _nrt=False,
    no_cpython_wrapper=True,
    no_cfunc_wrapper=True,
    forceinline=True,
)
"""The same for one that is copied into its callers."""
