"""Edits of planted text: a share of its words, or one kind of change throughout."""

import ast
import builtins
import difflib
import re
from collections.abc import Callable, Sequence
from random import Random

CYRILLIC, LATIN = "аеосрхуАЕОСРХ", "aeocpxyAEOCPX"
TO_CYRILLIC, TO_LATIN = str.maketrans(LATIN, CYRILLIC), str.maketrans(CYRILLIC, LATIN)
NAMES = "Aurelia Bertram Cosima Dietrich Eulalia Fergus Giselle Horatio Ingrid Jasper Katinka Leander".split()
CALENDAR = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July "
    "August September October November December I"
).split()


def edited(text: str, rate: float, vocabulary: Sequence[str], random: Random) -> str:
    """`rate` of the words substituted, deleted, or followed by a new one, in turn at random places.

    White space stays. At least one word is edited unless the rate is 0.
    """
    pieces = re.findall(r"\s+|\S+", text)
    places = [at for at, piece in enumerate(pieces) if not piece.isspace()]
    count = max(1, round(rate * len(places))) if rate else 0
    for number, at in enumerate(random.sample(places, count)):
        other = random.choice(vocabulary)
        while other == pieces[at]:
            other = random.choice(vocabulary)
        pieces[at] = (other, f"{pieces[at]} {other}", "")[number % 3]
    return "".join(pieces)


def word_distance(a: str, b: str) -> float:
    """The share of `a`'s words that substitutions, deletions and insertions touch on the way to `b`."""
    first, second = a.split(), b.split()
    steps = difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes()
    changed = sum(max(d - c, f - e) for name, c, d, e, f in steps if name != "equal")
    return changed / len(first)


def upper_case(text: str, random: Random) -> str:
    return text.upper()


def lower_case(text: str, random: Random) -> str:
    return text.lower()


def no_punctuation(text: str, random: Random) -> str:
    """Marks go, and part the words that they stood between; those within numbers stay."""
    parted = re.sub(r"(?<=[^\W\d])[^\w\s'’](?=\w)|(?<=\w)[^\w\s'’](?=[^\W\d])", " ", text)
    return re.sub(r"(?<!\d)[^\w\s]|[^\w\s](?!\d)", "", parted)


def other_spaces(text: str, random: Random) -> str:
    """New line breaks, tabs, double and no-break spaces."""
    return re.sub(r"\s+", lambda _: random.choice(["\n", "  ", "\t", "\u00a0", " ", "\r\n"]), text)


def look_alikes(text: str, random: Random) -> str:
    """In every other word the letters that look alike come from the other alphabet."""
    pieces = re.split(r"(\s+)", text)
    for at in range(0, len(pieces), 4):
        cyrillic = re.search("[а-яё]", pieces[at], re.IGNORECASE)
        pieces[at] = pieces[at].translate(TO_LATIN if cyrillic else TO_CYRILLIC)
    return "".join(pieces)


def zero_width(text: str, random: Random) -> str:
    """A zero-width space, a joiner or a soft hyphen within every other long word."""
    mark = random.choice(["\u200b", "\u200d", "\u00ad", "\u2060"])
    pieces = re.split(r"(\s+)", text)
    for at in range(0, len(pieces), 4):
        if len(pieces[at]) > 3:
            pieces[at] = pieces[at][:2] + mark + pieces[at][2:]
    return "".join(pieces)


def other_names(text: str, random: Random) -> str:
    """Every name becomes another: capitalised words that also stand within a sentence."""
    names = {name for name in re.findall(r"(?<=[a-z,] )([A-Z][a-z]+)\b", text) if name not in CALENDAR}
    others = dict(zip(sorted(names), random.sample(NAMES, min(len(names), len(NAMES))), strict=False))
    return re.sub(r"\b[A-Z][a-z]+\b", lambda found: others.get(found[0], found[0]), text)


def other_numbers(text: str, random: Random) -> str:
    """Every number becomes another of as many digits: the same template, another item."""

    def other(found: re.Match[str]) -> str:
        digits = found[0]
        low = 10 ** (len(digits) - 1) + (len(digits) == 1)
        while (value := str(random.randrange(low, 10 ** len(digits)))) == digits:
            pass
        return value

    return re.sub(r"\d+", other, text)


TEXT_CHANGES: dict[str, Callable[[str, Random], str]] = {
    "upper case": upper_case,
    "lower case": lower_case,
    "no punctuation": no_punctuation,
    "white space": other_spaces,
    "look-alike letters": look_alikes,
    "zero-width characters": zero_width,
}


class _Renamed(ast.NodeTransformer):
    """Functions, arguments and variables under new names; what is built in or imported keeps its own."""

    def __init__(self, tree: ast.AST) -> None:
        names: dict[str, None] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names[node.name] = None
            elif isinstance(node, ast.arg):
                names[node.arg] = None
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] = None
        own = [name for name in names if not hasattr(builtins, name)]
        self.names = {name: f"renamed_{number}" for number, name in enumerate(own)}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg) if node.arg else None
        return self.generic_visit(node)


def _documented(tree: ast.Module, docstring: str | None) -> ast.Module:
    """Every docstring replaced, or removed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            new = [ast.Expr(ast.Constant(docstring))] if docstring else []
            node.body = [*new, *node.body[1:]]
    return tree


def renamed(code: str, random: Random) -> str:
    tree = ast.parse(code)
    return ast.unparse(_Renamed(tree).visit(tree))


def reformatted(code: str, random: Random) -> str:
    """As a printer writes it: other spaces, quotes and line breaks, indented by two, no comments."""
    lines = ast.unparse(ast.parse(code)).splitlines()
    return "\n".join(re.sub(r"^ +", lambda found: found[0][::2], line) for line in lines)


def undocumented(code: str, random: Random) -> str:
    return ast.unparse(_documented(ast.parse(code), None))


def redocumented(code: str, random: Random) -> str:
    """Another docstring, and a comment behind every third line."""
    text = ast.unparse(_documented(ast.parse(code), "Solves one of the tasks of this week's exercise sheet."))
    lines = text.splitlines()
    lines[::3] = [line + "  # as was said in the lecture" for line in lines[::3]]
    return "\n".join(lines)


def rewritten_form(code: str, random: Random) -> str:
    """Renamed, undocumented and reformatted at once."""
    return reformatted(undocumented(renamed(code, random), random), random)


CODE_CHANGES: dict[str, Callable[[str, Random], str]] = {
    "identifiers renamed": renamed,
    "reformatted": reformatted,
    "docstrings removed": undocumented,
    "docstrings and comments changed": redocumented,
    "renamed, undocumented, reformatted": rewritten_form,
}
