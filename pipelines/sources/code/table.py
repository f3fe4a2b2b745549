"""What github-linguist knows of languages and paths, as data: see LINGUIST_NOTICE.md beside it."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson

PATH = Path(__file__).with_name("linguist.json")
"""Made by `benchmarks/linguist_table.py`."""


@cache
def linguist() -> dict[str, Any]:
    """The table, read once."""
    table: dict[str, Any] = orjson.loads(PATH.read_bytes())
    return table
