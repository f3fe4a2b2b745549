"""The parts of a docstring: its description, and its sections in the styles of NumPy, Google and Sphinx."""

import re
import textwrap

_NAMES = {
    "args": "Parameters",
    "arguments": "Parameters",
    "parameters": "Parameters",
    "params": "Parameters",
    "keyword args": "Parameters",
    "keyword arguments": "Parameters",
    "other parameters": "Parameters",
    "return": "Returns",
    "returns": "Returns",
    "yields": "Returns",
    "raises": "Raises",
}
_HEADING = re.compile(r"([A-Z][A-Za-z]*(?: [A-Za-z]+)?):?")
_RULE = re.compile(r"[-=~]{3,}")
_FIELD = re.compile(r":(param|parameter|arg|type|key|keyword|returns?|rtype|raises?|yields?)\b")
_FIELD_SECTIONS = {"ret": "Returns", "rty": "Returns", "yie": "Returns", "rai": "Raises"}


def split_docstring(docstring: str) -> dict[str, str]:
    """Section name to text: `""` is the description; Parameters, Returns and Raises as far as they are there.

    Other sections (examples, notes, references), doctests and directives are left out.
    """
    found: dict[str, list[str]] = {}
    current = ""
    lines = docstring.splitlines()
    skip_rule = False
    for index, line in enumerate(lines):
        following = lines[index + 1].strip() if index + 1 < len(lines) else ""
        if skip_rule:
            skip_rule = False
            continue
        field = _FIELD.match(line)
        heading = _HEADING.fullmatch(line.rstrip())
        underlined = bool(heading and _RULE.fullmatch(following))
        if field:
            current = _FIELD_SECTIONS.get(field[1][:3], "Parameters")
        elif heading and (underlined or (line.rstrip().endswith(":") and _indented(lines, index + 1))):
            name = heading[1].lower()
            current, skip_rule = _NAMES.get(name, heading[1]), underlined
            found.setdefault(current, [])
            continue
        found.setdefault(current, []).append(line)
    kept = ("", "Parameters", "Returns", "Raises")
    texts = {name: _clean("\n".join(found[name])) for name in kept if name in found}
    return {name: text for name, text in texts.items() if text}


def _indented(lines: list[str], index: int) -> bool:
    """Whether the next line that is not blank is indented."""
    following = next((line for line in lines[index:] if line.strip()), "")
    return following.startswith((" ", "\t"))


def _clean(text: str) -> str:
    """Paragraphs without doctests and directives."""
    paragraphs = re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n"))
    kept = [
        part.rstrip() for part in paragraphs if part.strip() and not part.lstrip().startswith((">>>", ".. "))
    ]
    return "\n\n".join(kept)
