"""Compilers of the loops over text: numba, cached on disk, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.types import unliteral


@cache
def _source_stamp() -> tuple[float, int]:
    """Latest time and total size of the files of `filters`: changes when any of them does."""
    stats = [path.stat() for path in Path(__file__).parents[1].rglob("*.py")]
    return max(stat.st_mtime for stat in stats), sum(stat.st_size for stat in stats)


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles with numba.

    numba's cache asks only whether the function's own file has changed, though its machine code contains
    functions of other files as well. Here it asks for the whole package, so no stale code is ever run.

    And numba would compile a function once more for each constant that it is called with.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        dispatcher._cache._cache_file._source_stamp = _source_stamp()
        for_types = dispatcher.get_call_template
        dispatcher.get_call_template = lambda args, kws: for_types(
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
