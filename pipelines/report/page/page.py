"""`report.html`: one file that needs nothing beside it, and shows what `report.json` holds."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson
from markupsafe import Markup, escape

from pipelines.evaluation.tables import sheets
from pipelines.execution.counts import Counts
from pipelines.report.escape import plain_text
from pipelines.report.page import charts, formats
from pipelines.report.page.glossary import GLOSSARY
from pipelines.report.page.signals_on_page import signals_on_page
from pipelines.report.templating import template_environment

if TYPE_CHECKING:
    from jinja2 import Environment

SAMPLES_BUDGET = 3_000_000
"""Characters of sampled documents that the page shows at most; `report.json` has all."""
FEWEST_SHOWN, MOST_SHOWN = 200, 2000
"""Characters of one of them."""
SCRIPTS = ("vendor/echarts.min.js", "templates/charts.js", "templates/signals.js", "templates/page.js")


@dataclass(frozen=True)
class Section:
    """A part of the page: `templates/sections/ID.html.jinja`, left out where that gives nothing."""

    id: str
    title: str
    question: str
    """What its reader asks."""


SECTIONS = (
    Section("overview", "Overview", ""),
    Section("warnings", "Warnings", "Is anything wrong?"),
    Section("mixture", "Mixture", "Was built what was asked for?"),
    Section("funnel", "From raw to shards", "How much of each source is left?"),
    Section("reasons", "Why documents were dropped", "Which rule cost how much?"),
    Section("signals", "Signals and thresholds", "What would another threshold keep?"),
    Section("duplicates", "Duplicates", "What was in the data twice?"),
    Section("contamination", "Benchmarks in the documents", "Did a benchmark leak into the data?"),
    Section("languages", "Languages and hosts", "Which languages, and from where?"),
    Section("licences", "Licences", "Which licences cover the tokens?"),
    Section("lengths", "Lengths and packing", "How long are documents, and how do they fill the rows?"),
    Section("edits", "What edits changed", "What was taken out of the texts?"),
    Section("classifiers", "Classifiers", "How well does each classifier do?"),
    Section("synthesis", "Synthesis", "What did models write, and what was rejected?"),
    Section("trials", "Which mixture", "What is each source worth, and which weights are best?"),
    Section("tokenizer", "Tokenizer", "How many bytes does a token hold?"),
    Section("training", "Training", "Did the model learn?"),
    Section("evaluation", "Evaluation", "What is the model worth beside its base?"),
    Section("outcome", "Outcome", "Did training do what it was to do?"),
    Section("yield", "Scores over synthetic tokens", "Does more synthetic text help?"),
    Section("samples", "Samples", "What do the documents look like?"),
    Section("lineage", "Lineage", "What was this made from, where and when?"),
    Section("quarantine", "Bad records", "What could not be read?"),
    Section("stages", "Stages", "What was done, and how long did it take?"),
)
ABSENT: dict[str, Any] = {
    "signals": (),
    "samples": (),
    "hosts": (),
    "warnings": (),
    "source_tokens": {},
    "deviation": {},
    "domains_languages": {},
    "duplicates": None,
    "lengths": None,
    "lineage": None,
    "trials": None,
    "outcome": None,
}
"""What a report that lacks a key has in its place."""


def render_page(content: dict[str, Any]) -> str:
    """The page of a report. Documents and their sources are hostile text: all is escaped."""
    environment = page_environment()
    context = {
        **ABSENT,
        **content,
        "evaluation_tables": {name: list(sheets(found)) for name, found in content["evaluation"].items()},
        "faults": list(_faults(content)),
        "warning_kinds": _by_kind(content.get("warnings", ())),
        "most_ruled": _most_ruled(content),
        "signal_data": list(signals_on_page(content.get("signals", ()))),
        "shown_characters": _shown_characters(content.get("samples", ())),
    }
    bodies = {
        section.id: _section(environment, section.id, context)
        for section in SECTIONS
        if section.id != "warnings"
    }
    context["linked"] = {section for section, body in bodies.items() if body}
    bodies["warnings"] = _section(environment, "warnings", context)
    return environment.get_template("report.html.jinja").render(
        context,
        **page_parts(SCRIPTS),
        sections=[(section, bodies[section.id]) for section in SECTIONS if bodies[section.id]],
    )


def _section(environment: Environment, section: str, context: Mapping[str, Any]) -> Markup:
    template = environment.get_template(f"sections/{section}.html.jinja")
    return Markup(template.render(context).strip())


def page_environment(*packages: str) -> Environment:
    """The templates of these packages and of the report's page, with its filters and charts."""
    environment = template_environment(
        *packages, "pipelines.report.page", finalize=plain_text, extensions=["jinja2.ext.do"]
    )
    for form in (
        formats.count,
        formats.short,
        formats.size,
        formats.share,
        formats.decimals,
        formats.duration,
    ):
        environment.filters[form.__name__] = form
    environment.filters |= {"data": script_data, "ticked": ticked}
    titles = {section.id: section.title for section in SECTIONS}
    environment.globals |= {"charts": charts, "glossary": GLOSSARY, "titles": titles}
    return environment


def page_parts(names: Sequence[str]) -> dict[str, Any]:
    """What a page has inside so that it needs nothing beside it: its style, and scripts by their hashes."""
    scripts = [_file(name) for name in names]
    return {
        "scripts": [Markup(script) for script in scripts],
        "script_hashes": " ".join(f"'sha256-{_digest(script)}'" for script in scripts),
        "style": Markup(_file("templates/page.css")),
    }


def script_data(value: Any) -> Markup:
    """JSON for a script element: no text in it ends the element, and every label is fit to be printed."""
    text = orjson.dumps(_printable(value), option=orjson.OPT_NON_STR_KEYS).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def ticked(text: str) -> Markup:
    """A sentence in which backticks stand around names."""
    pieces = plain_text(text).split("`")
    named = (
        Markup("<code>{}</code>").format(each) if n % 2 else escape(each) for n, each in enumerate(pieces)
    )
    return Markup("").join(named)


def _printable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain_text(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else plain_text(value)


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each sum of a stage that does not close."""
    for stage in content["stages"]:
        if stage["counts"]:
            for sentence in Counts.model_validate(stage["counts"]).unclosed():
                yield f"{stage['stage']}: {sentence}"


def _most_ruled(content: Mapping[str, Any]) -> str:
    """The source that rules over signals took the largest share of: the first that is shown."""

    def lost(source: Mapping[str, Any]) -> float:
        rules = {rule["rule"] for signal in source["signals"] for rule in signal["rules"]}
        dropped = dropped_of.get(source["source"], {})
        lost_documents: int = sum(n for reason, n in dropped.items() if reason in rules)
        return lost_documents / max(int(source["documents"]), 1)

    dropped_of = {source["source"]: source["dropped"] for source in content["sources"]}
    return max(content.get("signals", ()), key=lost, default={"source": ""})["source"]


def _by_kind(warnings: Sequence[Mapping[str, str]]) -> list[list[Mapping[str, str]]]:
    """Warnings that say the same of different names, together."""
    kinds = groupby(warnings, lambda each: (each["level"], each["section"], each["kind"]))
    return [list(alike) for _, alike in kinds]


def _shown_characters(samples: Any) -> int:
    """How much is shown of each sampled document, so that the page does not grow without bound."""
    examples = sum(len(sample["examples"]) for sample in samples)
    return max(FEWEST_SHOWN, min(MOST_SHOWN, SAMPLES_BUDGET // max(1, examples)))


def _file(name: str) -> str:
    return files("pipelines.report.page").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()
