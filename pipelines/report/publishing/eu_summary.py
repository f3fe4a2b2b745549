"""A draft of the public summary of training content that the AI Act, Article 53(1)(d), asks of providers.

It follows the European Commission's template of 24 July 2025 (Annex to C(2025) 5235) section by section.
What a run knows is filled in; what only a person can know is marked, and never guessed.
"""

from __future__ import annotations

from typing import Any

from pipelines.report.publishing.card import kept_languages, known_limits, masked
from pipelines.report.publishing.domains import DOMAINS, HEADER, SHOWN, Domains
from pipelines.report.publishing.markdown import render_markdown
from pipelines.report.publishing.origins import (
    DATASET,
    FILES,
    INSTALLED,
    PAPERS,
    PUBLIC_CRAWL,
    REPOSITORIES,
    SYNTHETIC,
    WEB,
    origin_in_words,
    own_sources,
)

TEMPLATE = "eu_training_summary.md.jinja"
ABOUT_DATA = ("reasons", "contamination", "languages", "licences", "quarantine", "synthesis")
"""Sections of the report whose warnings are about the data, not about training or the mixture."""
PUBLIC, THIRD_PARTY, CRAWLED, MADE, ELSE = "public", "third_party", "crawled", "made", "else_sources"
SECTIONS = {
    DATASET: PUBLIC,
    PUBLIC_CRAWL: PUBLIC,
    PAPERS: PUBLIC,
    WEB: CRAWLED,
    FILES: THIRD_PARTY,
    REPOSITORIES: ELSE,
    INSTALLED: ELSE,
    SYNTHETIC: MADE,
}
"""In which part of section 2 an origin belongs, as far as a run can tell."""
RANGES = (
    (10**9, "Less than 1 billion tokens"),
    (10**13, "1 billion to 10 trillion tokens"),
    (None, "More than 10 trillion tokens"),
)
"""The template's sizes of text: tokens below the number."""


def render_summary(content: dict[str, Any], domains: Domains | None = None) -> str:
    """The draft for a report; `domains` are those of pages that were crawled."""
    tokens = sum(ledger["tokens"] for ledger in _trained_on(content).values())
    return render_markdown(
        TEMPLATE,
        content,
        own_sources=own_sources(content),
        trained_on=_trained_on(content),
        tokens=tokens,
        sizes=[(name, tokens > 0 and name == size_range(tokens)) for _, name in RANGES],
        **{section: _sources(content, section) for section in (PUBLIC, THIRD_PARTY, CRAWLED, MADE, ELSE)},
        languages=kept_languages(content),
        masked=masked(content),
        limits_of_data=known_limits(content, ABOUT_DATA),
        domains=domains,
        file=DOMAINS,
        header=HEADER,
        shown=SHOWN,
    )


def size_range(tokens: int) -> str:
    """Which of the template's sizes of text it is."""
    return next(name for below, name in RANGES if below is None or tokens < below)


def _trained_on(content: dict[str, Any]) -> dict[str, Any]:
    """The mixtures: rows that are held out have no quotas, and are no training data."""
    return {
        name: ledger
        for name, ledger in content["mixtures"].items()
        if any(group["quota"] for group in ledger["groups"])
    }


def _sources(content: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """The sources of a section, with where they come from and what was kept of them."""
    funnels = {source["source"]: source for source in content["sources"]}
    made = {each["name"]: each for each in content["synthesis"]}
    return [
        {
            "source": each["source"],
            "kind": each["kind"],
            "from": origin_in_words(each),
            "address": each["address"],
            "formats": each["formats"],
            "made": made.get(each["source"]),
            **{key: funnels[each["source"]][key] for key in ("kept", "documents", "licence", "domain")},
        }
        for each in content["origins"]
        if SECTIONS[each["kind"]] == section
    ]
