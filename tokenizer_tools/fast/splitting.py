"""Cutting text into words as GPT-2's and GPT-4's regular expressions do, by hand-written scanners."""

# mypy: allow-untyped-defs, allow-untyped-calls

from typing import Any, NamedTuple

from tokenizer_tools.compiled import inline_kernel, kernel
from tokenizer_tools.fast.characters import LETTER, MARK, NUMBER, SPACE, character_width, kind_of
from tokenizer_tools.fast.memory import letters, peek

UNLIMITED = 1 << 40


class Rules(NamedTuple):
    """What the members of the family do differently."""

    word_kinds: int
    """Kinds of the characters of a word: letters, with or without marks."""
    digits: int
    """The most digits together."""
    any_case: int
    """Whether contractions are cut off in capitals too."""
    any_lead: int
    """Whether any character but a line's end, letter or number may lead a word; else only a space."""
    spaced_numbers: int
    """Whether a space belongs to the number after it."""
    line_tail: int
    """Whether line ends belong to the punctuation before them, and to the white space before them."""


GPT_2 = Rules(LETTER, UNLIMITED, any_case=0, any_lead=0, spaced_numbers=1, line_tail=0)
GPT_2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

_CONTRACTIONS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)": 1,
    r"'(?i:[sdmt]|ll|ve|re)": 1,
    r"(?:'s|'t|'re|'ve|'m|'ll|'d)": 0,
}
_WORDS = {
    r"[^\r\n\p{L}\p{N}]?\p{L}+": LETTER,
    r"[^\r\n\p{L}\p{N}]?+\p{L}+": LETTER,
    r"[^\r\n\p{L}\p{N}]?+\p{L}++": LETTER,
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+": LETTER | MARK,
}
_DIGITS = {r"\p{N}": 1, r"\p{N}{1,2}": 2, r"\p{N}{1,3}": 3, r"\p{N}{1,3}+": 3, r"\p{N}+": UNLIMITED}
_PUNCTUATION = {
    r" ?[^\s\p{L}\p{N}]+[\r\n]*": LETTER,
    r" ?[^\s\p{L}\p{N}]++[\r\n]*": LETTER,
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+": LETTER,
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*": LETTER | MARK,
}
_LINES = (r"\s*[\r\n]+", r"\s*[\r\n]")
_REST = (r"\s+(?!\S)|\s+", r"\s+(?!\S)|\s")


def rules_of(pattern: str) -> Rules | None:
    """The rules of a regular expression that cuts words; None if it is not one of the family."""
    if pattern == GPT_2_PATTERN:
        return GPT_2
    for shape in _shapes():
        if pattern == shape[0]:
            return shape[1]
    return None


def _shapes() -> list[tuple[str, Rules]]:
    return [
        (
            "|".join([contraction, word, number, punctuation, lines, rest]),
            Rules(kinds, digits, any_case=any_case, any_lead=1, spaced_numbers=0, line_tail=1),
        )
        for contraction, any_case in _CONTRACTIONS.items()
        for word, kinds in _WORDS.items()
        for number, digits in _DIGITS.items()
        for punctuation, other_kinds in _PUNCTUATION.items()
        if kinds == other_kinds
        for lines in _LINES
        for rest in _REST
    ]


@inline_kernel
def contraction(data, at, any_case):
    """The bytes of the English contraction at an apostrophe, 0 if there is none."""
    first, second = peek(data, at + 1), peek(data, at + 2)
    if any_case:
        if first == 0xC5 and second == 0xBF:  # the long s is an s
            return 3
        first, second = first | 0x20, second | 0x20
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:  # s t m d
        return 2
    is_long = (
        ((first == 0x72 or first == 0x76) and second == 0x65)  # re ve
        or (first == 0x6C and second == 0x6C)  # ll
    )
    return 3 if is_long else 0


@inline_kernel
def letters_end(data, at, word_kinds, pages, kinds):
    """The end of a run of characters of these kinds, which letters are among."""
    while True:
        run = letters(data, at)
        at += run
        if run < 31:  # else letters may go on
            if peek(data, at) < 0x80 or not kind_of(data, at, pages, kinds) & word_kinds:
                return at
            at += character_width(peek(data, at))


@kernel
def run_end(data, at, end, wanted, most, pages, kinds):
    """The end of a run of at most so many characters of one kind."""
    while at < end and most > 0 and kind_of(data, at, pages, kinds) == wanted:
        at += character_width(peek(data, at))
        most -= 1
    return at


@inline_kernel
def punctuation_end(data, at, end, excluded, line_tail, pages, kinds):
    """The end of a run of characters of other kinds, with the ends of lines after it."""
    while at < end and not kind_of(data, at, pages, kinds) & excluded:
        at += character_width(peek(data, at))
    while line_tail and at < end and (peek(data, at) == 0x0A or peek(data, at) == 0x0D):
        at += 1
    return at


@kernel
def space_end(data, at, end, line_tail, pages, kinds):
    """The end of white space: after its last line's end, else before the last character if text follows."""
    start, last, after_line = at, at, at
    while at < end and kind_of(data, at, pages, kinds) == SPACE:
        last = at
        at += character_width(peek(data, at))
        if peek(data, last) == 0x0A or peek(data, last) == 0x0D:
            after_line = at
    if line_tail and after_line > start:
        return after_line
    return at if at == end or last == start else last


@inline_kernel
def other_end(data, at, end, rules, pages, kinds):
    """The end of what begins at `at` if that is not a word of the commonest letters."""
    byte = peek(data, at)
    if byte == 0x27:
        cut = contraction(data, at, rules.any_case)
        if cut and at + cut <= end:
            return at + cut
    kind = kind_of(data, at, pages, kinds)
    if kind & rules.word_kinds:
        return letters_end(data, at, rules.word_kinds, pages, kinds)
    if kind == NUMBER:
        return run_end(data, at, end, NUMBER, rules.digits, pages, kinds)
    excluded = SPACE | NUMBER | rules.word_kinds
    after = at + character_width(byte)
    if after < end:
        following = kind_of(data, after, pages, kinds)
        if byte == 0x20 or (rules.any_lead and byte != 0x0A and byte != 0x0D):
            if following & rules.word_kinds:
                return letters_end(data, after, rules.word_kinds, pages, kinds)
        if byte == 0x20:
            if rules.spaced_numbers and following == NUMBER:
                return run_end(data, after, end, NUMBER, rules.digits, pages, kinds)
            if not following & excluded:
                return punctuation_end(data, after, end, excluded, rules.line_tail, pages, kinds)
    if kind == SPACE:
        return space_end(data, at, end, rules.line_tail, pages, kinds)
    return punctuation_end(data, at, end, excluded, rules.line_tail, pages, kinds)


@inline_kernel
def word_end(data, at, end, rules, pages, kinds):
    """The end of the word that begins at `at`; the text ends at `end`, where zeros follow."""
    start = at + (peek(data, at) == 0x20)
    run = letters(data, start)
    if run == 0:
        return other_end(data, at, end, rules, pages, kinds)
    start += run
    if run < 31 and peek(data, start) < 0x80:
        return start
    return letters_end(data, start, rules.word_kinds, pages, kinds)


def split_rules(pre_tokenizer: dict[str, Any] | None) -> Rules | str:
    """The rules of a `pre_tokenizer` of tokenizer.json, or why there are none."""
    steps = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer])
    byte_level = steps[-1] or {}
    if byte_level.get("type") != "ByteLevel":
        return "it is not byte-level"
    if byte_level.get("add_prefix_space"):
        return "it puts a space before each text"
    uses_pattern = byte_level.get("use_regex", True)
    if len(steps) == 1 and uses_pattern:
        return GPT_2
    if len(steps) != 2 or uses_pattern or steps[0].get("type") != "Split":
        return "it cuts words in steps that are not known here"
    split = steps[0]
    pattern = split["pattern"].get("Regex", "")
    kept = (split["behavior"], bool(split.get("invert"))) in {("Isolated", False), ("Removed", True)}
    rules = rules_of(pattern) if kept else None
    return rules or f"the pattern that cuts words is not known here: {pattern}"
