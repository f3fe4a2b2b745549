"""Compilers of the loops over text: numba, cached on disk, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import njit
from numba.types import unliteral


@cache
def _source_stamp() -> tuple[float, int]:
    """Latest time and total size of the files of `filters`: changes when any of them does."""
    stats = [path.stat() for path in Path(__file__).parents[1].rglob("*.py")]
    return max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats)


def _dispatcher(function: Callable[..., Any], **options: Any) -> Any:
    """The dispatcher of a function, whose cache asks whether any file of the package has changed.

    numba would ask for the function's own file, though its machine code contains functions of other files.
    """
    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    try:
        dispatcher = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that can be written: neither the package's nor the user's
        return njit(**options)(function)
    dispatcher._cache._cache_file._source_stamp = _source_stamp()
    return dispatcher


def _twin(function: Any) -> Any:
    """The same function under a name of its own in the cache."""
    twin = FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    twin.__qualname__ = f"{function.__qualname__}.inner"
    twin.__defaults__ = function.__defaults__
    return twin


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles with numba, for callers in Python and for other compiled functions apart.

    For the second, numba would make a wrapper for Python, a fifth of the time that compiling takes, and
    compile once more for each constant that a function is called with.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        @cache
        def inner() -> Any:
            return _dispatcher(_twin(function), no_cpython_wrapper=True, **options)

        dispatcher = _dispatcher(function, **options)
        dispatcher.get_overload = lambda signature: inner().get_overload(signature)
        dispatcher.get_call_template = lambda args, kws: inner().get_call_template(
            tuple(map(unliteral, args)), {name: unliteral(kw) for name, kw in dict(kws).items()}
        )
        return dispatcher

    return compiled


driver = _compiler()
"""Decorator of a compiled function that allocates arrays. Like all compiled functions here it carries no
annotations: numba infers the types of its arguments at each call."""

kernel = _compiler(_nrt=False, forceinline=False)
"""Decorator of a compiled function that allocates nothing, and so need not count references to its arrays.
Counting costs an atomic instruction at every call, which is more than most of these functions do."""

inline_kernel = _compiler(_nrt=False, forceinline=True)
"""The same for a few operations that are copied into their callers."""
