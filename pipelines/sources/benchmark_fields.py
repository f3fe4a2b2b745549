"""Which field of a benchmark's record is what: as it is said, or by the names that benchmarks use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipelines.sources.paths import ABSENT, found_at

ROLES = ("passage", "question", "choices", "answer", "label", "solution", "id", "split")

ASKED = ("question", "passage", "solution")
"""An item has one of these at least."""


class ItemFields(NamedTuple):
    """The fields with the parts of an item, by their names or dotted paths."""

    passage: str | None = None
    question: str | None = None
    choices: tuple[str, ...] = ()
    """One field with all of them, or one for each."""
    answer: str | None = None
    label: str | None = None
    solution: str | None = None
    id: str | None = None
    split: str | None = None

    @property
    def named(self) -> Iterator[tuple[str, str]]:
        """The roles that have a field, each with its field."""
        for role, fields in zip(ROLES, self, strict=True):
            for field in fields if isinstance(fields, tuple) else (fields,):
                if field is not None:
                    yield role, field


NONE_NAMED = ItemFields()

NAMES: dict[str, tuple[str, ...]] = {
    "id": (
        *("task_id", "question_id", "problem_id", "item_id", "unique_id", "id", "_id", "uid", "guid", "qid"),
        *("idx", "index", "ind"),
    ),
    "split": ("split", "subset_split"),
    "choices": (
        *("choices", "options", "endings", "candidates", "answer_choices", "possible_answers"),
        *("answer_options", "mc1_targets"),
    ),
    "question": (
        *("question", "question_text", "question_stem", "question_content", "stem", "query", "problem"),
        *("problem_statement", "prompt", "goal", "ctx", "instruction", "input", "inputs", "hypothesis"),
        *("sentence", "sentence2", "text", "content"),
    ),
    "passage": (
        *("passage", "context", "article", "support", "paragraph", "story", "document", "background"),
        *("flores_passage", "premise", "sentence1", "text", "input"),
    ),
    "solution": (
        *("canonical_solution", "reference_solution", "reference_code", "solution", "solutions", "code"),
        *("rationale", "explanation", "proof", "cot_content"),
    ),
    "answer": (
        *("answer", "answers", "best_answer", "correct_answer", "final_answer", "expected_answer"),
        *("reference_answer", "ground_truth", "target", "targets", "output", "outputs", "response"),
        *("completion", "gold", "reference", "answers_spans"),
    ),
    "label": (
        *("label", "answerkey", "answer_key", "answer_idx", "answer_index", "answer_letter", "gold"),
        *("correct_option", "correct_answer_num", "cop", "correct"),
    ),
}
"""By role the names of its field, as `_normal` writes them, the likeliest first; roles in order of choice."""

_NESTED_IN = ("question", "inputs", "doc")
"""Records within a record whose fields go first."""

_CHOICE_FIELD = re.compile(
    r"((?:option|choice|sol|ending|op|answer|mc_answer|alternative)?_?)([a-j]|[0-9]{1,2})"
)


def recognised(record: dict[str, Any], named: ItemFields = NONE_NAMED) -> ItemFields:
    """The fields of a record that have usual names and hold what such fields do, beside those named."""
    nested, own = _nested_places(record), _places(record)
    taken: dict[str, Any] = {role: fields for role, fields in named._asdict().items() if fields}
    for role, names in NAMES.items():
        if role in taken:
            continue
        fitting = (
            places[name]
            for places in (nested, own)
            for name in names
            if name in places
            and places[name] not in taken.values()
            and _fits(role, found_at(record, places[name]), "choices" in taken)
        )
        if place := next(fitting, None):
            taken[role] = place
        elif role == "choices" and (family := _choice_fields(record, nested) or _choice_fields(record, own)):
            taken[role] = family
    one_field = taken.get("choices")
    if isinstance(one_field, str):
        taken["choices"] = (one_field,)
    return ItemFields(**taken)


def _places(record: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The paths of fields by their normal names."""
    return {_normal(name): f"{prefix}{name}" for name in record if isinstance(name, str)}


def _nested_places(record: dict[str, Any]) -> dict[str, str]:
    """The same of the fields of a record within the record."""
    return {
        name: place
        for outer, value in record.items()
        if isinstance(value, dict) and isinstance(outer, str) and _normal(outer) in _NESTED_IN
        for name, place in _places(value, f"{outer}.").items()
    }


def _normal(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).lower()


def _fits(role: str, value: Any, has_choices: bool) -> bool:
    if value is ABSENT or value is None:
        return False
    if role == "choices":
        return choices_of(value) is not None
    if role == "label":  # without choices a number is that of a class, which no document tells
        return isinstance(value, str | int | list) and (has_choices or isinstance(value, str))
    if role in ("id", "split"):
        return usable_id(value) is not None
    return as_text(value) is not None


def _choice_fields(record: dict[str, Any], places: dict[str, str]) -> tuple[str, ...]:
    """The fields `A B C D`, `option1 option2` and the like, in order; none unless there are two in a row."""
    families: dict[str, dict[str, str]] = {}
    for name, place in places.items():
        match = _CHOICE_FIELD.fullmatch(name)
        bare = match is not None and not match[1]
        if match is None or (bare and not place.rpartition(".")[2].isupper()):
            continue
        if isinstance(found_at(record, place), str | int | float | None):
            families.setdefault(match[1], {})[match[2]] = place
    for members in families.values():
        for first in ("a", "1", "0"):
            run: list[str] = []
            following = first
            while following in members:
                run.append(members[following])
                following = chr(ord(following) + 1) if first == "a" else str(int(following) + 1)
            if len(run) > 1:
                return tuple(run)
    return ()


class Choices(NamedTuple):
    """The choices of a question, as it lists them."""

    texts: list[str]
    names: list[str] | None = None
    """What it calls them, such as `A`; None where it does not say."""
    right: int | None = None
    """The number of the right one, where they tell themselves."""


def choices_of(value: Any) -> Choices | None:
    """The choices that a field holds; None if they are none.

    A list of texts or of `{label, text}`, `{text: [...], label: [...]}` as ARC has it, `{A: ..., B: ...}`, or
    `{choices: [...], labels: [0, 1, ...]}` as TruthfulQA has it.
    """
    if isinstance(value, dict):
        return _choices_of_object(value)
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(each, dict) for each in value):
        texts = [as_text(each.get("text")) for each in value]
        names = [usable_id(each.get("label")) for each in value]
    else:
        texts, names = [_choice_text(each) for each in value], []
    return _choices(texts, names)


def _choices_of_object(value: dict[str, Any]) -> Choices | None:
    texts = next((value[name] for name in ("text", "choices") if isinstance(value.get(name), list)), None)
    if texts is not None:
        marks: list[Any] = next(
            (value[name] for name in ("label", "labels") if isinstance(value.get(name), list)), []
        )
        if sorted(marks, key=str) == [0] * (len(texts) - 1) + [1]:
            found = _choices([_choice_text(each) for each in texts], [])
            return found._replace(right=marks.index(1)) if found else None
        return _choices([_choice_text(each) for each in texts], [usable_id(each) for each in marks])
    if len(value) > 1 and all(isinstance(name, str) and len(name) == 1 for name in value):
        return _choices([_choice_text(each) for each in value.values()], list(value))
    return None


def _choices(texts: list[str | None], names: list[Any]) -> Choices | None:
    if not texts or any(text is None for text in texts):
        return None
    named = names if len(names) == len(texts) and all(names) else None
    return Choices([text or "" for text in texts], named)


def _choice_text(value: Any) -> str | None:
    return value if isinstance(value, str) else as_text(value) if isinstance(value, int | float) else None


def choice_fields(record: dict[str, Any], fields: tuple[str, ...]) -> Choices | None:
    """The choices of a record that are in one field, or in one for each."""
    if len(fields) == 1:
        return choices_of(found_at(record, fields[0]))
    texts = [as_text(found_at(record, field)) or "" for field in fields]
    while texts and not texts[-1]:
        texts.pop()
    return Choices(texts) if texts else None


_TEXT_WITHIN = ("text", "value", "spans", "answer", "content", "stem", "question")


def as_text(value: Any, *, whole: bool = False) -> str | None:
    """The text of a field; None if it holds none.

    Of a list the first text, which of several right answers is the usual one; `whole`: all of them, as of a
    question in turns. Of an object the text in it, as in SQuAD's `{text: [...]}`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        texts = [text for each in value if (text := as_text(each, whole=whole)) is not None]
        return ("\n".join(texts) if whole else texts[0]) if texts else None
    if isinstance(value, dict):
        within = (as_text(value[name], whole=whole) for name in _TEXT_WITHIN if name in value)
        return next((text for text in within if text is not None), None)
    return None


ID_CHARACTERS = 1_000
"""A longer id is not used."""


def usable_id(value: Any) -> str | None:
    """A short string, or an integer as one; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS else None
