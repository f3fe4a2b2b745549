"""Addresses of pages: what they ask for, and how they are written. What an address says is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from pipelines.errors import UserError
from pipelines.report.browse.corpus import FIRST, Corpus, Place
from pipelines.report.filters import Filters, verdict_numbers
from pipelines.report.inspect import shown_signals
from pipelines.report.wanted import unknown

VERDICTS = ("kept", "held out", "dropped")
TEXTS = ("source", "reason", "group", "language", "signal", "doc_id", "kept_doc_id", "search")
"""What a filter and its field of `Filters` are both called."""
NAMES = (*TEXTS, "verdict", "low", "high")
WORDS = {"language"}
"""What is text, though it stands among the signals."""


def parse(query: str, names: tuple[str, ...]) -> dict[str, str]:
    """What the query of an address says, but what it leaves empty. Raises UserError for names but these."""
    given = dict(parse_qsl(query))
    for name in given:
        if name not in names:
            raise unknown("filter", name, list(names))
    return given


def link(path: str, **query: object) -> str:
    """The address of a page."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def filters_of(given: Mapping[str, str], corpus: Corpus) -> Filters:
    """The filters that an address names. Raises UserError where one is wrong."""
    verdict, reason = given.get("verdict"), given.get("reason")
    if verdict is not None and verdict not in VERDICTS:
        raise unknown("verdict", verdict, list(VERDICTS))
    if reason is not None and verdict in ("kept", "held out"):
        raise UserError(f"what is {verdict} is not dropped for a reason", hint="Ask for one of them.")
    if "source" in given and given["source"] not in (there := [each.name for each in corpus.sources]):
        raise unknown("source", given["source"], there)
    low, high = (_number(given, name) for name in ("low", "high"))
    if "signal" in given and given["signal"] not in (there := signals(corpus)):
        raise unknown("signal", given["signal"], there)
    if "signal" not in given and not low is high is None:
        raise UserError("a range is one of a signal", hint="Name the signal, too.")
    texts = {name: given.get(name) for name in TEXTS}
    if verdict == "dropped":
        texts["reason"] = reason or ""
    return Filters(**texts, kept=verdict == "kept", held_out=verdict == "held out", low=low, high=high)


def place_of(given: Mapping[str, str], name: str) -> Place:
    """The place that an address names; by default the first."""
    return Place.parse(given[name]) if name in given else FIRST


def signals(corpus: Corpus) -> list[str]:
    """The numbers that are known of documents of any source."""
    found: dict[str, None] = {}
    for source in corpus.sources:
        measured = shown_signals(source.select.source(source.name))
        found |= dict.fromkeys(name for name in measured if name not in WORDS)
        found |= dict.fromkeys(verdict_numbers(source.select))
    return list(found)


def _number(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        number = float(given[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"`{given[name]}` is no number", hint=f"Give one as `{name}`, or leave it out.")
    return number
