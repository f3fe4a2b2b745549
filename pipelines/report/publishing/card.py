"""The dataset card: what a mixture is made of and how, in the hub's format. All of it is from the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from pipelines.evaluation.tables import sheets
from pipelines.report.publishing.card_metadata import front_matter
from pipelines.report.publishing.markdown import render_markdown
from pipelines.report.publishing.origins import origin_in_words, own_sources

TEMPLATE = "README.md.jinja"
MASKING = "mask_pii"
REASONS = 5
"""For which documents of a source were dropped, that are named."""
SHOWN = 12
"""Rows of a list that has more in `report.json`."""


def render_card(content: dict[str, Any]) -> str:
    """The card of a report, with its metadata in front."""
    card = render_markdown(
        TEMPLATE,
        content,
        origin={each["source"]: origin_in_words(each) for each in content["origins"]},
        reasons=[_reasons(source) for source in own_sources(content) if source["kept"] is not None],
        languages=kept_languages(content),
        masked=masked(content),
        known_limits=known_limits(content),
        evaluation_tables={name: list(sheets(found)) for name, found in content["evaluation"].items()},
        shown=SHOWN,
    )
    return front_matter(content) + "\n" + card


def _reasons(source: dict[str, Any]) -> dict[str, Any]:
    """Why documents of a source were dropped, the most first."""
    dropped = sorted(source["dropped"].items(), key=lambda row: (-row[1], row[0]))
    return {
        "source": source["source"],
        "dropped": sum(source["dropped"].values()),
        "most": dropped[:REASONS],
        "others": sum(number for _, number in dropped[REASONS:]),
    }


def kept_languages(content: dict[str, Any]) -> list[tuple[str, int]]:
    """Documents kept by language, the most first."""
    kept: Counter[str] = Counter()
    for source in own_sources(content):
        kept.update({language: numbers["kept"] for language, numbers in source["languages"].items()})
    return [(language, number) for language, number in kept.most_common() if number]


def masked(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Personal data and secrets that masks stand for: of each source how many of each kind."""
    return [each for each in content["edits"] if each["edit"] == MASKING]


def known_limits(content: dict[str, Any], sections: Collection[str] | None = None) -> list[str]:
    """What a reader of the run, or of some sections of its report, should know of, in sentences."""
    return [
        each["in_words"].replace("`", "")
        for each in content["warnings"]
        if sections is None or each["section"] in sections
    ]
