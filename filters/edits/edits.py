"""Text edits: what a recipe may change in a text when it comes in, by name.

An edit is a pure function from texts to texts that counts what it did. Signals, duplicates and training see
the edited text.
"""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from filters.edits import c4_lines, mojibake, normalize_lines
from filters.pii.kinds import ALL, wanted_kinds
from filters.pii.masking import mask_pii
from filters.text.texts import Edited, Texts


class Edit(BaseModel):
    """A text edit with its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int]
    """To be raised when the edit writes something else, so that what was edited before is edited again."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Those whose version decides what it writes, too."""
    conversations: ClassVar[bool] = True
    """Whether it is made in the messages of conversations as well."""

    @abstractmethod
    def apply(self, texts: Texts) -> Edited:
        """The edited texts, and what was done how often. Depends on nothing but each text alone."""


class FixEncoding(Edit):
    """Repairs text whose bytes were read in the wrong encoding, and nothing else."""

    name: ClassVar[str] = "fix_encoding"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("ftfy",)

    def apply(self, texts: Texts) -> Edited:
        """`lines`: those repaired."""
        return mojibake.repair(texts)


class NormalizeLines(Edit):
    """Ends each line with a newline and no blanks; removes NUL, and byte order marks at the start."""

    name: ClassVar[str] = "normalize_lines"
    version: ClassVar[int] = 1

    def apply(self, texts: Texts) -> Edited:
        """`line_breaks` replaced, lines that lost `trailing_blanks`, `nulls`, `byte_order_marks`."""
        return normalize_lines.normalize(texts)


class C4Lines(Edit):
    """Removes the lines of a web page that are no prose, by C4's rules, and citation marks."""

    name: ClassVar[str] = "c4_lines"
    version: ClassVar[int] = 2
    conversations: ClassVar[bool] = False
    terminal_punctuation: bool = Field(
        default=True, description="Lines must end with a terminal mark: C4 says yes, FineWeb no."
    )

    def apply(self, texts: Texts) -> Edited:
        """`lines` = `kept` + those removed, by reason; `citations`: marks removed from kept lines."""
        return c4_lines.edit_lines(texts, self.terminal_punctuation)


class MaskPii(Edit):
    """Puts masks such as `<email>` in the place of personal data and secrets."""

    name: ClassVar[str] = "mask_pii"
    version: ClassVar[int] = 2
    kinds: tuple[str, ...] = Field(default=ALL, description="What is masked: " + ", ".join(ALL) + ".")

    @field_validator("kinds")
    @classmethod
    def _kinds_exist(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        wanted_kinds(kinds)
        return kinds

    def apply(self, texts: Texts) -> Edited:
        """Masks put, by kind."""
        return Edited(*mask_pii(texts, self.kinds))


EDITS: dict[str, type[Edit]] = {edit.name: edit for edit in (FixEncoding, NormalizeLines, C4Lines, MaskPii)}


def make_edits(names: Sequence[str], options: Mapping[str, Any] | None = None) -> tuple[Edit, ...]:
    """The edits of these names, with options by name and key: `{"c4_lines.terminal_punctuation": False}`.

    Raises:
        ValueError: A name, an option or its value is wrong; the message names the nearest valid one.
    """
    chosen: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name in chosen:
        if name not in EDITS:
            raise ValueError(f"Unknown edit {name!r}.{_nearest(name, EDITS)}")
    for option, value in (options or {}).items():
        name, _, key = option.partition(".")
        if name not in chosen:
            raise ValueError(f"The option `{option}` belongs to no edit in `use`.")
        known = EDITS[name].model_fields
        if key not in known:
            raise ValueError(
                f"Unknown option {key!r} of edit {name!r}.{_nearest(key, known) or ' It has none.'}"
            )
        chosen[name][key] = value
    return tuple(_make(EDITS[name], values) for name, values in chosen.items())


def with_normal_lines(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits, and before them `normalize_lines` unless it is among them.

    Repairs of encodings that come first stay first: letters of mojibake look like line breaks and blanks.
    """
    if any(isinstance(edit, NormalizeLines) for edit in edits):
        return edits
    repairs = tuple(takewhile(lambda edit: isinstance(edit, FixEncoding), edits))
    return (*repairs, NormalizeLines(), *edits[len(repairs) :])


def _make(edit: type[Edit], values: dict[str, Any]) -> Edit:
    try:
        return edit(**values)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join((edit.name, *map(str, found["loc"])))
        message = found["msg"].removeprefix("Value error, ")
        raise ValueError(f"Option `{place}`: {message} (given: {found['input']!r})") from None


def _nearest(word: str, valid: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.0)
    return f" Did you mean {found[0]!r}?" if found else ""
