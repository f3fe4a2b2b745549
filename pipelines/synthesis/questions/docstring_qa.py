"""Questions about documented Python functions, answered by their documentation: no model is asked.

Each function or method of a code document whose docstring passes the gates becomes one conversation: the user
shows the function and asks, in one of several ways, and the assistant answers with what the docstring says.
"""

import ast
import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import orjson
import pyarrow as pa
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from pipelines.settings import Name
from pipelines.sources.base import Labels, part_table
from pipelines.sources.conversation_text import rendered
from pipelines.sources.python_code import Documented, documented, is_public, parse_python
from pipelines.sources.schema import MESSAGES, PART_SCHEMA
from pipelines.synthesis.questions.docstring_sections import split_docstring

VERSION = 2
"""To be raised when the same documents give other questions."""

MIN_WORDS = 8
MAX_ANSWER_CHARACTERS = 4_000
SHORT_CODE_LINES = 25
"""Code up to this length is shown in full; longer code by its signature."""

_PURPOSE = (
    "What does {call} do?",
    "Explain what {call} does.",
    "I came across {call}. What does it do?",
    "Describe {call} in a few sentences.",
    "What is {call} for?",
    "Give me a short description of {call}.",
)
_PARAMETERS = (
    "Which parameters does {call} take, and what do they mean?",
    "Explain {call} and its parameters.",
    "How do I call {call}? Describe each argument.",
    "What can I pass to {call}, and what does it do with it?",
)
_RETURNS = (
    "What does {call} do, and what does it return?",
    "What do I get back from {call}?",
    "Explain {call} and the value it returns.",
)
_DOCUMENT = (
    "Write the docstring of {call}:",
    "Document {call}, whose code is this:",
    "Here is {call}. Write its documentation:",
    "Please describe {call} so that others can use it without reading this code:",
)

_ELSEWHERE = re.compile(
    r"(see|same as|alias|deprecated|inherit|overrid|todo|fixme|wrapper for)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"[A-Z`\"'*].*[.!?:)`]", re.DOTALL)
_TEST_PATH = re.compile(r"(^|[/_.])tests?[/_.]|conftest")


class DocstringQuestions(BaseModel):
    """Question-answer pairs from the docstrings of Python code, made without a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    method: Literal["docstrings"] = Field(description="Functions are asked about, their docstrings answer.")
    about: Literal["stage1"] = Field(
        "stage1", alias="from", description="Only documents that this stage contains are asked about."
    )
    domains: list[str] = Field(min_length=1, description="The groups whose documents are asked about.")
    domain: Name | None = Field(None, description="The group of the new documents; null: the entry's name.")

    @property
    def asked(self) -> dict[str, float]:
        """The groups that are asked about, in equal weights."""
        return dict.fromkeys(self.domains, 1.0)

    @property
    def groups(self) -> dict[str, str]:
        """Groups by predicates: none, each is a domain."""
        return {}


@dataclass(frozen=True)
class _Question:
    """One conversation about one function."""

    qualname: str
    lineno: int
    question: str
    answer: str


def docstring_questions(
    documents: pa.Table, source: str = "docstring_qa", domain: str = "qa"
) -> tuple[pa.Table, Counter[str]]:
    """Conversations about the documented functions of code documents.

    Args:
        documents: a table of PART_SCHEMA whose texts are Python modules.
        source: name of the new documents' source, and the beginning of their ids.
        domain: their domain.

    Returns:
        A table of PART_SCHEMA: `messages` holds question and answer, `parent_id` the code document, whose
        license is inherited; and about how many functions nothing was asked, by reason.
    """
    skipped: Counter[str] = Counter()
    ids: list[str] = []
    parents: list[str | None] = []
    licenses: list[str | None] = []
    conversations: list[list[dict[str, str]]] = []
    metadata: list[str] = []
    columns = [documents.column(name).to_pylist() for name in ("doc_id", "text", "license", "metadata")]
    for doc_id, text, license_name, about in zip(*columns, strict=True):
        for found in _questions(doc_id, text, _library(about), skipped):
            ids.append(f"{source}/{doc_id}#{found.qualname}")
            parents.append(doc_id)
            licenses.append(license_name)
            conversations.append(
                [{"role": "user", "content": found.question}, {"role": "assistant", "content": found.answer}]
            )
            metadata.append(orjson.dumps({"function": found.qualname, "lineno": found.lineno}).decode())
    messages = pa.array(conversations, MESSAGES)
    table = part_table(
        Labels(source, domain, "en"),
        ids,
        rendered(messages, pa.nulls(len(messages), pa.string())),
        metadata,
        licenses=licenses,
        parent_ids=parents,
        messages=messages,
    )
    return table.cast(PART_SCHEMA), skipped


def _questions(doc_id: str, text: str, library: str, skipped: Counter[str]) -> list[_Question]:
    tree = parse_python(text)
    if tree is None:
        skipped["document is not Python"] += 1
        return []
    lines = text.split("\n")
    asked: dict[str, _Question] = {}
    for item in documented(tree):
        if isinstance(item.node, ast.ClassDef):
            continue
        parts = split_docstring(item.docstring)
        reason = "name defined before" if item.qualname in asked else _rejection(doc_id, item, parts)
        if reason is None:
            asked[item.qualname] = _ask(doc_id, item, parts, lines, library)
        else:
            skipped[reason] += 1
    return list(asked.values())


def _rejection(doc_id: str, item: Documented, parts: dict[str, str]) -> str | None:
    """Why no question is asked about a function, or None."""
    description = parts.get("", "")
    summary = description.partition("\n\n")[0]
    if not is_public(item.qualname):
        return "private"
    if _TEST_PATH.search(doc_id) or item.node.name.startswith("test"):
        return "test code"
    if not description:
        return "no description"
    if len(" ".join(parts.values()).split()) < MIN_WORDS:
        return "too short"
    if len(description) > MAX_ANSWER_CHARACTERS:
        return "too long"
    if _ELSEWHERE.match(summary):
        return "refers elsewhere"
    if not _SENTENCE.fullmatch(summary) or len(summary.split()) < 3:
        return "not a sentence"
    return None


def _ask(doc_id: str, item: Documented, parts: dict[str, str], lines: list[str], library: str) -> _Question:
    """The question and its answer; which kind and wording is chosen by a hash of the function's place."""
    assert not isinstance(item.node, ast.ClassDef)
    code = _code_without_docstring(item.node, lines)
    kinds: list[tuple[tuple[str, ...], tuple[str, ...]]] = [(_PURPOSE, ("",))]
    if "Parameters" in parts:
        kinds.append((_PARAMETERS, ("", "Parameters")))
    if "Returns" in parts:
        kinds.append((_RETURNS, ("", "Returns")))
    if code:
        kinds.append((_DOCUMENT, ("", "Parameters", "Returns", "Raises")))
    choice = xxhash.xxh64_intdigest(f"{doc_id}#{item.qualname}".encode())
    wordings, sections = kinds[choice % len(kinds)]
    wording = wordings[choice // len(kinds) % len(wordings)]
    call = f"`{item.title}`" + (f" from {library}" if library else "")
    question = wording.format(call=call)
    shows_code = wordings is _DOCUMENT or (code and choice >> 60 & 1)
    if shows_code:
        question += f"\n\n```python\n{code}\n```"
    return _Question(item.qualname, item.node.lineno, question, _answer(parts, sections))


def _answer(parts: dict[str, str], sections: tuple[str, ...]) -> str:
    """The sections below one another, as many as fit."""
    answer = parts[""]
    for name in sections[1:]:
        if name in parts and len(answer) + len(parts[name]) <= MAX_ANSWER_CHARACTERS:
            answer += f"\n\n{name}:\n{parts[name]}"
    return answer


def _code_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    """The function's code if it is short and more than its docstring, else nothing."""
    body = node.body[1:]
    if not body or body[0].lineno <= (node.body[0].end_lineno or 0):
        return ""
    kept = (
        lines[node.lineno - 1 : node.body[0].lineno - 1]
        + lines[node.body[0].end_lineno or 0 : node.end_lineno]
    )
    return textwrap.dedent("\n".join(kept)).rstrip() if len(kept) <= SHORT_CODE_LINES else ""


def _library(metadata: str) -> str:
    """The distribution that a document of the `python_environment` reader belongs to."""
    about = orjson.loads(metadata)
    name = about.get("distribution", "") if isinstance(about, dict) else ""
    return "Python's standard library" if name == "python" else name
