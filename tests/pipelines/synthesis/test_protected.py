import random
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.synthesis.translation.faithful import NUMBERS, PROTECTED, STRUCTURE, Languages, fault
from pipelines.synthesis.translation.masking import MARK, masked
from pipelines.synthesis.translation.protected import protected
from tests.pipelines.synthesis.toy_translation import CODE, INLINE, translated, written

ENGLISH_RUSSIAN = Languages("en", "ru")
randoms = st.randoms(use_true_random=False)
PIECES = [
    *(
        "`",
        "``",
        "```",
        "~~~",
        "$",
        "$$",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "\\begin{a}",
        "\\end{a}",
        "{",
        "}",
        '{"a": ',
    ),
    *(
        "[",
        "]",
        "](",
        ")",
        "<a",
        "<pre>",
        "</pre>",
        "<!--",
        "-->",
        "http://a",
        "⟦1⟧",
        "⟦",
        "⟧",
        "\\",
        '"',
        "'",
    ),
    *(
        " ",
        "    ",
        "\n",
        "\n\n",
        "\t",
        "> ",
        "- ",
        "1. ",
        "| ",
        "|-",
        "# ",
        "word",
        "two words",
        "слово",
        "5",
    ),
    *("\r", "\r\n", "\x0b", "\x0c", "\x00", "\u2028", "\ufeff"),
]
sloppy = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in protected(text)]


@settings(deadline=None)
@given(sloppy)
def test_masked_text_is_restored_as_it_was(text: str) -> None:
    whole = masked(text)
    assert whole.restored(whole.text) == text


@settings(deadline=None)
@given(sloppy)
def test_spans_are_in_order_and_marks_do_not_collide_with_the_text(text: str) -> None:
    spans = protected(text)
    assert all(one.end < other.start for one, other in pairwise(spans))
    assert sorted(MARK.findall(masked(text).text)) == sorted(masked(text).items)


@settings(deadline=None)
@given(sloppy)
def test_a_text_that_comes_back_as_it_was_has_no_fault_of_its_items(text: str) -> None:
    whole = masked(text)
    assert fault(whole.text, whole.text, whole, ENGLISH_RUSSIAN, ()) in (None, "untranslated")


@settings(deadline=None)
@given(randoms)
def test_planted_items_are_protected(r: random.Random) -> None:
    document = written(r)
    spans = found(document.text)
    for item in document.items:
        assert any(item in span for span in spans), item


@settings(deadline=None)
@given(randoms)
def test_a_translation_that_leaves_marks_changes_no_item_and_has_no_fault(r: random.Random) -> None:
    document = written(r)
    whole = masked(document.text)
    translation = translated(whole.text)
    assert fault(whole.text, translation, whole, ENGLISH_RUSSIAN, ()) is None
    assert whole.restored(translation) == document.translation


@settings(deadline=None)
@given(randoms)
def test_upper_case_translations_have_no_fault(r: random.Random) -> None:
    whole = masked(written(r).text)
    assert fault(whole.text, whole.text.upper(), whole, ENGLISH_RUSSIAN, ()) is None


def dropped(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, "", 1)


def doubled(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, f"{mark} {mark}", 1)


def mangled(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, r.choice([mark[:-1], mark[1:], mark[1:-1], f"[{mark[1:-1]}]", mark + "⟧"]), 1)


def renumbered(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, f"⟦{int(mark[1:-1]) + 1}⟧", 1)


def spelled_out(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, f"{mark} `{r.choice(['value', 'print(1)'])}`", 1)


def linked(text: str, mark: str, r: random.Random) -> str:
    return text.replace(mark, f"{mark} https://example.org/more", 1)


def moved(text: str, mark: str, r: random.Random) -> str:
    return f"{mark}\n\n{text.replace(mark, '', 1)}"


@settings(deadline=None)
@given(randoms, st.sampled_from([dropped, doubled, mangled, renumbered, spelled_out, linked, moved]))
def test_damage_of_one_item_is_found(r: random.Random, damage) -> None:
    whole = masked(written(r).text)
    if not whole.items:
        return
    mark = r.choice(sorted(whole.items))
    translation = damage(translated(whole.text), mark, r)
    assert fault(whole.text, translation, whole, ENGLISH_RUSSIAN, ()) in (PROTECTED, STRUCTURE)


@settings(deadline=None)
@given(randoms)
def test_two_items_of_different_blocks_cannot_change_places(r: random.Random) -> None:
    blocks = [
        "See `a` and\n\n",
        "- with `b` in\n- then `c`\n\n",
        "```\nd\n```\n\n",
        "| `e` | more |\n|---|---|\n\n",
        "    f\n\n",
    ]
    r.shuffle(blocks)
    whole = masked("Text\n\n" + "".join(blocks))
    one, other = r.sample(sorted(whole.items), 2)
    translation = translated(whole.text).replace(one, "?").replace(other, one).replace("?", other)
    assert fault(whole.text, translation, whole, ENGLISH_RUSSIAN, ()) == PROTECTED


@settings(deadline=None)
@given(randoms)
def test_items_of_a_sentence_may_change_places(r: random.Random) -> None:
    items = [r.choice(INLINE)(r) for _ in range(2)]
    whole = masked(f"Call {items[0]} when {items[1]} falls.")
    assert fault(whole.text, "Когда падает ⟦2⟧, зови ⟦1⟧.", whole, ENGLISH_RUSSIAN, ()) is None


@settings(deadline=None)
@given(randoms)
def test_a_changed_digit_is_found(r: random.Random) -> None:
    whole = masked(written(r).text)
    translation = translated(whole.text)
    digits = [at.start() for at in re.finditer(r"\d(?![\d]*⟧)", translation)]
    if not digits:
        return
    at = r.choice(digits)
    changed = translation[:at] + str((int(translation[at]) + r.randint(1, 9)) % 10) + translation[at + 1 :]
    assert fault(whole.text, changed, whole, ENGLISH_RUSSIAN, ()) in (NUMBERS, STRUCTURE)


@settings(deadline=None)
@given(randoms)
def test_a_lost_line_is_found_where_lines_mean_something(r: random.Random) -> None:
    whole = masked(written(r).text)
    lines = translated(whole.text).split("\n")
    at = r.choice([number for number, line in enumerate(lines) if line.strip() and line[0] != ">"])
    del lines[at]
    assert fault(whole.text, "\n".join(lines), whole, ENGLISH_RUSSIAN, ()) is not None


@pytest.mark.parametrize("make", CODE)
@pytest.mark.parametrize("before", ["Text:\n\n", "- Item\n\nText:\n\n", ""])
def test_blocks_of_code_are_whole(make, before: str) -> None:
    code = make(random.Random(1))
    assert found(f"{before}{code}\n\nMore text.") == [code]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("It is $5 and $10, or US$3.", []),
        ("From $5 million to 7$ each.", []),
        ("The $n$-th of $k$ and $2x$.", ["$n$", "$k$", "$2x$"]),
        ("Pay \\$5 for $x$.", ["$x$"]),
        ("Set $HOME and ${PATH}.", ["$HOME", "${PATH}"]),
        ("See it.So it goes, and go to a.go or B.PY.", ["a.go", "B.PY"]),
        ("TCP/IP, A/B, w/o, 1/2, C++, C# and R&D", []),
        ("- [ ] to do\n- [x] done (c) [^1]", []),
        ("text\r\n\r\n    code\r\n\r\n```\r\na\r\n```\r\nb", ["    code\r", "```\r\na\r\n```\r"]),
        ("1. a\n\n       code\n\n   b", ["       code"]),
        ("- a\n\n  ~~~\n  x\n  ~~~\n  b", ["  ~~~\n  x\n  ~~~"]),
        ("a\n```sh\nls\n```\nb", ["```sh\nls\n```"]),
        ("a\n\n```a`b\nc", []),
        ("| `a|b` | $x|y$ |\n|-|-|", ["`a|b`", "$x|y$"]),
        ("x <https://a.org/b> y", ["<https://a.org/b>"]),
        ("mail <a@b.org> or a@b.org.", ["<a@b.org>", "a@b.org"]),
        ("$$a$$ and $$\nb\n$$", ["$$a$$", "$$\nb\n$$"]),
        ("printf('%5.2f of %-10s') at 50% off", ["%5.2f", "%-10s"]),
        ("Dear [NAME], {{order}} of ${item} is %{state}", ["[NAME]", "{{order}}", "${item}", "%{state}"]),
        ('{"a":\n```\nb\n```', ['{"a":', "```\nb\n```"]),
        ("<b>bold</b> and <|end|> <your name>", ["<b>", "</b>", "<|end|> <your name>"]),
        ("this and/or that, e.g. the U.S. or 3/4 of it", []),
        ("(see https://a.org/b_(c)).", ["https://a.org/b_(c)"]),
        ("[text](docs/a.md \"A title\")", ["(docs/a.md"]),
        ("one `two` `three` four", ["`two` `three`"]),
        ("an `unclosed tick\n\nand `another", []),
        ("``quoted'' and ``again''", []),
        ("a < b and c > d", []),
        ("I am 100% sure of %d", ["%d"]),
        ('say {"a": "}", "b": [1]} now', ['{"a": "}", "b": [1]}']),
        ("cut {'a': [1, {'b'", ["{'a': [1, {'b'"]),
        ("1. Do\n   ```\nflush left\n   ```\n2. Then", ["   ```\nflush left\n   ```"]),
        ("> ```\n> quoted\nafter", ["> ```\n> quoted"]),
        ("~~~\na\n```\nb\n~~~\nafter", ["~~~\na\n```\nb\n~~~"]),
        ("````\n```\nx\n```\n````\nafter", ["````\n```\nx\n```\n````"]),
        ("```\nopen\n\nto the end\n", ["```\nopen\n\nto the end\n"]),
        ("text\n\n\tcode\n\n\tmore\n\ntext", ["\tcode\n\n\tmore"]),
        ("text\n    wrapped", []),
        ("the mark ⟦3⟧ itself", ["⟦", "⟧"]),
        ("\\section{Name} and \\emph{this}", ["\\section{", "\\emph{"]),
        ("\\cite{a} of \\frac{1}{2}", ["\\cite{a}", "\\frac{", "{2}"]),
    ],
)  # fmt: skip
def test_what_is_protected(text: str, items: list[str]) -> None:
    assert found(text) == items


RUNS = [
    *(
        "`",
        "~",
        "$",
        "{",
        "[",
        "(",
        "<",
        "\\",
        " ",
        "\n",
        "⟦",
        "a",
        "1",
        "_",
        "-",
        "/",
        ".",
        "@",
        "%",
        '"',
        ">",
    ),
    *("`a", "$a ", '{"a":', '{"', '{"a": \\"', "](", "\\(", "\\begin{a}", "<a ", "<pre>", "<!--", "a.", "/a"),
    *(
        "```\n",
        "> ```\n",
        "> ",
        "1. ",
        "- a\n",
        "| a ",
        "\\[",
        "$$",
        "<![CDATA[",
        "a@",
        "a_",
        "%(",
        "{{",
        "http://",
    ),
]


@pytest.mark.parametrize("run", RUNS)
def test_long_runs_are_read(run: str) -> None:
    text = run * (1_000_000 // len(run))
    whole = masked(text)
    assert whole.restored(whole.text) == text
