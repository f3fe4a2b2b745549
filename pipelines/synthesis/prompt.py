"""Prompts: files that people edit, each named by a hash of what it says.

A file `METHOD/NAME.LANGUAGE.yaml` holds `system` and `user`, Jinja templates with places such as
`{{ passage }}`, and `examples`: pairs of what is asked (the values of the places) and of the answer, which
stand between the two as earlier turns. A file of the same name in the recipe's own folder of prompts takes
the place of the shipped one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, Field

from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint
from pipelines.settings import STRICT

if TYPE_CHECKING:
    from jinja2 import Template

SHIPPED = "pipelines.synthesis"
FOLDER = "prompts"
FALLBACK = "en"
"""The language of the prompts that are used where there are none in a passage's language."""
_CODE = re.compile(r"[A-Za-z0-9-]+")


class Example(BaseModel):
    """A question as it could be asked, and the answer that is wanted."""

    model_config = STRICT

    values: dict[str, Any] = Field(description="What stands in the places of `user`.")
    answer: str


class PromptFile(BaseModel):
    """What a file of a prompt says."""

    model_config = STRICT

    system: str = ""
    user: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """A prompt and where it comes from."""

    name: str
    language: str
    file: PromptFile

    @cached_property
    def hash(self) -> str:
        """Names what it says."""
        return fingerprint(self.file.model_dump())

    def messages(self, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """The conversation that asks. Raises UserError where a place has no value."""
        turns = [("system", _fill(self.file.system, values, self.name))] if self.file.system else []
        for example in self.file.examples:
            asked = _fill(self.file.user, {**values, **example.values}, self.name)
            turns += [("user", asked), ("assistant", example.answer.strip())]
        turns.append(("user", _fill(self.file.user, values, self.name)))
        return [{"role": role, "content": content} for role, content in turns]

    @property
    def instructions(self) -> tuple[str, ...]:
        """Its own lines, without those that hold a place: what an answer must not repeat."""
        lines = f"{self.file.system}\n{self.file.user}".splitlines()
        return tuple(line.strip() for line in lines if line.strip() and "{{" not in line and "{%" not in line)


def _fill(template: str, values: Mapping[str, Any], name: str) -> str:
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(values).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise UserError(
            f"the prompt cannot be filled: {error}", file=name, hint="Mend it, or take the shipped one."
        ) from error


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template)


@dataclass(frozen=True)
class Prompts:
    """The prompts of a recipe: the shipped ones, and those that take their place.

    What they say when they are first asked for stays, whatever is edited while a run goes on: its stages are
    named by it.
    """

    own: Path | None = None
    _known: dict[tuple[str, str], Prompt] = field(default_factory=dict, repr=False, compare=False)

    def get(self, name: str, language: str) -> Prompt:
        """The prompt `METHOD/NAME` in a language, or in English. Raises UserError where there is none."""
        if (name, language) not in self._known:
            self._known[name, language] = self._first(name, language)
        return self._known[name, language]

    def _first(self, name: str, language: str) -> Prompt:
        for code in filter(_CODE.fullmatch, (language, FALLBACK)):
            for text, place in self._texts(f"{name}.{code}.yaml"):
                return Prompt(place, code, _parse(text, place))
        raise UserError(
            f"there is no prompt {name}", place="synthesize.prompts", hint=f"Write {name}.en.yaml."
        )

    def hashes(self, method: str) -> dict[str, str]:
        """The hash of every prompt of a method, by file name: what its documents depend on."""
        folders = [files(SHIPPED) / FOLDER / method, *([self.own / method] if self.own else [])]
        names = {each.name for folder in folders if folder.is_dir() for each in folder.iterdir()}
        stems = {name.split(".")[0] for name in shipped_prompts(method)}
        found = {}
        for name in sorted(name for name in names if name.endswith(".yaml")):
            stem, _, language = name.removesuffix(".yaml").rpartition(".")
            if not stem:
                raise UserError(
                    f"the prompt {method}/{name} names no language",
                    place="synthesize.prompts",
                    hint=f"Call it {language}.{FALLBACK}.yaml, or move it elsewhere.",
                )
            if stem not in stems:
                raise UserError(
                    f"nothing asks for the prompt {method}/{name}",
                    place="synthesize.prompts",
                    hint=f"There are: {', '.join(sorted(stems))}.",
                )
            found[name] = self.get(f"{method}/{stem}", language).hash
        return found

    def _texts(self, file: str) -> list[tuple[str, str]]:
        places = [*([self.own / file] if self.own else []), files(SHIPPED) / FOLDER / file]
        return [(_read(place), str(place)) for place in places if place.is_file()]


def shipped_prompts(method: str) -> dict[str, str]:
    """The texts of a method's shipped prompts by file name."""
    folder = files(SHIPPED) / FOLDER / method
    return {place.name: _read(place) for place in folder.iterdir() if place.name.endswith(".yaml")}


def prompted_methods() -> list[str]:
    """What has shipped prompts."""
    return sorted(place.name for place in (files(SHIPPED) / FOLDER).iterdir() if place.is_dir())


def _read(place: Traversable) -> str:
    try:
        return place.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"this prompt cannot be read: {error}", file=str(place)) from error


@lru_cache(maxsize=256)
def _parse(text: str, place: str) -> PromptFile:
    try:
        return PromptFile.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(
            f"this is no prompt: {error}", file=place, hint="It holds `system`, `user` and `examples`."
        ) from error
