"""Small benchmarks, and what is found of them."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pyarrow as pa

from filters.contamination.index import Index, build_index
from filters.contamination.items import ITEMS
from filters.contamination.match import find_matches

EGGS = (
    "Janet sells 16 eggs a day at the market and bakes 4 of them into muffins for her neighbours every "
    "morning. How many dollars does Janet earn each week?"
)
ADD_UP = """def add_up(first, second):
    total = first + second
    for value in range(total):
        if value % 3 == 0:
            total += value * 2
    return total ** 2
"""


def items(*rows: dict[str, Any]) -> pa.Table:
    """A table ITEMS; each row is told by the texts that it has."""
    nothing = dict.fromkeys(ITEMS.names)
    return pa.Table.from_pylist(
        [nothing | {"benchmark": "bench", "item_id": str(number)} | row for number, row in enumerate(rows)],
        ITEMS,
    )


def index_of(*rows: dict[str, Any]) -> Index:
    return build_index(items(*rows))


def matches(index: Index, *documents: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = find_matches(pa.array(documents, pa.large_string()), index).to_pylist()
    return found


def kinds(index: Index, document: str) -> list[tuple[int, str]]:
    """The item and the kind of each match in a document."""
    return [(match["item"], match["kind"]) for match in matches(index, document)]


@cache
def vocabulary() -> list[str]:
    """Words that no language has."""
    draw = random.Random(11)
    return ["".join(draw.choices("bcdfghjklmnpqrtvwxz", k=draw.randint(4, 8))) for _ in range(5000)]


def rare_text(words: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(vocabulary(), k=words))
