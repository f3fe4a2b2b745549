"""Documents of all kinds of protected items, made by a seed, and a translator by a toy dictionary."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

DICTIONARY = {
    "the": "та", "small": "малый", "river": "река", "carries": "несёт", "grain": "зерно", "and":
    "и", "salt": "соль", "past": "мимо", "old": "старый", "mills": "мельницы", "people": "люди",
    "write": "пишут", "letters": "письма", "about": "про", "weather": "погода", "when": "когда",
    "snow": "снег", "falls": "падает", "they": "они", "call": "зовут", "friends": "друзья", "open":
    "открыть", "value": "значение", "name": "имя", "text": "текст", "print": "печать", "return":
    "вернуть", "list": "список", "first": "первый", "then": "затем", "use": "взять", "with": "с",
    "see": "смотри", "in": "в", "of": "из", "costs": "стоит", "more": "больше", "than": "чем",
}  # fmt: skip
WORDS = sorted(DICTIONARY)
_MARK_OR_WORD = re.compile(r"⟦\d+⟧|[A-Za-z]+")


def translated(text: str) -> str:
    """The text with its words mapped, and all else, marks among it, as it is."""
    return _MARK_OR_WORD.sub(lambda found: _word(found[0]), text)


def _word(word: str) -> str:
    new = DICTIONARY.get(word.lower(), word)
    return new.capitalize() if word[0].isupper() else new


@dataclass
class Written:
    """A document and what was planted in it."""

    blocks: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(self.blocks)

    @property
    def translation(self) -> str:
        """What a perfect model that knows the toy dictionary makes of it."""
        rest, pieces = self.text, []
        for item in self.items:
            before, _, rest = rest.partition(item)
            pieces += [translated(before), item]
        return "".join([*pieces, translated(rest)])


INLINE: tuple[Callable[[random.Random], str], ...] = (
    lambda r: f"`{_pick(r)}({_pick(r)})`",
    lambda r: f"``{_pick(r)} ` {_pick(r)}``",
    lambda r: f"${_letter(r)}^{{{r.randint(2, 9)}}} + {_letter(r)}$",
    lambda r: f"\\({_letter(r)} = {r.randint(1, 99)}\\)",
    lambda r: f"https://{_pick(r)}.example.org/{_pick(r)}/{_pick(r)}?{_pick(r)}={r.randint(1, 99)}",
    lambda r: f"{_pick(r)}.{_pick(r)}@example.com",
    lambda r: f"{{{_pick(r)}}}",
    lambda r: f"{{{{ {_pick(r)}.{_pick(r)} }}}}",
    lambda r: f"${{{_pick(r).upper()}}}",
    lambda r: "%s",
    lambda r: f"%({_pick(r)})s",
    lambda r: f"[{_pick(r).upper()}]",
    lambda r: f"<{_pick(r)}>",
    lambda r: f'<a href="{_pick(r)}">',
    lambda r: (
        f'{{"{_pick(r)}": "{_pick(r)} {_pick(r)}", "{_pick(r)}": [{r.randint(1, 9)}, {{"text": null}}]}}'
    ),
    lambda r: f"src/{_pick(r)}/{_pick(r)}.py",
    lambda r: f"/usr/{_pick(r)}/{_pick(r)}",
    lambda r: f"v{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 20)}",
    lambda r: f"20{r.randint(10, 30)}-0{r.randint(1, 9)}-1{r.randint(0, 9)}",
    lambda r: f"{_pick(r)}_{_pick(r)}",
)


def _fenced(r: random.Random, mark: str, info: str = "") -> str:
    code = "\n".join(
        f"{'    ' * r.randint(0, 1)}{_pick(r)}({_pick(r)}, {r.randint(1, 99)})" for _ in range(3)
    )
    return f"{mark}{info}\n{code}\n\n{_pick(r)} {_pick(r)}\n{mark}"


def _nested(r: random.Random) -> str:
    return f"````markdown\n{_fenced(r, '```', 'py')}\n\n{_pick(r)}\n````"


def _in_list(r: random.Random) -> str:
    return "\n".join(f"   {line}" if line else "" for line in _fenced(r, "```", "sh").split("\n"))


CODE: tuple[Callable[[random.Random], str], ...] = (
    lambda r: _fenced(r, "```", "python"),
    lambda r: _fenced(r, "~~~"),
    lambda r: _fenced(r, "~~~~", "js title=a"),
    _nested,
    lambda r: f"~~~\n{_fenced(r, '```')}\n~~~",
    lambda r: f"    {_pick(r)} = {_pick(r)}\n\n      {_pick(r)} += {r.randint(1, 9)}",
    lambda r: f"$$\n{_letter(r)} = \\frac{{{r.randint(1, 9)}}}{{{_letter(r)}}}\n$$",
    lambda r: f"\\begin{{align}}\n{_letter(r)} &= {r.randint(1, 9)} \\\\\n{_letter(r)} &= 0\n\\end{{align}}",
    lambda r: f"\\[\n{_letter(r)} < \\text{{{_pick(r)} {_pick(r)}}}\n\\]",
    lambda r: f'{{\n  "{_pick(r)}": "{_pick(r)}",\n  "{_pick(r)}": {{"{_pick(r)}": {r.randint(1, 9)}}}\n}}',
    lambda r: f"<pre>\n{_pick(r)} {_pick(r)}\n</pre>",
)


def written(r: random.Random, *, blocks: int = 6, name: str = "", unclosed: bool | None = None) -> Written:
    """A document, with a name in each block of its prose where one is given."""
    document = Written()
    makers = (_paragraph, _paragraph, _heading, _bullets, _numbered, _table, _quote, _code, _code)
    document.blocks.append(_paragraph(r, document, name))
    for _ in range(r.randint(1, blocks)):
        document.blocks.append(r.choice(makers)(r, document, name))
    if r.random() < 0.2 if unclosed is None else unclosed:
        code = f"{r.choice(['```py', '~~~', '````'])}\n{_pick(r)}({_pick(r)})\n\n{_pick(r)} {_pick(r)}"
        document.items.append(code)
        document.blocks.append(code)
    return document


def _paragraph(r: random.Random, document: Written, name: str) -> str:
    return " ".join(_sentence(r, document, name) for _ in range(r.randint(1, 4)))


def _heading(r: random.Random, document: Written, name: str) -> str:
    return f"{'#' * r.randint(1, 4)} {_sentence(r, document, name)}"


def _bullets(r: random.Random, document: Written, name: str) -> str:
    sign = r.choice("-*+")
    return "\n".join(f"{sign} {_sentence(r, document, name)}" for _ in range(r.randint(2, 4)))


def _numbered(r: random.Random, document: Written, name: str) -> str:
    first, code = _sentence(r, document, name), _in_list(r)
    document.items.append(code)
    return f"1. {first}\n{code}\n2. {_sentence(r, document, name)}"


def _table(r: random.Random, document: Written, name: str) -> str:
    rows = [
        [_words(r, 2), _inline(r, document, r"[|\n]"), str(r.randint(1, 999))] for _ in range(r.randint(1, 3))
    ]
    lines = [f"| {' | '.join(row)} |" for row in ([name or _pick(r), _pick(r), _pick(r)], ["---"] * 3, *rows)]
    return "\n".join(lines)


def _quote(r: random.Random, document: Written, name: str) -> str:
    return f"> {_sentence(r, document, name)}\n> {_sentence(r, document, name)}"


def _code(r: random.Random, document: Written, name: str) -> str:
    before, code = _sentence(r, document, name), r.choice(CODE)(r)
    document.items.append(code)
    return f"{before}\n\n{code}\n\n{_words(r, 3).capitalize()}:"


def _sentence(r: random.Random, document: Written, name: str) -> str:
    parts = [name, _words(r, r.randint(3, 6))]
    for _ in range(r.randint(0, 3)):
        parts += [_inline(r, document), _words(r, r.randint(2, 4))]
    if r.random() < 0.3:
        parts += [r.choice(["costs $5 and $10 more", "than 1,250.75", "of 3", "in 1994", "with 40%"])]
    return " ".join(filter(None, parts)) + r.choice([".", ".", "?"])


def _inline(r: random.Random, document: Written, never: str = "$^") -> str:
    item = r.choice(INLINE)(r)
    if re.search(never, item):
        return "text"
    document.items.append(item)
    return item


def _words(r: random.Random, count: int) -> str:
    return " ".join(_pick(r) for _ in range(count))


def _pick(r: random.Random) -> str:
    return r.choice(WORDS)


def _letter(r: random.Random) -> str:
    return r.choice("abcxyz")


def asked_for(messages: list[dict[str, str]]) -> str:
    """The text that a prompt asks to translate."""
    return messages[-1]["content"].rpartition("\n<text>\n")[2].removesuffix("\n</text>")


DAMAGES: dict[str, Callable[[str, str], str]] = {
    "dropped": lambda text, mark: text.replace(mark, "", 1),
    "doubled": lambda text, mark: text.replace(mark, f"{mark} {mark}", 1),
    "mangled": lambda text, mark: text.replace(mark, mark[:-1], 1),
    "renumbered": lambda text, mark: text.replace(mark, f"⟦{int(mark[1:-1]) + 1000}⟧", 1),
    "translated": lambda text, mark: text.replace(mark, "`код`", 1),
    "moved": lambda text, mark: f"{text.replace(mark, '', 1)}\n\n{mark}",
    "number": lambda text, mark: re.sub(
        r"(?<!\d)\d+(?![\d⟧])", lambda found: str(int(found[0]) + 1), text, count=1
    ),
}
"""Ways in which a model damages one item: from a translation and one of its marks to what it says."""


def damaged(translation: str, r: random.Random) -> str | None:
    """A translation with one item damaged, None where it has none."""
    marks = re.findall(r"⟦\d+⟧", translation)
    if not marks:
        return None
    kinds = list(DAMAGES)
    r.shuffle(kinds)
    mark = r.choice(marks)
    return next(
        new for kind in kinds if (new := DAMAGES[kind](translation, mark)).split() != translation.split()
    )
