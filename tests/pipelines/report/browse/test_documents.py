"""Which documents the pages show: as an independent look at the run's files finds them, each once."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.commands.open_run import open_latest
from pipelines.report.browse.corpus import FIRST, Corpus
from pipelines.report.browse.scan import PAGE, Budget, find
from pipelines.report.filters import Filters
from tests.pipelines.report.browse.conftest import visited

SOURCES = ("web", "law", "odd", "talk")
SIGNALS = ("non_symbol_words", "mean_word_length", "language_score", "cluster_size", "similarity")


def files(run: Path, stage: str) -> list[Path]:
    (folder,) = (run / "stages").glob(stage)
    return sorted(folder.glob("*.parquet"))


@pytest.fixture(scope="module")
def everything(judged) -> pl.DataFrame:
    """All documents with place, text, verdict and signals, straight from the files."""
    tables = []
    for number, source in enumerate(SOURCES):
        for part, path in enumerate(files(judged, f"ingest-{source}-*")):
            (verdicts,) = (judged / "stages").glob(f"select-*/{source}/{path.name}")
            table = pl.read_parquet(path, columns=["text"]).hstack(pl.read_parquet(verdicts))
            (scores,) = (judged / "stages").glob(f"annotate-{source}-language-*/{path.name}")
            table = table.hstack(pl.read_parquet(scores, columns=["language_score"]))
            for found in (judged / "stages").glob(f"annotate-{source}-gopher_quality-*/{path.name}"):
                table = table.hstack(pl.read_parquet(found))
            place = [f"{number}.{part}.{row}" for row in range(len(table))]
            tables.append(table.with_columns(place=pl.Series(place), source=pl.lit(source)))
    return pl.concat(tables, how="diagonal_relaxed")


def expected(everything: pl.DataFrame, query: dict) -> list[str]:
    conditions = [pl.lit(True)]
    for name, column in (("source", "source"), ("group", "domain"), ("language", "language")):
        if name in query:
            conditions.append(pl.col(column) == query[name])
    kept = pl.col("keep") & ~pl.col("held_out")
    verdicts = {"kept": kept, "held out": pl.col("held_out"), "dropped": ~pl.col("keep")}
    if "verdict" in query:
        conditions.append(verdicts[query["verdict"]])
    if "reason" in query:
        conditions.append(pl.col("reason").str.starts_with(query["reason"]))
    if "signal" in query:
        value = pl.col(query["signal"])
        low, high = query.get("low", float("-inf")), query.get("high", float("inf"))
        conditions.append(value.is_not_null() & value.is_between(low, high))
    if "search" in query:
        conditions.append(
            pl.col("text").str.to_lowercase().str.contains(query["search"].lower(), literal=True)
        )
    return everything.filter(pl.all_horizontal(conditions))["place"].to_list()


@st.composite
def queries(draw, everything: pl.DataFrame) -> dict:
    values = {
        "source": st.sampled_from(SOURCES),
        "verdict": st.sampled_from(["kept", "held out", "dropped"]),
        "group": st.sampled_from([*SOURCES, "nothing"]),
        "language": st.sampled_from(["en", "und", "xx"]),
        "search": st.sampled_from(["river Mountain", "in front", "<script>", "nothing like it", "%"]),
    }
    query = {name: draw(values[name]) for name in draw(st.sets(st.sampled_from(list(values)), max_size=2))}
    if query.get("verdict") in (None, "dropped") and draw(st.booleans()):
        reason = draw(st.sampled_from(everything["reason"].drop_nulls().unique().sort().to_list()))
        query["reason"] = reason[: draw(st.integers(1, len(reason)))]
    if draw(st.booleans()):
        query["signal"] = draw(st.sampled_from(SIGNALS))
        values = everything[query["signal"]].drop_nulls().unique().sort().to_list()
        low, high = sorted(draw(st.lists(st.sampled_from(values), min_size=2, max_size=2)))
        query |= {name: value for name, value in (("low", low), ("high", high)) if draw(st.booleans())}
    return query


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_document_that_is_wanted_is_shown_once(data, browser, everything):
    query = data.draw(queries(everything))
    assert visited(browser, **query) == expected(everything, query)


def test_all_documents_are_visited(browser, everything):
    assert len(everything) == 160 + 80 + 6 + 1 > 2 * PAGE
    assert visited(browser) == everything["place"].to_list()


@pytest.mark.parametrize("filters", [{}, {"search": "river"}, {"reason": "near"}, {"source": "law"}])
def test_however_short_the_time_looking_goes_on_to_the_end(judged, filters):
    corpus = Corpus.open(open_latest(judged).graph, judged)
    at, found, looked_at = FIRST, [], []
    while at is not None:
        scan = find(corpus, Filters(**filters), at, Budget(seconds=0))
        found += scan.places
        looked_at.append(scan.looked_at)
        at = scan.following
    assert found == sorted(set(found)) and looked_at == sorted(set(looked_at))
    assert looked_at[-1] == scan.documents and len(looked_at) > 1
    whole, at = [], FIRST
    while at is not None:
        scan = find(corpus, Filters(**filters), at, Budget(seconds=1e6))
        whole += scan.places
        at = scan.following
    assert found == whole


def test_nobody_looks_on_for_a_page_that_is_given_up(judged):
    corpus = Corpus.open(open_latest(judged).graph, judged)
    budget = Budget(seconds=1e6)
    budget.given_up.set()
    scan = find(corpus, Filters(search="nothing like it"), FIRST, budget)
    assert scan.following is not None and scan.looked_at < scan.documents


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"source": "wed"}, "there is no source `wed`"),
        ({"verdict": "lost"}, "there is no verdict `lost`"),
        ({"signal": "colour"}, "there is no signal `colour`"),
        ({"low": "1"}, "a range is one of a signal"),
        ({"signal": "cluster_size", "low": "nan"}, "`nan` is no number"),
        ({"verdict": "kept", "reason": "near"}, "what is kept is not dropped for a reason"),
        ({"from": "0.0"}, "this is no place of a document"),
        ({"page": "1"}, "there is no filter `page`"),
    ],
)
def test_a_filter_that_is_none_is_told(browser, query, says):
    answer = browser.get("/documents", params=query)
    assert answer.status_code == 400 and says in answer.text.replace("&#39;", "'")


def test_numbers_of_verdicts_are_those_of_the_report(judged, browser, coupage, everything):
    assert ">show</a>" in browser.get("/").text and browser.get("/report").status_code == 400
    coupage("report", judged)
    page = browser.get("/").text
    near = len(expected(everything, {"source": "web", "reason": "near"}))
    link = '<a href="/documents?source=web&amp;verdict=dropped&amp;reason=near+duplicate">near duplicate</a>'
    assert f'{link}</td><td class="n">{near}</td>' in page
    kept = len(expected(everything, {"source": "law", "verdict": "kept"}))
    assert f'<a href="/documents?source=law&amp;verdict=kept">{kept}</a>' in page
    report = browser.get("/report")
    assert report.content == (judged / "report.html").read_bytes()
    assert "Content-Security-Policy" not in report.headers
