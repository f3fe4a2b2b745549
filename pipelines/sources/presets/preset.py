"""A named source: a dataset of the hub, how it is read, its licence, and how it is best filtered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.sources.paths import ABSENT, found_at
from pipelines.sources.presets.languages import Languages, UnknownLanguageError

MERGED = ("fields", "where")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a source of this name is, unless the recipe says otherwise."""

    about: str
    """What it is, in a line."""
    dataset: str
    license: str
    """An SPDX expression; of a collection, where records do not say it."""
    domain: str
    language: str | None = None
    """The one language of its documents."""
    languages: Languages | None = None
    """What the recipe's `language` chooses; None where there is nothing to choose."""
    chosen_by: Literal["subset", "data_dir", "where.language"] = "subset"
    """The key that holds the choice."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the hub reader."""
    gated: str | None = None
    """What must be accepted before it may be read."""
    curate: Mapping[str, Any] = field(default_factory=dict)
    """The recommended edits and rules, as `curate` in a recipe has them, without `sources`."""
    unconfirmed: str | None = None
    """What could not be checked against the dataset itself."""

    def expand(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of the hub reader that a recipe's own ones stand for.

        Args:
            name: What the preset is called.
            given: The recipe's keys but `use`. They take the place of the preset's; in MERGED key by key.

        Raises:
            ValueError: A language is missing, or is none of those there are.
        """
        settings: dict[str, Any] = {
            "reader": "hub",
            "dataset": self.dataset,
            "domain": self.domain,
            "language": self.language,
            "license": self.license,
            **self.options,
        }
        own = dict(given)
        if self.languages is not None and found_at(own, self.chosen_by) is ABSENT:
            settings = self._with_choice(name, settings, own.get("language"))
            own.pop("language", None)
        for key in MERGED:
            if isinstance(settings.get(key), Mapping) and isinstance(own.get(key), Mapping):
                own[key] = {**settings[key], **own[key]}
        settings |= own
        if isinstance(settings.get("where"), Mapping):
            settings["where"] = _told(settings["where"])
        return _told(settings)

    def _with_choice(self, name: str, settings: dict[str, Any], language: Any) -> dict[str, Any]:
        assert self.languages is not None
        try:
            found = self.languages.find(language)
        except UnknownLanguageError as error:
            raise ValueError(f"the preset {name} {error}") from error
        if found is None:
            return settings
        if self.languages.are_spoken:
            settings = settings | {"language": found.code}
        if self.chosen_by == "where.language":
            return settings | {"where": {**settings.get("where", {}), "language": found.name}}
        return settings | {self.chosen_by: found.name}


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that are null, which take away what a preset says."""
    return {key: value for key, value in settings.items() if value is not None}
