"""What differs between the recipes of two runs: every key, and what it means in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import ValidationError

from pipelines.execution.fingerprint import canonical_json
from pipelines.graph.reasons import differences, plain
from pipelines.recipe.recipe import Recipe

Difference = dict[str, Any]
"""`place`, `old` and `new` of a key of the recipe, and the same `in_words`."""
NAMED_BY = ("name", "id", "file", "path")
IN_ORDER = ("sources", "mixtures")
"""Sections whose order means something: between duplicates, and from stage to stage."""
WEIGHT = re.compile(r"mixtures\.([^.]+)\.weights\.(.+)")
NOTHING = "nothing"


def recipe_differences(old: str, new: str) -> list[Difference]:
    """What differs between two recipes, as runs keep them; a default is no difference from its own value."""
    try:
        recipes = Recipe.model_validate_json(old), Recipe.model_validate_json(new)
    except ValidationError:  # of another version: compared as they are written
        return list(_keys(orjson.loads(old), orjson.loads(new)))
    before, after = (plain(recipe.model_dump(mode="json")) for recipe in recipes)
    for content in (before, after):
        for judged in ("rules", "edit"):
            del content["curate"][judged]
    return [*_keys(before, after), *_judging(*recipes)]


def _keys(old: Any, new: Any) -> Iterator[Difference]:
    shares = {id(content): _shares(content) for content in (old, new)}
    for place, before, after in differences(_by_name(old), _by_name(new)):
        words = f"{place}: {in_words(before)} → {in_words(after)}"
        if found := WEIGHT.fullmatch(place):
            stage, group = found.groups()
            parts = [_percent(shares[id(content)].get((stage, group))) for content in (old, new)]
            words = f"weight of {group} in {stage}: {in_words(before)} → {in_words(after)}"
            words += f" ({parts[0]} → {parts[1]} of the stage)"
        yield _difference(place, before, after, words)
    for section in IN_ORDER:
        before, after = (list(content.get(section) or {}) for content in (old, new))
        if before != after and sorted(before) == sorted(after):
            words = f"order of {section}: {in_words(before)} → {in_words(after)}"
            yield _difference(section, before, after, words)


def _judging(old: Recipe, new: Recipe) -> Iterator[Difference]:
    """Rules and edits as they hold for each source, whichever entries of the recipe they come from.

    Sources of which the same differs are told together.
    """
    judged = [name for name in _judged(old) if name in _judged(new)]
    found: dict[bytes, tuple[str, Any, Any, list[str]]] = {}
    for source in judged:
        for what, before, after in _differently_judged(_rules(old, source), _rules(new, source)):
            key = canonical_json([what, before, after])
            found.setdefault(key, (what, before, after, []))[3].append(source)
    for what, before, after, sources in found.values():
        named = "all sources" if len(sources) == len(judged) > 1 else _sources(sources)
        words = f"{what} of {named}: {in_words(before)} → {in_words(after)}"
        yield _difference(f"curate: {what}", before, after, words) | {"sources": sources}


def _judged(recipe: Recipe) -> list[str]:
    return [*recipe.sources, *recipe.synthesize.methods]


def _sources(names: list[str]) -> str:
    return f"source{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _differently_judged(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield from differences(old, new)
    orders = [[name for name in these if name in others] for these, others in ((old, new), (new, old))]
    if orders[0] != orders[1]:
        before, after = _where_they_differ(*orders)
        yield "order of edits and rules", before, after


def _where_they_differ(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Two orders of the same names without those at both ends that have their places in both."""
    differs = [number for number, names in enumerate(zip(old, new, strict=True)) if names[0] != names[1]]
    return old[differs[0] : differs[-1] + 1], new[differs[0] : differs[-1] + 1]


def _rules(recipe: Recipe, source: str) -> dict[str, Any]:
    """The edits and rules of a source in order, each under what it is called."""
    settings = recipe.for_source(source)
    entries = [
        *((f"edit {edit.name}", edit.model_dump(mode="json") or "on") for edit in settings.edits),
        *((f"rule {rule.name}", rule.min if rule.max is None else rule.max) for rule in settings.rules),
        *((f"list of words {code}", files) for code, files in settings.word_files.items()),
        *((f"filter {name}", options or "on") for name, options in settings.datatrove_filters),
    ]
    times: Counter[str] = Counter()
    found = {}
    for name, value in entries:
        times[name] += 1
        found[name if times[name] == 1 else f"{name} ({times[name]})"] = plain(value)
    return found


def _by_name(value: Any) -> Any:
    """Lists of what has names as that by name, so that each is compared with its own namesake."""
    if isinstance(value, dict):
        return {key: _by_name(item) for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for key in NAMED_BY:
            names = [item.get(key) for item in value]
            if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
                return {item[key]: _by_name(item) for item in value}
        return {str(number): _by_name(item) for number, item in enumerate(value)}
    return value


def _shares(content: Any) -> dict[tuple[str, str], float]:
    """The share of each group's own weight in those of its stage."""
    found: dict[tuple[str, str], float] = {}
    for stage, mixture in (content.get("mixtures") or {}).items():
        weights = mixture.get("weights") or {}
        total = sum(weights.values()) + sum((mixture.get("include") or {}).values())
        found |= {(stage, group): weight / total for group, weight in weights.items()}
    return found


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.1%}"


def _difference(place: str, old: Any, new: Any, words: str) -> Difference:
    return {"place": place, "old": old, "new": new, "in_words": words}


def _is_set(value: Any) -> bool:
    """Whether a setting says anything: of what is added or gone, the rest is not told."""
    return any(map(_is_set, value.values())) if isinstance(value, dict) else value not in (None, [])


def in_words(value: Any) -> str:
    """A value of a recipe as a person would write it."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return f"{value:,.10g}"
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or NOTHING
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{key}: {in_words(item)}" for key, item in value.items() if _is_set(item)) + "}"
        )
    return str(value)
