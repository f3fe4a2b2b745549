"""What a translation must not change: code, formulas, addresses, placeholders, data, names of files.

Blocks of code are found as CommonMark has them, and more forgivingly where texts are sloppy: a fence may
stand at any depth of a list, and what is inside it need not be as deep. One that is not closed goes to the
end, or to the end of its quotation. An object of JSON is protected as a whole, with its values: they are
data that a program reads, and half of an object in another language is right for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

OPEN, CLOSE = "\u27e6", "\u27e7"
"""The brackets of marks. Where a text has them itself, they are protected like everything that looks so."""


@dataclass(frozen=True, slots=True)
class Span:
    """A protected part of a text, from the character `start` up to `end`."""

    start: int
    end: int
    is_block: bool = False
    """Whether it is made of whole lines, several or those of a block of code."""


def protected(text: str) -> list[Span]:
    """What must not change in a text, in order; no two touch."""
    blocks = code_blocks(text)
    spans = [Span(start, end, True) for start, end in blocks]
    for start, end in _gaps(blocks, 0, len(text)):
        wholes = _leftmost(
            [*_code_spans(text, start, end), *_objects(text, start, end), *_elements(text, start, end)]
        )
        found = list(wholes)
        for inner, stop in _gaps(wholes, start, end):
            found += [*_formulas(text, inner, stop), *_inline(text, inner, stop)]
        spans += [_as_block(text, *span) for span in _joined(text, found)]
    return sorted(spans, key=lambda span: span.start)


def code_blocks(text: str) -> list[tuple[int, int]]:
    """The blocks of code of a text, fenced and indented, in whole lines without the last line's end."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    fences = _fences(lines)
    for first, last in fences:
        lines[first:last] = [""] * (last - first)
    blocks = sorted([*fences, *_indented(lines)])
    return [(starts[first], starts[last] - 1) for first, last in blocks]


_FENCE = re.compile(
    r"(?P<before>(?:[ \t]*+(?:>|[-*+](?=[ \t])|\d{1,9}+[.)](?=[ \t])))*+[ \t]*+)"
    r"(?P<mark>`{3,}+|~{3,}+)(?P<info>.*+)"
)
_QUOTED = re.compile(r"[ \t]*+>")


def _fences(lines: list[str]) -> list[tuple[int, int]]:
    """The fenced blocks: the first line of each, and the one after its last."""
    found = []
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening and not (opening["mark"][0] == "`" and "`" in opening["info"]):
            end = _fence_end(lines, at, opening)
            found.append((at, end))
            at = end
        else:
            at += 1
    return found


def _fence_end(lines: list[str], first: int, opening: re.Match[str]) -> int:
    mark, quoted = opening["mark"], ">" in opening["before"]
    depth = len(opening["before"].expandtabs(4)) + 3
    for at in range(first + 1, len(lines)):
        if quoted and not _QUOTED.match(lines[at]):
            return at
        bare = lines[at].lstrip(" \t>") if quoted else lines[at].lstrip(" \t")
        if bare.startswith(mark) and not bare.strip(mark[0]).strip():
            before = lines[at][: len(lines[at]) - len(bare)].expandtabs(4)
            if len(before) <= depth:
                return at + 1
    return len(lines)


@lru_cache(maxsize=1)
def block_parser() -> MarkdownIt:
    """Finds the blocks of Markdown, tables among them."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")


def _indented(lines: list[str]) -> list[tuple[int, int]]:
    text = "\n".join(lines).replace("\r", " ")
    if "    " not in text and "\t" not in text:
        return []
    tokens = block_parser().parse(text)
    found = [token.map for token in tokens if token.type == "code_block" and token.map]
    return [(first, last) for first, last in found]


def _code_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Code between runs of as many backticks, each within a paragraph."""
    for first, last in _paragraphs(text, start, end):
        runs = list(_BACKTICKS.finditer(text, first, last))
        closing: dict[int, int] = {}
        following: list[int | None] = [None] * len(runs)
        for at in reversed(range(len(runs))):
            length = len(runs[at].group())
            following[at] = closing.get(length)
            closing[length] = at
        at = 0
        while at < len(runs):
            closes = following[at]
            opens = closes is not None and text[runs[at].start() - 1 : runs[at].start()] != "\\"
            if closes is None or not opens:
                at += 1
                continue
            if "''" not in text[runs[at].end() : runs[closes].start()]:  # no quotation in the way of LaTeX
                yield runs[at].start(), runs[closes].end()
            at = closes + 1


_BACKTICKS = re.compile("`++")
_BLANK = re.compile(r"\n[ \t\r]*+\n")


def _paragraphs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    blanks = [found.span() for found in _BLANK.finditer(text, start, end)]
    return _gaps(blanks, start, end)


_OBJECT = re.compile(r"""\{\s*+(?:"[^"\n]*+"|'[^'\n]*+')\s*+:""")
_OBJECT_PART = re.compile(
    r"""(?P<open>[{\[])|(?P<close>[}\]])|(?P<blank>\n[ \t\r]*+\n)
    |"(?:[^"\\\n]|\\.)*+(?:"|(?=\n)|\Z)|'(?:[^'\\\n]|\\.)*+(?:'|(?=\n)|\Z)""",
    re.VERBOSE,
)


def _objects(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Objects as JSON, JavaScript and Python write them; one that is not closed goes to a blank line."""
    at = start
    while found := _OBJECT.search(text, at, end):
        depth, at = 0, end
        for part in _OBJECT_PART.finditer(text, found.start(), end):
            depth += (part.lastgroup == "open") - (part.lastgroup == "close")
            if depth == 0 or part.lastgroup == "blank":
                at = part.start() if part.lastgroup == "blank" else part.end()
                break
        yield found.start(), found.start() + len(text[found.start() : at].rstrip())


_ELEMENT = re.compile(
    r"""(?is)<(?P<name>pre|code|script|style|kbd|samp|var|math|svg)\b[^<>]*+>
    (?:(?!<(?P=name)\b|</(?P=name)\b).)*+</(?P=name)\s*+>
    |<!--(?:(?!<!--|-->).)*+-->
    |<!\[CDATA\[(?:(?!<!\[CDATA\[|\]\]>).)*+\]\]>""",
    re.VERBOSE,
)


def _elements(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Elements of HTML that hold code, and comments."""
    return (found.span() for found in _ELEMENT.finditer(text, start, end))


def _formulas(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    yield from _environments(text, start, end)
    for tokens in _DELIMITERS:
        yield from _delimited(text, start, end, tokens)
    yield from _between_dollars(text, start, end)


_ENVIRONMENT = re.compile(r"\\(?P<what>begin|end)\{(?P<name>[A-Za-z]{1,30}\*?)\}")
_OF_PROSE = frozenset(
    "document abstract itemize enumerate description quote quotation center flushleft flushright "
    "figure table minipage theorem lemma proof definition corollary proposition remark example frame "
    "block letter".split()
)
"""Environments of LaTeX that hold text to translate."""


def _environments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begun: dict[str, list[int]] = {}
    for found in _ENVIRONMENT.finditer(text, start, end):
        name = found["name"]
        if found["what"] == "begin":
            begun.setdefault(name, []).append(found.start())
        elif begun.get(name):
            first = begun[name].pop()
            if name.rstrip("*") not in _OF_PROSE:
                yield first, found.end()


_DELIMITERS = (
    re.compile(r"(?P<open>\\{1,2}\()|(?P<close>\\{1,2}\))|\\."),
    re.compile(r"(?P<open>\\{1,2}\[)|(?P<close>\\{1,2}\])|\\."),
    re.compile(r"(?P<both>\$\$)|\\."),
)
_DOLLAR = re.compile(r"(?P<dollar>\$)|(?P<blank>\n[ \t\r]*+\n)|\\.")
_OPENS = re.compile(r"\$(?![\s$])")
_CLOSES = re.compile(r"(?<=[^\s\\/,($])\$(?![0-9A-Z_$])")
_OF_FORMULAS = re.compile(r"[\\^_={}<>+|]")
_TWO_WORDS = re.compile(r"[^\W\d_]{2,}+[ \t]++[^\W\d_]{2,}")


def _delimited(text: str, start: int, end: int, tokens: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    opened: re.Match[str] | None = None
    for token in tokens.finditer(text, start, end):
        if (
            opened
            and token.lastgroup in ("close", "both")
            and _is_formula(text[opened.end() : token.start()])
        ):
            yield opened.start(), token.end()
            opened = None
        elif token.lastgroup in ("open", "both"):
            opened = token


def _between_dollars(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Formulas between dollars, told from prices as Pandoc does (`tex_math_dollars`) and by their words."""
    opened: int | None = None
    for token in _DOLLAR.finditer(text, start, end):
        at = token.start()
        if token.lastgroup == "blank":
            opened = None
        elif token.lastgroup == "dollar":
            if opened is not None and _CLOSES.match(text, at) and _is_formula(text[opened + 1 : at]):
                yield opened, at + 1
                opened = None
            else:
                opened = at if _OPENS.match(text, at) else None


def _is_formula(content: str) -> bool:
    return bool(content.strip()) and bool(_OF_FORMULAS.search(content) or not _TWO_WORDS.search(content))


_UNSPACED = "\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef"
_INLINE = re.compile(
    rf"""
    (?:(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{{1,20}}+://|(?<![\w.])(?:www\.|mailto:|data:[a-z]+/))
        [^\s<>"'`{OPEN}{CLOSE}{_UNSPACED}]++                  # an address of the web
    | (?<=\])\((?:[^()\s{OPEN}{CLOSE}]|\([^()\s]*+\))*+(?:\)|(?=\s+["']))  # where a link goes
    | (?<=\])\[[^\[\]\n]{{1,100}}+\]                          # which link a reference means
    | (?m:^)[ ]{{0,3}}\[[^\[\]\n]{{1,100}}+\]:                 # and where it says so
    | <\|[^<>|\n]{{1,100}}+\|>                                # a special token
    | <</?[A-Z]++>>
    | </?[A-Za-z][^<>]{{0,2000}}+>                            # a tag of HTML or a placeholder
    | [$\#%]?\{{\{{[^{{}}\n]{{1,200}}+\}}\}}                  # placeholders of templates
    | \{{%[^{{}}\n]{{1,200}}+%\}}
    | [$\#%]?\{{[^{{}}\n]{{1,200}}+\}}
    | \$[A-Z_][A-Z0-9_]++\b
    | %\([A-Za-z_]\w{{0,50}}\)[sdifrgx]
    | %[-+0\#]?\d{{0,4}}(?:\.\d{{1,3}})?[sdifgxXeEcu@](?![A-Za-z])
    | %[A-Z_]{{2,40}}%
    | \[/?[A-Z][A-Z0-9_ -]{{0,60}}[A-Z0-9]\]
    | (?<!\w)__[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*__(?!\w)
    | (?<![\w@])@[A-Za-z0-9_]{{2,}}
    | \\[ntr](?![a-z])                                        # an escape, a command of LaTeX
    | \\(?:begin|end|\w{{0,6}}ref|cite\w{{0,8}}|label|url|input|include\w{{0,8}}|usepackage|documentclass)
        \*?(?:\[[^\[\]\n]{{0,200}}+\])?\{{[^{{}}\n]{{0,200}}+\}}
    | \\[A-Za-z]++\*?\{{?
    | [A-Za-z]:\\[^\s<>"|?*:;,{OPEN}{CLOSE}]*+                  # a path of Windows
    | [{OPEN}{CLOSE}]++
    """,
    re.VERBOSE,
)
_ASCII_WORD = re.compile(r"(?<![A-Za-z0-9_./+@~%-])[A-Za-z0-9_./+@~%-]++(?:\(\))?")
_EXTENSIONS = (
    "py pyi ipynb js mjs ts tsx jsx json jsonl yaml yml toml ini cfg conf md rst txt csv tsv xml html "
    "htm css scss sh bash zsh bat ps1 c h cc cpp hpp cs java kt go rs rb php pl lua swift sql r jl m "
    "scala tex bib log lock env pdf doc docx xls xlsx ppt pptx odt png jpg jpeg gif svg webp bmp ico "
    "mp3 mp4 wav ogg avi mov mkv zip gz tar tgz bz2 xz 7z rar exe dll so dylib bin iso img apk jar "
    "war whl deb rpm parquet db sqlite bak tmp onnx pt pth safetensors gguf"
).replace(" ", "|")
_DOMAINS = "com|org|net|edu|gov|io|ai|dev|info|ru|de|fr|uk|co|eu|jp|cn|ua|me|app|tv|рф"
_NAME = re.compile(
    rf"""
    [\w.+-]+@[\w-]+(?:\.[\w-]+)+                              # an e-mail address
    | (?:~|\.{{1,2}})?(?:/[\w.+@~%-]+)+/?                     # a path
    | (?:[\w.+@~-]+/)*[\w.+@~-]*\.(?:{_EXTENSIONS}|{_EXTENSIONS.upper()})  # a file
    | (?:[\w-]+\.)+(?:{_DOMAINS})(?:/[\w./+@~%-]*)?           # a domain
    | [A-Za-z0-9]*(?:_[A-Za-z0-9]+)+_*                        # an identifier
    | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\(\)
    | v?\d+(?:\.\d+){{2,}}(?:[-+.][A-Za-z0-9.+-]+)?           # a version or an IP address
    | v\d+(?:\.\d+)*
    | \d{{4}}[-/]\d{{2}}[-/]\d{{2}}(?:T[\d:.]*Z?)?            # a date
    | 0x[0-9A-Fa-f]+
    | (?=[A-Za-z]*\d)[A-Fa-f0-9]{{8}}(?:-[A-Fa-f0-9]{{4}}){{3}}-[A-Fa-f0-9]{{12}}
    """,
    re.VERBOSE | re.ASCII,
)
_LONGEST_NAME = 400
_LEADS_TO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|www\.|mailto:|data:")
_AFTER_AN_ADDRESS = ".,;:!?*_~"


def _inline(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in _INLINE.finditer(text, start, end):
        first, last = found.span()
        yield first, _address_end(text, first, last) if _LEADS_TO.match(text, first, last) else last
    for found in _ASCII_WORD.finditer(text, start, end):
        word = found.group()
        if len(word) > _LONGEST_NAME:
            yield found.span()
        elif not word.isalpha():
            word = word.rstrip(".,-")
            if _NAME.fullmatch(word):
                yield found.start(), found.start() + len(word)


def _address_end(text: str, first: int, last: int) -> int:
    """Where an address ends, without what the sentence adds to it."""
    unclosed = text.count("(", first, last) - text.count(")", first, last)
    while last > first:
        if text[last - 1] == ")" and unclosed < 0:
            unclosed += 1
        elif text[last - 1] not in _AFTER_AN_ADDRESS and text[last - 1] != "]":
            break
        last -= 1
    return last


def _gaps(spans: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """What is left of a range without spans in order."""
    edges = [(start, start), *spans, (end, end)]
    return [(before[1], after[0]) for before, after in pairwise(edges) if before[1] < after[0]]


def _leftmost(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans without those that begin inside another."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _joined(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans with those made one that overlap, touch, or have only spaces between."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and (start <= joined[-1][1] or not text[joined[-1][1] : start].strip(" \t")):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _as_block(text: str, start: int, end: int) -> Span:
    """The span with the white space around it, where it is several whole lines."""
    if "\n" in text[start:end]:
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        last = len(text) if last < 0 else last
        if not text[first:start].strip() and not text[end:last].strip():
            return Span(first, last, True)
    return Span(start, end)
