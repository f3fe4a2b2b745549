"""The only ways to standard output and error beside the console: all that they write is fit to be printed."""

from __future__ import annotations

import sys
from typing import Any

import orjson

from mixers.printable import escaped_json, printable


def say(text: str) -> None:
    """Print on standard output."""
    print(printable(text))


def complain(text: str) -> None:
    """Print an error or a warning on standard error."""
    print(printable(text), file=sys.stderr)


def json_bytes(value: Any, layout: int = orjson.OPT_INDENT_2) -> bytes:
    """JSON that can be printed, indented or in another `layout`; what is not finite becomes null."""
    try:
        content = orjson.dumps(value, option=layout | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate, as in the name of a file that is not UTF-8
        content = orjson.dumps(_replaced(value), option=layout | orjson.OPT_NON_STR_KEYS)
    return escaped_json(content.decode()).encode() + b"\n"


def _replaced(value: Any) -> Any:
    """The value with every string fit to be printed."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    return [_replaced(item) for item in value] if isinstance(value, list | tuple) else value


def print_json(value: Any) -> None:
    """Print indented JSON on standard output."""
    sys.stdout.buffer.write(json_bytes(value))


def print_json_line(value: Any) -> None:
    """Print JSON on a line of standard output, at once."""
    content = json_bytes(value, layout=0)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
