from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.contamination.code import code_tables, find_code, name_memory
from filters.contamination.words import CHOSEN, NUMBER, UNIT
from tests.filters.contamination.items import ADD_UP
from tests.filters.strategies import documents

JAVASCRIPT = """function addUp(first, second) {
  let total = first + second;
  for (let value = 0; value < total; value++) {
    if (value % 3 === 0) { total += value * 2; }
  }
  return total ** 2;
}
"""
C = """int add_up(int first, int second) {
    int total = first + second;
    for (int value = 0; value < total; value++) {
        if (value % 3 == 0) total += value * 2;
    }
    return total * total;
}
"""
SQL = """SELECT buyers.name, sum(orders.price) AS spent
FROM buyers JOIN orders ON buyers.id = orders.buyer
WHERE orders.year = 2024 GROUP BY buyers.name
ORDER BY spent
"""
PROGRAMS = {"python": ADD_UP, "javascript": JAVASCRIPT, "c": C, "sql": SQL}
CHOSEN_NAMES = ("add_up", "addUp", "first", "second", "total", "value", "spent", "buyers", "orders")


def units(text: str) -> list[tuple[str, int, int]]:
    """The text, the hash and the flags of each unit."""
    content = text.encode()
    data = np.frombuffer(content, dtype=np.uint8)
    found = np.empty(len(content) + 1, dtype=UNIT)
    count = find_code(data, 0, len(content), 0, code_tables(), name_memory(), found)
    assert count <= len(content)
    ends = [0, *found["end"][:count].tolist()]
    assert all(end <= start < stop for end, start, stop in zip(ends, found["start"], ends[1:], strict=False))
    return [
        (content[unit["start"] : unit["end"]].decode(), int(unit["hash"]), int(unit["flags"]))
        for unit in found[:count]
    ]


def hashes(text: str) -> list[int]:
    return [unit[1] for unit in units(text)]


def renamed(program: str, seed: int) -> str:
    draw = random.Random(seed)
    names = {name: "".join(draw.choices("abcdefgh", k=12)) for name in CHOSEN_NAMES}
    return re.sub("|".join(names), lambda found: names[found[0]], program)


@pytest.mark.parametrize("language", ["python", "javascript", "c"])
@given(seed=st.integers(0, 10**6))
def test_names_that_the_author_chose_do_not_count(language, seed):
    program = PROGRAMS[language]
    assert renamed(program, seed) != program
    assert hashes(renamed(program, seed)) == hashes(program)


@pytest.mark.parametrize("language", PROGRAMS)
def test_white_space_does_not_count(language):
    program = PROGRAMS[language]
    assert hashes(program.replace("    ", "\t").replace("\n", "\r\n\r\n")) == hashes(program)
    assert hashes(re.sub(r" (\*\*|[+*%<=]+) ", r"\1", program)) == hashes(program)


@pytest.mark.parametrize(
    ("language", "old", "new"),
    [
        ("python", "    total = first", "    # Adds both, don't ask.\n    total = first"),
        ("python", "    total = first", '    """Adds `both`.\n\n    Don\'t ask.\n    """\n    total = first'),
        ("python", "second\n", "second  # the sum\n"),
        ("javascript", "  let total", "  // Adds both, don't ask.\n  let total"),
        ("javascript", "second;\n", "second; // the sum isn't it\n"),
        ("javascript", "(first, ", "(first /* one's own */, "),
        ("c", "{\n    int total", "{ // adds both\n    int total"),
        ("c", "second;\n", "second; /* the\n sum */\n"),
        ("sql", "spent\nFROM", "spent -- what they've spent\nFROM"),
        ("sql", "SELECT", "-- Who buys?\nSELECT"),
    ],
)
def test_comments_do_not_count(language, old, new):
    program = PROGRAMS[language]
    assert old in program
    assert hashes(program.replace(old, new)) == hashes(program)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("x = 'one'", "x = 'two'"),
        ("x = 3", "x = 4"),
        ("x = 0x10", "x = 0x11"),
        ("x = a + b", "x = a - b"),
        ("x = a // b", "x = a / b"),
        ("x.append(y)", "x.remove(y)"),
        ("for x in y:", "while x in y:"),
        ("a = b + a", "a = b + b"),  # another name in its place
        ("x == y", "x = y"),
        ("len(x)", "sum(x)"),
        ("'abs'", "abs"),
    ],
)
def test_what_a_program_does_counts(text, other):
    assert hashes(text) != hashes(other)


def test_quotation_marks_and_prefixes_of_strings_do_not_count():
    assert hashes("f('one', r'two')") == hashes('f("one", "two")')


def test_kinds_of_units():
    found = [(text, flags) for text, _, flags in units("x = len(y.z) + 3.5\nk")]
    assert found == [
        ("x", CHOSEN),
        ("=", 0),
        ("len", 0),
        ("y", CHOSEN),
        ("z", 0),  # an attribute
        ("+", 0),
        ("3", NUMBER),
        ("5", NUMBER),
        ("k", CHOSEN),
    ]


@pytest.mark.parametrize(
    "before",
    [
        "```python\n",
        "Don't worry, it's easy:\n",
        "See src/*.py and lib/*.py.\n",
        'He said: """\n',
        "'''\n",
        "The `for` loop:\n\n```\n",
    ],
)
def test_program_in_prose_is_not_hidden(before):
    """Marks of prose are no open strings and comments."""
    found = hashes(before + ADD_UP + "```\n")
    program = hashes("x\n" + ADD_UP)[1:]
    assert found[-len(program) :] == program


@given(st.one_of(documents, st.text("ab1 .'\"`/*#-\\\n\0=é", max_size=300)))
def test_units_are_pieces_of_any_text(text):
    units(text)


@pytest.mark.parametrize("piece", ["/* ", "'", '"\\', "\"\"\"'''", "`", "-- ", "a.", "=", "\0", "é", "\\"])
def test_marks_without_end_are_read_in_one_go(piece):
    """Searches for a closing mark that is not there would take hours here if each mark began one."""
    data = np.frombuffer((piece * 4_000_000).encode()[:4_000_000], dtype=np.uint8)
    find_code(data, 0, len(data), 0, code_tables(), name_memory(), np.empty(len(data), dtype=UNIT))
