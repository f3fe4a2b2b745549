"""One document: its text, its verdict and the evidence, its duplicates, what it has of benchmarks."""

from __future__ import annotations

from typing import Any

from filters.quality.rules import Rule
from pipelines.errors import UserError
from pipelines.report.browse.corpus import Corpus, Place
from pipelines.report.browse.links import link, parse
from pipelines.report.browse.text_pages import on_page, page_count, passages_of
from pipelines.report.contaminated import Compared, by_harm, compared_sources, described, items_at
from pipelines.report.inspect import describe

MATCHES = 20
"""How many are shown, the most harmful first."""


def document(corpus: Corpus, query: str) -> dict[str, Any]:
    """What the page of a document shows. Raises UserError where there is none such."""
    given = parse(query, ("at", "page", "as"))
    place = Place.parse(given.get("at", ""))
    found = corpus.found(place)
    (known,) = describe(corpus.graph, corpus.workdir, [found])
    compared = next((each for each in compared_sources(corpus.graph) if each.parts is found.parts), None)
    matches = [] if compared is None else _matches(compared, corpus, found.part, place.row)
    spans = [(match["start"], match["end"]) for match in matches]
    is_plain = given.get("as") == "text"
    passages = passages_of(known, spans, is_plain)
    pages = page_count(passages)
    page = _page(given.get("page", "1"), pages)
    before, after = corpus.beside(place)

    def of_page(number: int) -> str | None:
        shown = given | {"page": str(number)}
        return link("/document", **shown) if 1 <= number <= pages else None

    return known | {
        "passages": list(on_page(passages, page)),
        "characters": sum(len(passage.text) for passage in passages),
        "page": page,
        "pages": pages,
        "page_before": of_page(page - 1),
        "page_after": of_page(page + 1),
        "other_view": _other_view(known, place, is_plain),
        "before": before and link("/document", at=before),
        "after": after and link("/document", at=after),
        "of_source": link("/documents", source=known["source"]),
        **_duplicates(known),
        "matches": matches,
        "signals": _signals(known, found.select.source(found.parts.scope).rules),
    }


def _page(text: str, pages: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and 1 <= int(text) <= pages):
        raise UserError("the text has no such page", hint=f"There are pages 1 to {pages}.")
    return int(text)


def _other_view(known: dict[str, Any], place: Place, is_plain: bool) -> dict[str, str] | None:
    """Of a conversation, where it is shown in the other way."""
    if not known["messages"]:
        return None
    if is_plain:
        return {"name": "as turns", "link": link("/document", at=place)}
    return {"name": "as plain text", "link": link("/document", at=place, **{"as": "text"})}


def _duplicates(known: dict[str, Any]) -> dict[str, str | None]:
    """Where the document is that was kept in its place, and those in whose place it or that was kept."""
    kept = known["kept_instead"]
    survivor = kept if kept is not None else known["doc_id"] if known["cluster_size"] > 1 else None
    return {
        "kept_link": None if kept is None else link("/documents", doc_id=kept),
        "duplicates_link": None if survivor is None else link("/documents", kept_doc_id=survivor),
    }


def _matches(compared: Compared, corpus: Corpus, part: str, row: int) -> list[dict[str, Any]]:
    """What the document has of items of benchmarks, each match beside its item."""
    matches = by_harm(compared.matches_at(corpus.workdir, part, row)).head(MATCHES)
    items = items_at(compared.verdicts.matches.benchmarks, matches["item"], corpus.workdir)
    return list(described(matches, compared, items, corpus.workdir))


def _signals(known: dict[str, Any], rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """What was measured, with the rules over it; what rules judged comes first."""
    judged = known["judged_signals"]
    names = [*judged, *(name for name in known["signals"] if name not in judged)]
    return [
        {
            "name": name,
            "value": (value := known["signals"][name]),
            "rules": [
                {"name": rule.name, "min": rule.min, "max": rule.max, "failed": _fails(rule, value)}
                for rule in rules
                if rule.signal == name
            ],
        }
        for name in names
    ]


def _fails(rule: Rule, value: float) -> bool:
    return (rule.min is not None and value < rule.min) or (rule.max is not None and value > rule.max)
