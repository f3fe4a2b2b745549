"""What two runs have different, in words and as a page. All of it comes from outside and is escaped."""

from __future__ import annotations

from typing import Any

from pipelines.report.comparison.figures import what_in_words
from pipelines.report.escape import plain_text
from pipelines.report.templating import template_environment

FIGURES = {
    "funnel": "From raw to kept",
    "mixture": "Mixture",
    "duplicates": "Duplicates",
    "contamination": "Contamination",
    "licences": "Licences",
    "training": "Training",
    "evaluation": "Evaluation",
}
"""The sections of figures, and their titles."""


def compare_page(found: dict[str, Any]) -> str:
    """One page, which loads nothing and runs nothing, of what `compare` found."""
    environment = template_environment(
        "pipelines.report.comparison", "pipelines.report.page", finalize=plain_text
    )
    environment.filters |= {
        "spelled": spelled,
        "signed": signed,
        "moved_words": moved_words,
        "score_words": score_words,
        "what_in_words": what_in_words,
    }
    figures = {name: {"title": title, "things": _things(found[name])} for name, title in FIGURES.items()}
    return environment.get_template("compare.html.jinja").render(found, figures=figures)


def _things(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each thing, by what it is called."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        name = " · ".join(f"{what} {name}" for what, name in row["of"].items()) or "all"
        found.setdefault(name, []).append(row)
    return found


def spelled(number: float | None) -> str:
    """A number with its thousands apart; a dash where there is none."""
    if number is None:
        return "–"
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


def signed(delta: float | None) -> str:
    """A difference with its sign."""
    if delta is None:
        return ""
    return f"{delta:+,}" if isinstance(delta, int) else f"{delta:+,.4g}"


def moved_words(source: dict[str, Any]) -> str:
    """How many documents of a source are kept in one run alone."""
    return (
        f"Documents of {source['source']}: {source['kept_only_a']:,} kept only in A, "
        f"{source['kept_only_b']:,} only in B"
    )


def score_words(score: dict[str, Any]) -> str:
    """How sure the difference between two scores is."""
    name = f"{score['stage']}, {score['group']}: {spelled(score['a'])} → {spelled(score['b'])} bits per byte"
    sure = {
        None: "no intervals of both are known",
        True: "the 95 % intervals overlap",
        False: "the 95 % intervals do not overlap",
    }[score["overlap"]]
    if score["paired"] is None:
        return f"{name}; {sure}; not evaluated on the same documents"
    paired, interval = score["paired"], score["paired"]["interval"]
    reach = f", 95 % from {signed(interval[0])} to {signed(interval[1])}" if interval else ""
    return f"{name}; {sure}; on the {paired['documents']:,} same documents {signed(paired['delta'])}{reach}"
