"""The macros that a paper defines, put in the place of their names, as far as they are simple."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.sources.latex.groups import argument, option

MAX_ROUNDS = 8
"""So deep macros stand within macros; what is deeper stays as it is."""

MAX_GROWTH = 1 << 22
"""Characters that a paper may gain by its macros."""

_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|renewcommand|providecommand|DeclareRobustCommand)\*?\s*"
    r"(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
    r"|\\(?:long\s*|global\s*)*[egx]?def\s*\\([A-Za-z]+)"
    r"|\\DeclareMathOperator\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
)
_PARAMETERS = re.compile(r"\s*((?:#[1-9])*)\s*(?=\{)")
_PARAMETER = re.compile(r"##|#([1-9])")
_PROGRAMS = re.compile(
    r"\\(?:expandafter|csname|futurelet|catcode|if[a-zA-Z@]*|loop|afterassignment|aftergroup|read|write|"
    r"uppercase|lowercase|noexpand|edef|newcount|advance|the|@[A-Za-z@]+)(?![A-Za-z])|@"
)
_KEPT = frozenset(
    "begin end section subsection subsubsection paragraph chapter part title author abstract caption cite "
    "ref label item footnote input include maketitle bibliography documentclass usepackage par".split()
)
"""Names that have their meaning whatever a paper makes of them."""


@dataclass(frozen=True)
class Macro:
    """A macro and what it stands for."""

    parameters: int
    default: str | None
    """Of the first parameter, if that is optional."""
    body: str


def take_definitions(text: str) -> tuple[str, dict[str, Macro]]:
    """The text without its definitions, and those of them that are simple."""
    found: dict[str, Macro] = {}
    pieces = []
    position = 0
    while (match := _DEFINITION.search(text, position)) is not None:
        definition = _definition(text, match)
        pieces.append(text[position : match.start()])
        if definition is None:
            pieces.append(match[0])
            position = match.end()
            continue
        name, macro, position = definition
        calls_itself = re.search(rf"\\{name}(?![A-Za-z])", macro.body) is not None
        if name not in _KEPT and not calls_itself and not _PROGRAMS.search(macro.body):
            found[name] = macro
    return "".join([*pieces, text[position:]]), found


def _definition(text: str, match: re.Match[str]) -> tuple[str, Macro, int] | None:
    """Name, macro and the end of a definition; None if it is none that can be read."""
    name = next(filter(None, match.groups()))
    position = match.end()
    if match[4] or match[5]:
        operator = argument(text, position)
        return (name, Macro(0, None, f"\\operatorname{{{operator[0]}}}"), operator[1]) if operator else None
    parameters, default = 0, None
    if match[3]:
        signature = _PARAMETERS.match(text, position)
        if signature is None:
            return None
        parameters, position = len(signature[1]) // 2, signature.end()
    else:
        if (number := option(text, position)) is not None:
            if not (number[0].strip().isdigit() and int(number[0]) <= 9):
                return None
            parameters, position = int(number[0]), number[1]
            if (given := option(text, position)) is not None:
                default, position = given
        if not (text[position:].lstrip().startswith("{")):
            return None
    body = argument(text, position)
    return (name, Macro(parameters, default, body[0]), body[1]) if body else None


def expand(text: str, macros: dict[str, Macro]) -> str:
    """The text with the macros' bodies in the place of their names."""
    if not macros:
        return text
    names = "|".join(map(re.escape, sorted(macros, key=len, reverse=True)))
    called = re.compile(rf"\\({names})(?![A-Za-z@])[ \t]*")
    limit = len(text) + MAX_GROWTH
    for _ in range(MAX_ROUNDS):
        text, changed = _expanded_once(text, called, macros, limit)
        if not changed:
            break
    return text


def _expanded_once(
    text: str, called: re.Pattern[str], macros: dict[str, Macro], limit: int
) -> tuple[str, bool]:
    pieces: list[str] = []
    position = size = 0
    changed = False
    while (match := called.search(text, position)) is not None:
        filled = _filled(text, match, macros[match[1]])
        if size + (len(filled[0]) if filled else 0) + len(text) - match.start() > limit:
            break
        pieces.append(text[position : match.start()])
        size += match.start() - position
        if filled is None:
            pieces.append(match[0])
            position = match.end()
        else:
            pieces.append(filled[0])
            position = filled[1]
            changed = True
        size += len(pieces[-1])
    return "".join([*pieces, text[position:]]), changed


def _filled(text: str, match: re.Match[str], macro: Macro) -> tuple[str, int] | None:
    """The body with the arguments of a call in it, and where the call ends."""
    position = match.end()
    values: list[str] = []
    if macro.default is not None:
        given = option(text, position)
        values.append(macro.default if given is None else given[0])
        position = position if given is None else given[1]
    while len(values) < macro.parameters:
        found = argument(text, position)
        if found is None:
            return None
        values.append(found[0])
        position = found[1]

    def value(parameter: re.Match[str]) -> str:
        number = int(parameter[1] or 0)
        return "#" if not number else values[number - 1] if number <= len(values) else ""

    body = _PARAMETER.sub(value, macro.body)
    if not macro.parameters and text[match.end() : match.end() + 2] == "{}":
        position += 2
    ends_in_name = re.search(r"\\[A-Za-z]+$", body) is not None
    goes_on = text[position : position + 1].isalpha()
    return (body + " " if ends_in_name and goes_on else body), position
