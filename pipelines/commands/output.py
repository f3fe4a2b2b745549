"""Results for programs."""

import sys
from typing import Any

import orjson


def print_json(value: Any) -> None:
    """Print indented JSON on standard output; what is not finite becomes null."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n")
