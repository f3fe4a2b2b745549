"""What Python code says about itself: its functions and classes with their docstrings, without running it."""

import ast
import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SOURCE_BYTES = 4 << 20
"""Larger sources are generated tables; parsing takes about 50 times their size in memory."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Documented:
    """A function, method or class and its docstring, cleaned of its indentation."""

    qualname: str
    """Dotted path within the module, e.g. `Series.map`."""
    node: Definition
    docstring: str

    @property
    def title(self) -> str:
        """The dotted path, of a function with its parameters."""
        if isinstance(self.node, ast.ClassDef):
            return self.qualname
        return self.qualname.removesuffix(self.node.name) + signature(self.node)


def parse_python(source: str) -> ast.Module | None:
    """The syntax tree, or None if this is not Python, or is nested or sized to exhaust the parser."""
    if len(source) > MAX_SOURCE_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the source's own escapes and literals
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def documented(module: ast.Module) -> Iterator[Documented]:
    """Functions, classes and their methods that have docstrings, in the order of the source."""
    waiting: list[tuple[str, ast.stmt]] = [("", node) for node in reversed(module.body)]
    while waiting:
        prefix, node = waiting.pop()
        if isinstance(node, (ast.If, ast.Try)):
            waiting += [(prefix, inner) for inner in reversed(node.body)]
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        docstring = docstring_of(node)
        if docstring:
            yield Documented(prefix + node.name, node, docstring)
        if isinstance(node, ast.ClassDef):
            waiting += [(f"{prefix}{node.name}.", inner) for inner in reversed(node.body)]


def is_public(qualname: str) -> bool:
    """Whether no part of a dotted path begins with an underscore."""
    return not any(name.startswith("_") for name in qualname.split("."))


def docstring_of(node: ast.Module | Definition) -> str:
    """The cleaned docstring; empty if there is none or it cannot be written as UTF-8."""
    raw = ast.get_docstring(node, clean=False)
    if raw is None or any("\ud800" <= character <= "\udfff" for character in raw):
        return ""
    return inspect.cleandoc(raw).strip()


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Name and parameters as in a call, e.g. `mean(a, axis=None)`, without `self` and annotations."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    parts = [_parameter(argument, default) for argument, default in zip(positional, defaults, strict=True)]
    if positional and positional[0].arg in ("self", "cls"):
        parts = parts[1:]
    if given.vararg:
        parts.append(f"*{given.vararg.arg}")
    elif given.kwonlyargs:
        parts.append("*")
    parts += [_parameter(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        parts.append(f"**{given.kwarg.arg}")
    return f"{node.name}({', '.join(parts)})"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    if default is None:
        return argument.arg
    try:
        written = ast.unparse(default)
    except RecursionError:
        written = "..."
    return f"{argument.arg}={written if len(written) <= 40 else '...'}"
