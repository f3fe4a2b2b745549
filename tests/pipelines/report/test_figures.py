"""The figures of report.json, the page, the card and croissant.json, recomputed from the files of a run.

Nothing of the report is used: shards, parts and sidecars are read as files, and the page with an HTML parser.
"""

import hashlib
import json
import zlib
from base64 import b64decode
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import lxml.html
import polars as pl
import pyarrow as pa
import pytest
from markdown_it import MarkdownIt

from tests.pipelines.report.figures_run import LICENCES, write_run

SOURCES = ("web", "law")
STAGES = ("stage1", "stage2")
SEQUENCE_LENGTH = 256


class Run:
    """What lies in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = json.loads((folder / "report.json").read_text())
        self.page = lxml.html.parse(str(folder / "report.html")).getroot()
        _, _, card = (folder / "README.md").read_text().split("---\n", 2)
        self.card = lxml.html.document_fromstring(MarkdownIt().enable("table").render(card))
        self.card_text = _text(self.card)
        self.croissant = json.loads((folder / "croissant.json").read_text())

    def parquet(self, pattern: str) -> pl.DataFrame:
        """The tables of a stage, one after the other, in the order of their names."""
        return pl.concat(pl.read_parquet(path) for path in sorted(self.folder.glob(f"stages/{pattern}")))

    def documents(self, source: str) -> pl.DataFrame:
        """A source's documents, with what is known of them and their verdicts."""
        parts = self.parquet(f"ingest-{source}-*/*.parquet")
        verdicts = self.parquet(f"select-*/{source}/*.parquet").rename({"domain": "group"})
        sidecars = [
            self.parquet(f"annotate-{source}-{kind}-*/*.parquet")
            for kind in ("language", "gopher_quality")
            if list(self.folder.glob(f"stages/annotate-{source}-{kind}-*"))
        ]
        assert parts["doc_id"].equals(verdicts["doc_id"])
        own = parts.select("doc_id", "text", "license", "url")
        own = own.with_columns(bytes=pl.col("text").str.len_bytes().cast(pl.Int64))
        others = [table.select(pl.exclude("doc_id", "language")) for table in sidecars]
        return pl.concat([own, verdicts.drop("doc_id"), *others], how="horizontal")

    def rows(self, stage: str) -> list[dict]:
        """The rows of shards."""
        files = sorted((self.folder / "shards" / stage).glob("data-*.arrow"))
        return [row for file in files for row in pa.ipc.open_stream(file).read_all().to_pylist()]

    def segments(self, stage: str) -> pl.DataFrame:
        """Which document lies where in the rows of shards."""
        return pl.read_parquet(self.folder / "shards" / stage / "segments.parquet")

    def of_source(self, section: str, source: str) -> dict:
        """What the report says of a source."""
        return next(each for each in self.report[section] if each["source"] == source)

    def table(self, label: str) -> dict[str, list[str]]:
        """A table of the page: the cells of each row by its first."""
        (region,) = self.page.xpath("//div[@role='region' and @aria-label=$label]", label=label)
        rows = [[_text(cell) for cell in row.xpath("th|td")] for row in region.xpath(".//tbody/tr")]
        return {name: cells for name, *cells in rows}

    def columns(self, label: str) -> list[str]:
        """What stands above the cells of a table."""
        (region,) = self.page.xpath("//div[@role='region' and @aria-label=$label]", label=label)
        return [_text(cell) for cell in region.xpath(".//thead//th")][1:]

    def cell(self, label: str, row: str, column: str) -> str:
        """One cell of a table of the page."""
        return self.table(label)[row][self.columns(label).index(column)]

    def card_rows(self, heading: str) -> dict[str, dict[str, str]]:
        """The first table of the card under a heading that begins so: of each row its cells by column."""
        below = "//*[self::h2 or self::h3][starts-with(., $heading)]/following::table[1]"
        (table,) = self.card.xpath(below, heading=heading)
        columns, *rows = ([_text(cell) for cell in row.xpath("th|td")] for row in table.xpath(".//tr"))
        return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


def _text(element) -> str:
    return " ".join(element.text_content().split())


@pytest.fixture(scope="module")
def run(tmp_path_factory, coupage, base_tokenizer) -> Run:
    return Run(write_run(tmp_path_factory.mktemp("figures"), coupage, base_tokenizer))


@pytest.fixture(scope="module")
def documents(run) -> dict[str, pl.DataFrame]:
    return {source: run.documents(source) for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES)
def test_documents_kept_and_dropped(run, documents, source):
    own, said = documents[source], run.of_source("sources", source)
    dropped = Counter(own.filter(~pl.col("keep"))["reason"])
    kept = own.filter("keep")
    assert dropped and said["dropped"] == dropped
    figures = {
        "records": len((run.folder.parent / f"{source}.jsonl").read_text().splitlines()),
        "documents": len(own),
        "kept": len(kept),
        "held_out": own["held_out"].sum(),
        "text_bytes": own["bytes"].sum(),
        "kept_bytes": kept["bytes"].sum(),
    }
    assert {name: said[name] for name in figures} == figures

    shown = {
        "documents": figures["documents"],
        "kept": figures["kept"],
        "dropped": dropped.total(),
        "records": figures["records"],
        "held out": figures["held_out"],
    }
    for column, number in shown.items():
        assert run.cell("Each source", source, column) == f"{number:,}"
    reasons = {row: cells[0] for row, cells in run.table(f"Reasons of {source}").items()}
    assert reasons == {reason: f"{number:,}" for reason, number in dropped.items()}

    card = run.card_rows("Sources")[source]
    assert [card[name] for name in ("documents", "kept", "held out")] == [
        f"{figures[name]:,}" for name in ("documents", "kept", "held_out")
    ]
    assert f"{source}: {dropped.total():,} dropped: " in run.card_text
    (protocol,) = (
        line for line in run.croissant["rai:dataPreprocessingProtocol"] if line.startswith(f"{source}:")
    )
    assert f"of {len(own):,} documents {len(kept):,} kept" in protocol
    for reason, number in dropped.items():
        assert f"{reason} ({number:,})" in run.card_text and f"{reason}: {number:,}" in protocol


def test_the_funnel_of_all_sources(run, documents):
    every = pl.concat([each.select("keep", "held_out") for each in documents.values()])
    rows = {
        "documents": len(every),
        "kept": every["keep"].sum(),
        "of these held out": every["held_out"].sum(),
    }
    for row, number in rows.items():
        assert run.cell("From raw to shards", row, "documents") == f"{number:,}"
    for stage in STAGES:
        tokens = sum(len(row["input_ids"]) for row in run.rows(stage))
        assert run.cell("From raw to shards", f"in the shards of {stage}", "tokens") == f"{tokens:,}"


@pytest.mark.parametrize("stage", STAGES)
def test_tokens_epochs_and_fill_of_groups(run, stage):
    rows, segments = run.rows(stage), run.segments(stage)
    group_of_row = pl.DataFrame({"row": range(len(rows)), "group": [row["group"] for row in rows]})
    placed = segments.join(group_of_row.with_columns(pl.col("row").cast(segments["row"].dtype)), on="row")
    ledger = run.report["mixtures"][stage]
    assert (ledger["rows"], ledger["tokens"]) == (len(rows), sum(len(row["input_ids"]) for row in rows))
    card = run.card_rows(f"{stage}:")
    assert {each["group"] for each in ledger["groups"]} == set(SOURCES) == set(card)
    for said in ledger["groups"]:
        name = said["group"]
        own = [len(row["input_ids"]) for row in rows if row["group"] == name]
        of_group = placed.filter(pl.col("group") == name)
        tokens, unique = sum(own), of_group.filter(pl.col("epoch") == 0)["tokens"].sum()
        figures = {
            "tokens": tokens,
            "packs": len(own),
            "unique_tokens": unique,
            "documents_used": of_group["doc_id"].n_unique(),
            "epochs": pytest.approx(tokens / unique),
            "fill": pytest.approx(tokens / (len(own) * SEQUENCE_LENGTH)),
        }
        assert {key: said[key] for key in figures} == figures and of_group["tokens"].sum() == tokens
        by_column = {
            "tokens": f"{tokens:,}",
            "epochs": f"{tokens / unique:.2f}",
            "fill": f"{tokens / (len(own) * SEQUENCE_LENGTH):.2%}",
            "documents": f"{figures['documents_used']:,}",
            "share built": f"{tokens / ledger['total']:.2%}",
        }
        for column, shown in by_column.items():
            assert run.cell(f"{stage}, by group", name, column) == shown
        assert (card[name]["tokens"], card[name]["epochs"]) == (by_column["tokens"], by_column["epochs"])
    assert stage == "stage1" or max(each["epochs"] for each in ledger["groups"]) > 1
    assert f"{stage}: {ledger['tokens']:,} tokens, {len(rows):,} rows" in run.card_text


@pytest.mark.parametrize("stage", STAGES)
def test_rows_and_how_they_are_filled(run, stage):
    rows, segments = run.rows(stage), run.segments(stage)
    tokens = [len(row["input_ids"]) for row in rows]
    assert all(sum(row["seq_lengths"]) == number for row, number in zip(rows, tokens, strict=True))
    said = run.report["lengths"]["packing"][stage]
    fill = sum(tokens) / (len(rows) * SEQUENCE_LENGTH)
    assert said | {"documents_per_row": None} == {
        "rows": len(rows),
        "fill": pytest.approx(fill),
        "longest_row": max(tokens),
        "documents_per_row": None,
    }
    shown = [f"{len(rows):,}", f"{fill:.2%}", f"{max(tokens):,}"]
    assert run.table("Packing")[stage] == shown
    inside = Counter(len(row["seq_lengths"]) for row in rows)
    bounds = said["documents_per_row"]["bounds"]
    counted = [
        sum(number for many, number in inside.items() if low <= many < high) for low, high in pairwise(bounds)
    ]
    assert counted == said["documents_per_row"]["rows"]
    chart = run.table(f"{stage}: rows by the documents in them")
    assert [cells[0] for cells in chart.values()] == [f"{number:,}" for number in counted]
    assert run.report["shards"][stage]["rows"] == len(rows)
    assert run.report["shards"][stage]["segments"]["rows"] == len(segments)


def test_croissant_describes_the_files(run):
    sets = {each["@id"]: each for each in run.croissant["recordSet"]}
    files = {each["@id"]: each for each in run.croissant["distribution"]}
    for stage in STAGES:
        folder = run.folder / "shards" / stage
        assert sets[f"{stage}-rows"]["description"].startswith(f"{len(run.rows(stage)):,} packed rows")
        assert sets[f"{stage}-segment-rows"]["description"].startswith(f"{len(run.segments(stage)):,} seg")
        data = sorted(folder.glob("data-*.arrow"))
        size = sum(path.stat().st_size for path in data)
        assert f"in {len(data):,} Arrow IPC streams, {size:,} bytes" in files[f"{stage}-data"]["description"]
        segments = (folder / "segments.parquet").read_bytes()
        assert files[f"{stage}-segments"]["sha256"] == hashlib.sha256(segments).hexdigest()
        assert files[f"{stage}-segments"]["contentSize"] == f"{len(segments)} B"


def test_held_out_documents(run, documents):
    held_out = {row for each in documents.values() for row in each.filter("held_out")["doc_id"]}
    assert held_out and set(run.segments("held_out")["doc_id"]) == held_out
    for stage in STAGES:
        assert not held_out & set(run.segments(stage)["doc_id"])
    tokens = sum(len(row["input_ids"]) for row in run.rows("held_out"))
    assert run.report["mixtures"]["held_out"]["tokens"] == tokens
    assert run.cell("From raw to shards", "in the shards of held_out", "tokens") == f"{tokens:,}"


def test_licences_by_tokens(run, documents):
    every = pl.concat([each.select("doc_id", "license", "bytes", "keep") for each in documents.values()])
    every = every.with_columns(pl.col("license").fill_null("unknown"))
    rows = {row["licence"]: row for row in run.report["licences"]}
    assert set(rows) == {licence or "unknown" for licence in LICENCES}
    shown = run.card_rows("Licences")
    for licence, said in rows.items():
        own = every.filter(pl.col("license") == licence)
        kept = own.filter("keep")
        tokens = {
            stage: segments.filter(pl.col("doc_id").is_in(own["doc_id"].implode()))["tokens"].sum()
            for stage in STAGES
            for segments in [run.segments(stage)]
        }
        assert said["tokens"] == tokens
        numbers = (said["documents"], said["bytes"], said["kept"], said["kept_bytes"])
        assert numbers == (len(own), own["bytes"].sum(), len(kept), kept["bytes"].sum())
        assert run.cell("Licences", licence, "documents") == f"{len(own):,}"
        assert run.cell("Licences", licence, "kept") == f"{len(kept):,}"
        (name,) = (row for row in shown if row.split(" (")[0] == licence)
        assert shown[name]["documents kept"] == f"{len(kept):,}"
        for stage in STAGES:
            assert run.cell("Licences", licence, f"tokens in {stage}") == f"{tokens[stage]:,}"
            assert shown[name][f"tokens in {stage}"] == f"{tokens[stage]:,}"


def test_languages(run, documents):
    kept: Counter[str] = Counter()
    for source, own in documents.items():
        found = {
            language: {"documents": len(rows), "kept": rows["keep"].sum()}
            for (language,), rows in own.group_by("language")
        }
        assert run.of_source("sources", source)["languages"] == found
        shown = run.table(f"Languages of {source}")
        for language, numbers in found.items():
            assert shown[language][:2] == [f"{numbers['documents']:,}", f"{numbers['kept']:,}"]
        kept.update({language: numbers["kept"] for language, numbers in found.items()})
    assert len(kept) > 1
    for language, number in kept.items():
        assert not number or f"{language}: {number:,}" in run.card_text
    every = pl.concat([each.select("doc_id", "language", "group") for each in documents.values()])
    for stage in STAGES:
        placed = run.segments(stage).join(every, on="doc_id").group_by("group", "language")
        placed = placed.agg(pl.sum("tokens"), documents=pl.col("doc_id").n_unique())
        said = {(row["group"], row["language"]): row for row in run.report["domains_languages"][stage]}
        assert {key: row["tokens"] for key, row in said.items() if row["tokens"]} == {
            (row["group"], row["language"]): row["tokens"] for row in placed.rows(named=True)
        }


def test_duplicates_and_sources_that_overlap(run, documents):
    said = run.report["duplicates"]
    every = pl.concat(
        [
            each.select("doc_id", "reason", "kept_doc_id", "cluster_size", source=pl.lit(source))
            for source, each in documents.items()
        ]
    )
    reasons = Counter(every["reason"])
    exact, near = reasons["exact duplicate"], reasons["near duplicate"]
    assert exact and near and (said["exact"], said["near"]) == (exact, near)
    assert f"{exact:,} exact duplicates and {near:,} near duplicates were dropped" in _text(
        run.page.get_element_by_id("duplicates")
    )
    source_of = dict(every.select("doc_id", "source").iter_rows())
    overlap = Counter(
        (row["source"], source_of[row["kept_doc_id"]])
        for row in every.filter(pl.col("reason").str.ends_with("duplicate")).iter_rows(named=True)
    )
    assert any(dropped != kept for dropped, kept in overlap)
    assert {(row["source"], row["kept_source"]): row["documents"] for row in said["overlap"]} == overlap
    label = "Documents dropped as copies: the row's source lost them to the column's"
    for (source, kept), number in overlap.items():
        assert run.cell(label, source, kept) == f"{number:,}"
    sizes: Counter[int] = Counter()
    clusters: Counter[int] = Counter()
    for size, number in Counter(every.filter(pl.col("cluster_size") > 1)["cluster_size"]).items():
        bound = size if size <= 8 else 1 << (size - 1).bit_length()  # larger ones by powers of two
        sizes[bound] += number
        clusters[bound] += number // size
    assert {row["size"]: (row["clusters"], row["documents"]) for row in said["cluster_sizes"]} == {
        size: (clusters[size], number) for size, number in sizes.items()
    }
    pairs = run.parquet("verify_pairs-*/*.parquet")
    duplicates = (pairs["similarity"] >= said["threshold"]).sum()
    assert (said["pairs_compared"], said["pairs_verified"]) == (len(pairs), duplicates)
    assert sum(row["pairs"] for row in said["similarities"]) == len(pairs)


def test_signals_and_what_another_threshold_keeps(run, documents):
    (element,) = run.page.xpath("//*[@class='thresholds']//script[@type='application/json']")
    on_page = {each["source"]: each for each in json.loads(element.text)}
    for source, own in documents.items():
        said = run.of_source("signals", source)
        assert (said["documents"], said["kept"]) == (len(own), own["keep"].sum())
        shown = on_page[source]
        packed = shown.get("deflated")
        signals = json.loads(zlib.decompress(b64decode(packed))) if packed else shown["signals"]
        for signal, drawn in zip(said["signals"], signals, strict=True):
            values = own[signal["signal"]].to_numpy()
            points, intervals = signal["points"], signal["intervals"]
            assert sum(points["documents"]) + sum(intervals["documents"]) == len(own)
            assert (drawn["smallest"], drawn["largest"]) == (values.min(), values.max())
            ends = [
                *zip(points["value"], points["value"], strict=True),
                *zip(intervals["low"], intervals["high"], strict=True),
            ]
            counts = [*points["documents"], *intervals["documents"]]
            assert counts == [_between(values, low, high) for low, high in ends]
            left = [*points["otherwise_kept"], *intervals["otherwise_kept"]]
            shown_counts = sorted(place[2:] for place in drawn["places"])
            assert shown_counts == sorted(map(list, zip(counts, left, strict=True)))
    web = run.of_source("signals", "web")
    rules = {rule["rule"]: (signal["signal"], rule) for signal in web["signals"] for rule in signal["rules"]}
    name, rule = next((n, rule) for n, (_, rule) in rules.items() if n.endswith("min_words"))
    signal = next(each for each in web["signals"] if rule in each["rules"])
    for threshold in [value for value in signal["points"]["value"] if value]:
        assert reaching(signal, threshold) == _kept_at(documents["web"], rules, name, threshold)


def _between(values, low: float | None, high: float | None) -> int:
    """How many values are a number, or strictly between two, of which None has no end."""
    if low == high:
        return int((values == low).sum())
    above = values > (float("-inf") if low is None else low)
    return int((above & (values < (float("inf") if high is None else high))).sum())


def reaching(signal: dict, threshold: float) -> int:
    """How many documents the report says are kept if they have to reach another number."""
    points, intervals = signal["points"], signal["intervals"]
    at = sum(n for v, n in zip(points["value"], points["otherwise_kept"], strict=True) if v >= threshold)
    lows = zip(intervals["low"], intervals["otherwise_kept"], strict=True)
    return at + sum(n for low, n in lows if low is not None and low >= threshold)


def _kept_at(own: pl.DataFrame, rules: dict, name: str, threshold: float) -> int:
    """How many documents are kept if one rule has another threshold: what no other rule or reason drops."""
    free = pl.col("keep") | pl.col("reason").is_in([rule for rule in rules])
    for other, (signal, rule) in rules.items():
        if other == name:
            free &= pl.col(signal) >= threshold
        elif signal != rules[name][0]:
            free &= pl.col(signal) >= rule["min"] if rule["min"] is not None else pl.lit(value=True)
            free &= pl.col(signal) <= rule["max"] if rule["max"] is not None else pl.lit(value=True)
    return len(own.filter(free))


def test_lengths_of_documents(run):
    found: dict[str, list[int]] = defaultdict(list)
    for path in run.folder.glob("stages/tokenize-*/*.arrow"):
        for row in pa.ipc.open_file(path).read_all().select(["domain", "ids"]).to_pylist():
            found[row["domain"]].append(len(row["ids"]))
    said = run.report["lengths"]["tokens_per_document"]
    assert set(said) == set(found) == set(SOURCES)
    for group, lengths in found.items():
        bounds = said[group]["bounds"]
        bins = list(pairwise(bounds))
        inside = [[length for length in lengths if low <= length < high] for low, high in bins]
        assert said[group]["documents"] == [len(each) for each in inside]
        assert said[group]["tokens"] == [sum(each) for each in inside]
        assert sum(map(len, inside)) == len(lengths)
        assert run.report["source_tokens"][group] == sum(lengths)
        assert run.cell("Each source", group, "tokens kept") == f"{sum(lengths):,}"
