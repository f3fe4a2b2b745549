"""A page of documents: of each its verdict and the beginning of its text, and where the next ones are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipelines.report.browse.corpus import Corpus, Place, Source
from pipelines.report.browse.links import NAMES, VERDICTS, filters_of, link, parse, place_of, signals
from pipelines.report.browse.scan import Budget, find
from pipelines.report.filters import Filters, signal_holder
from pipelines.report.inspect import verdict_in_words
from pipelines.report.wanted import known_reasons
from pipelines.stages.document_rows import Rows, table_at

BEGINNING = 300
"""Characters of a text that are shown."""
SHOWN = ["doc_id", "keep", "held_out", "reason", "domain", "language", "kept_doc_id", "similarity"]


def listing(corpus: Corpus, query: str, budget: Budget) -> dict[str, Any]:
    """What the page of documents shows that an address asks for. Raises UserError where it is wrong."""
    given = parse(query, (*NAMES, "from"))
    filters = filters_of(given, corpus)
    scan = find(corpus, filters, place_of(given, "from"), budget)
    return {
        "given": given,
        "scan": scan,
        "documents": [row for rows in _by_part(corpus, filters, scan.places) for row in rows],
        "first": link("/documents", **_without(given, "from")) if "from" in given else None,
        "following": link("/documents", **given | {"from": scan.following}) if scan.following else None,
        "choices": _choices(corpus),
        "not_in_form": {name: given[name] for name in ("doc_id", "kept_doc_id") if name in given},
        "without": {name: link("/documents", **_without(given, name, "from")) for name in given},
    }


def _without(given: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in names}


def _choices(corpus: Corpus) -> dict[str, list[str]]:
    """What a filter can be, as far as that is known without a look at documents."""
    selects = {id(source.select): source.select for source in corpus.sources}.values()
    return {
        "source": [source.name for source in corpus.sources],
        "verdict": list(VERDICTS),
        "reason": list(dict.fromkeys(reason for select in selects for reason in known_reasons(select))),
        "group": list(dict.fromkeys(source.parts.domain for source in corpus.sources)),
        "signal": signals(corpus),
    }


def _by_part(corpus: Corpus, filters: Filters, places: list[Place]) -> list[list[dict[str, Any]]]:
    """What is shown of the documents at ascending places."""
    grouped = groupby(places, key=lambda place: (place.source, place.part))
    return [
        _of_part(corpus, filters, corpus.sources[source], part, list(of_part))
        for (source, part), of_part in grouped
    ]


def _of_part(
    corpus: Corpus, filters: Filters, source: Source, part: int, places: list[Place]
) -> list[dict[str, Any]]:
    name, workdir = source.names[part], corpus.workdir
    rows = np.array([place.row for place in places])
    verdicts = table_at(source.select.path(workdir, f"{source.name}/{name}"), rows, SHOWN).to_pylist()
    texts = table_at(source.parts.path(workdir, name), rows, ["text"]).column("text")
    values = _values(corpus, filters, source, name, rows)
    lengths, beginnings = pc.utf8_length(texts), pc.utf8_slice_codeunits(texts, 0, BEGINNING)
    return [
        verdict
        | {
            "at": link("/document", at=place),
            "source": source.name,
            "verdict": verdict_in_words(verdict),
            "value": value,
            "beginning": beginning.as_py() + ("…" if length.as_py() > BEGINNING else ""),
            "length": length.as_py(),
        }
        for place, verdict, value, beginning, length in zip(
            places, verdicts, values, beginnings, lengths, strict=True
        )
    ]


def _values(corpus: Corpus, filters: Filters, source: Source, part: str, rows: Rows) -> list[float | None]:
    """What the documents at some rows have of the signal that is asked about."""
    if filters.signal is None:
        return [None] * len(rows)
    path = signal_holder(source.parts, source.select, corpus.workdir, part, filters.signal)
    assert path is not None, "documents that have a value of it were found"
    values: list[float | None] = table_at(path, rows, [filters.signal]).column(0).to_pylist()
    return values
