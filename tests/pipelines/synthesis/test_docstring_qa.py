import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.base import Labels, part_table
from pipelines.sources.python_code import documented, parse_python
from pipelines.sources.schema import PART_SCHEMA
from pipelines.synthesis.questions.docstring_qa import docstring_questions
from pipelines.synthesis.questions.docstring_sections import split_docstring

MODULE = '''
class Press:
    def squeeze(self, grapes, force: float = 2.0, *, twice=False):
        """Squeeze the juice out of a heap of grapes.

        It takes some time.

        Parameters
        ----------
        grapes : list
            What to press.
        force : float
            How hard.

        Returns
        -------
        float
            Litres of juice.

        Examples
        --------
        >>> Press().squeeze([])
        0.0
        """
        return force * len(grapes)
'''


def documents(*texts, doc_id="code/lib/mod.py", metadata='{"distribution":"winery"}', license="MIT"):
    ids = [doc_id if number == 0 else f"{doc_id}{number}" for number in range(len(texts))]
    return part_table(Labels("code", "code", None, license), ids, list(texts), [metadata] * len(texts))


def function(docstring, name="measure", body="    return 1\n"):
    return f'def {name}(cask):\n    """{docstring}"""\n{body}'


def test_a_pair():
    table, skipped = docstring_questions(documents(MODULE), source="qa", domain="questions")
    assert table.schema.equals(PART_SCHEMA) and not skipped
    [pair] = table.to_pylist()
    assert pair["doc_id"] == "qa/code/lib/mod.py#Press.squeeze"
    assert pair["parent_id"] == "code/lib/mod.py"
    assert (pair["source"], pair["domain"], pair["language"], pair["license"]) == (
        "qa",
        "questions",
        "en",
        "MIT",
    )
    assert pair["metadata"] == '{"function":"Press.squeeze","lineno":3}'
    question, answer = pair["messages"]
    assert (question["role"], answer["role"]) == ("user", "assistant")
    assert "`Press.squeeze(grapes, force=2.0, *, twice=False)` from winery" in question["content"]
    assert answer["content"].startswith("Squeeze the juice out of a heap of grapes.\n\nIt takes some time.")
    assert ">>>" not in answer["content"] and '"""' not in question["content"]
    assert pair["text"] == f"{question['content']}\n\n{answer['content']}"


def test_wordings_vary_and_are_the_same_each_time():
    text = "\n".join(
        function("Measure how full a cask is, in litres of wine.", f"measure_{n}") for n in range(200)
    )
    first, _ = docstring_questions(documents(text))
    second, _ = docstring_questions(documents(text))
    assert first.equals(second)
    assert len(set(first.column("doc_id").to_pylist())) == 200
    wordings = {messages[0]["content"].split("`")[0] for messages in first.column("messages").to_pylist()}
    assert len(wordings) >= 8
    shown = [
        messages[0]["content"]
        for messages in first.column("messages").to_pylist()
        if "```" in messages[0]["content"]
    ]
    assert 20 < len(shown) < 180
    assert all("    return 1\n```" in question and "litres" not in question for question in shown)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (function("Measure how full a cask is, in litres.", "_measure"), "private"),
        (function("Check that the cask is full before it leaves.", "test_cask"), "test code"),
        (function(">>> measure(3)\n    3\n    "), "no description"),
        (function("Measure it."), "too short"),
        (function("cask -- the cask that is to be measured, in litres"), "not a sentence"),
        (function("See `weigh` for what this does and how it does it."), "refers elsewhere"),
        (function("A cask. " * 1000), "too long"),
        (function("Measure how full a cask is, in litres.") * 2, "name defined before"),
        ("def broken(:", "document is not Python"),
    ],
)
def test_what_is_not_asked_is_counted(text, reason):
    table, skipped = docstring_questions(documents(text))
    assert skipped == {reason: 1}
    assert table.num_rows == (1 if reason == "name defined before" else 0)


def test_tests_are_not_asked_about():
    good = function("Measure how full a cask is, in litres.")
    for path in ("code/lib/tests/helpers.py", "code/lib/test_casks.py", "code/lib/conftest.py"):
        assert docstring_questions(documents(good, doc_id=path))[1] == {"test code": 1}
    assert docstring_questions(documents(good, doc_id="code/lib/latest.py"))[0].num_rows == 1


GOOGLE = """Fill a cask.

Args:
    wine: what to fill in.

        An indented paragraph.
    litres: how much.

Returns:
    The cask.

Example:
    >>> fill("red", 3)

Note:
    Casks leak.
"""

SPHINX = """Fill a cask.

:param wine: what to fill in.
:param litres: how much,
    in litres.
:returns: The cask.
:rtype: Cask
:raises ValueError: it is full.
"""


def test_sections_of_each_style():
    google = split_docstring(GOOGLE)
    assert google == {
        "": "Fill a cask.",
        "Parameters": "wine: what to fill in.\n\n    An indented paragraph.\nlitres: how much.",
        "Returns": "The cask.",
    }
    sphinx = split_docstring(SPHINX)
    assert sphinx["Parameters"] == ":param wine: what to fill in.\n:param litres: how much,\n    in litres."
    assert sphinx["Returns"] == ":returns: The cask.\n:rtype: Cask"
    assert sphinx["Raises"] == ":raises ValueError: it is full."
    assert split_docstring("One.\n\n.. versionadded:: 2\n   x\n\nTwo::\n\n    code\n") == {
        "": "One.\n\nTwo::\n\n    code"
    }


HOSTILE = {
    "parentheses": "(" * 100_000,
    "minus": "-" * 100_000 + "1",
    "sum": "1" + "+1" * 200_000,
    "attributes": "a" + ".b" * 200_000,
    "calls": "f" + "()" * 200_000,
    "subscripts": "a" + "[0]" * 200_000,
    "lambdas": "lambda:" * 100_000 + "1",
    "conditions": "1 if 1 else " * 100_000 + "1",
    "elif": "if 1:\n pass\n" + "elif 1:\n pass\n" * 50_000,
    "deep default": "def f(a=" + "-" * 500 + '1):\n """Give back what it was given, whatever it was."""\n',
    "deep classes": "\n".join(" " * n + "class A:" for n in range(99)) + "\n" + " " * 99 + "pass",
    "f-strings": "f'{" * 1000,
    "nul": "a = 1\0",
    "surrogate docstring": 'def f():\n "\\ud800 is a lone surrogate in a sentence of words."\n',
    "binary": "\x7fELF\x00\x01",
    "large": "x = 1\n" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_code_does_no_harm(text):
    table, _ = docstring_questions(documents(text))
    table.validate(full=True)
    tree = parse_python(text)
    assert tree is None or all(item.docstring and item.title for item in documented(tree))


@given(st.text(alphabet=st.sampled_from("ab:\n -=>.`\"'\t(Args")), st.text())
@settings(max_examples=200, deadline=None)
def test_any_docstring_is_split(shaped, wild):
    for text in (shaped, wild):
        parts = split_docstring(text)
        assert all(part.strip() for part in parts.values())
    table, _ = docstring_questions(documents(f"def f():\n    {wild!r}\n    return 1\n", shaped))
    table.validate(full=True)
    assert isinstance(table, pa.Table)
