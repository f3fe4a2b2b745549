"""The files beside the report that publish a dataset: card, Croissant metadata, the EU's summary."""

import csv
import io
import json
import logging
import shutil

import datasets
import mlcroissant
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from mixers.printable import printable
from mixers.shards import Shards
from pipelines.execution.seal import REPORT_FILES, read_run
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.plain import json_bytes
from pipelines.recipe.recipe import Recipe
from pipelines.report.publishing.card import render_card
from pipelines.report.publishing.card_metadata import card_metadata
from pipelines.report.publishing.croissant import croissant
from pipelines.report.publishing.domains import domains_csv, top_domains
from pipelines.report.publishing.eu_summary import render_summary, size_range
from pipelines.report.publishing.origins import origins

LINEAGE = {
    "written": "2026-01-02T03:04:05Z",
    "ended": "2026-01-01T00:00:00Z",
    "coupage": "1.0",
    "recipe_fingerprint": "ab" * 16,
}


@pytest.fixture(scope="module")
def content(finished) -> dict:
    return json.loads((finished / "report.json").read_text()) | {"lineage": LINEAGE}


# ------------------------------------------------------------------ as files of a run


def test_they_are_sealed_verified_and_named(coupage, run_copy):
    written = {name for name in REPORT_FILES if (run_copy / name).exists()}
    assert written == set(REPORT_FILES) - {"eu_training_domains.csv"}
    assert written < read_run(run_copy).files.keys()
    shown = coupage("report", run_copy).stdout.split()
    assert shown == [str(run_copy / name) for name in REPORT_FILES if name in written]
    coupage("verify", run_copy)
    for name in ("croissant.json", "eu_training_summary.md"):
        before = (run_copy / name).read_bytes()
        (run_copy / name).write_bytes(before + b" ")
        assert name in coupage("verify", run_copy, code=1).stderr
        (run_copy / name).write_bytes(before)


def test_a_file_with_nothing_left_to_say_goes(coupage, run_copy):
    stale = run_copy / "eu_training_domains.csv"
    stale.write_text("domain,bytes\n")
    coupage("report", run_copy)
    assert not stale.exists()
    coupage("verify", run_copy)


# ------------------------------------------------------------------ the card


def test_the_hubs_client_reads_the_card(finished):
    card = DatasetCard((finished / "README.md").read_text())
    found = card.data.to_dict()
    assert found["pretty_name"] == "small" and found["license"] == "unknown"
    assert found["task_categories"] == ["text-generation"] and found["size_categories"] == ["n<1K"]
    assert [each["config_name"] for each in found["configs"]] == ["stage1", "stage2", "held_out"]
    assert card.text.lstrip().startswith("# small")


@pytest.mark.parametrize("name", ["stage1", "stage2", "held_out"])
def test_load_dataset_reads_the_shards_by_the_card(finished, name, tmp_path):
    split = "validation" if name == "held_out" else "train"
    there = datasets.load_dataset(str(finished), name, split=split, cache_dir=str(tmp_path))
    shards = Shards.open(finished / "shards" / name)
    assert there.num_rows == len(shards)
    streamed = datasets.load_dataset(str(finished), name, split=split, streaming=True)
    for row, also, pack in zip(there, streamed, shards, strict=True):
        assert row == also
        assert row["input_ids"] == pack.input_ids.tolist() and row["group"] == pack.group
        assert row["seq_lengths"] == pack.seq_lengths.tolist()
    saved = datasets.load_from_disk(str(finished / "shards" / name))
    assert there.features == streamed.features == saved.features


def test_figures_of_card_and_summary_are_those_of_the_shards(finished, content):
    card, summary = render_card(content), render_summary(content)
    trained = 0
    for info in card_metadata(content)["dataset_info"]:
        shards = finished / "shards" / info["config_name"]
        (split,) = info["splits"]
        assert split["num_bytes"] == sum(path.stat().st_size for path in shards.glob("data-*.arrow"))
        rows = datasets.load_from_disk(str(shards))
        assert split["num_examples"] == rows.num_rows
        tokens = sum(sum(lengths) for lengths in rows["seq_lengths"])
        name = info["config_name"].replace("_", r"\_")
        assert f"### {name}: {tokens:,} tokens, {rows.num_rows:,} rows" in card
        if info["config_name"] != "held_out":
            trained += tokens
            assert f"- {info['config_name']}: {tokens:,} tokens" in summary
    assert "☒ Less than 1 billion tokens" in summary and f"{trained:,} tokens |" in summary
    for source in content["sources"]:
        row = f"| {source['source']} | files | {source['domain']} | not declared | {source['documents']:,} | "
        assert row + f"{source['kept']:,} | {source['held_out']:,} |" in card


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["ODC-By-1.0"], {"license": "odc-by"}),
        (["MIT", "GPL-3.0-only AND MIT"], {"license": ["gpl-3.0", "mit"]}),
        (["unknown", "CC0-1.0"], {"license": ["cc0-1.0", "unknown"]}),
        (
            ["0BSD"],
            {
                "license": "other",
                "license_name": "0bsd",
                "license_link": "https://spdx.org/licenses/0BSD.html",
            },
        ),
        (["LicenseRef-ours", "0BSD"], {"license": "other", "license_name": "several-licences"}),
    ],
)
def test_licences_are_named_as_the_hub_names_them(content, licences, expected):
    row = content["licences"][0]
    found = card_metadata(content | {"licences": [row | {"licence": each} for each in licences]})
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


def test_an_unfinished_run_has_no_files_to_load(content):
    unfinished = {"finished_stages": 1, "stages": 2, "next_stage": "x"}
    found = content | {"unfinished": unfinished}
    assert "configs" not in card_metadata(found) and "distribution" not in croissant(found)
    assert "unfinished" in render_card(found) and "unfinished" in render_summary(found)


def test_what_is_only_compared_with_is_no_training_data(content):
    languages = {"fr": {"documents": 10**6, "kept": 10**6}}
    reference = content["sources"][0] | {"source": "reference", "languages": languages}
    found = content | {"sources": [*content["sources"], reference]}
    assert card_metadata(found) == card_metadata(content) and croissant(found) == croissant(content)
    assert render_summary(found) == render_summary(content)
    assert "| reference | only compared with |" in render_card(found)


# ------------------------------------------------------------------ Croissant


@pytest.fixture
def described(finished, content, tmp_path):
    """A copy with a date of publication."""
    folder = shutil.copytree(finished, tmp_path / "run", symlinks=True)
    (folder / "croissant.json").write_bytes(json_bytes(croissant(content)))
    return folder


def test_croissant_is_valid_without_a_warning(described, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=described / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors and not issues.warnings and not caplog.records
    names = {each.id for each in dataset.metadata.record_sets}
    assert {"stage1-rows", "stage1-segment-rows", "held_out-rows"} <= names


def test_croissant_gives_the_segments(described):
    dataset = mlcroissant.Dataset(jsonld=described / "croissant.json")
    table = pq.read_table(described / "shards" / "stage1" / "segments.parquet")
    records = [
        {
            key.rpartition("/")[2]: value.decode() if isinstance(value, bytes) else int(value)
            for key, value in row.items()
        }
        for row in dataset.records("stage1-segment-rows")
    ]
    assert records == table.to_pylist()


def test_croissant_names_every_file_by_a_path_below_the_run(described):
    for each in json.loads((described / "croissant.json").read_text())["distribution"]:
        pattern = each.get("contentUrl") or each["includes"]
        assert not pattern.startswith("/") and list(described.glob(pattern))
        if "contentUrl" in each:
            assert each["contentSize"] == f"{(described / pattern).stat().st_size} B"


# ------------------------------------------------------------------ the EU's summary


def test_each_source_stands_where_its_origin_belongs(tmp_path, content):
    for name in ("own.jsonl", "page.html", "CC-MAIN-20240220211055-20240221001055-00000.warc", "crawl.warc"):
        (tmp_path / name).write_text("")
    commit = "0123456789" * 4
    sources = {
        "own": {"reader": "files", "path": str(tmp_path / "own.jsonl")},
        "pages": {"reader": "files", "path": str(tmp_path / "page.html")},
        "crawl": {"reader": "files", "path": str(tmp_path / "crawl.warc")},
        "common": {"reader": "files", "path": f"{tmp_path}/CC-MAIN-*.warc"},
        "hub": {"reader": "hub", "dataset": "owner/name", "revision": commit},
        "python": {"reader": "python_environment", "content": "code", "distributions": ["python"]},
    }
    recipe = Recipe.model_validate(
        {
            "name": "x",
            "sources": sources,
            "tokenizer": {"train": {"vocabulary_size": 600}},
            "mixtures": {
                "stage1": {"tokens": "60k", "sequence_length": 256, "weights": dict.fromkeys(sources, 1)}
            },
        }
    )
    found = origins(build_graph(recipe, LiveInputs(tmp_path)))
    assert {each["source"]: each["kind"] for each in found} == {
        "own": "files",
        "pages": "web",
        "crawl": "web",
        "common": "public_crawl",
        "hub": "dataset",
        "python": "installed_packages",
    }
    assert str(tmp_path) not in json.dumps(found)
    funnel = content["sources"][0]
    summary = render_summary(
        content | {"origins": found, "sources": [funnel | {"source": name} for name in sources]}
    )
    sections = {part.partition(" ")[0]: part for part in summary.split("\n### ")}
    assert "owner/name, commit 012345678901 (source hub" in sections["2.1."] and "common" in sections["2.1."]
    assert "- own," in sections["2.2."] and "- python," in sections["2.6."]
    assert "- pages," in sections["2.3."] and "- crawl," in sections["2.3."]
    assert "To be filled in by the provider" in sections["1.1."] and "a model" not in sections["2.4."]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (10**9 - 1, "Less than 1 billion tokens"),
        (10**9, "1 billion to 10 trillion tokens"),
        (10**13, "More than 10 trillion tokens"),
    ],
)
def test_the_size_is_one_of_the_templates(tokens, expected):
    assert size_range(tokens) == expected


def test_the_first_tenth_of_all_domains_is_listed():
    one = pl.DataFrame({"host": [f"{n}.org" for n in range(19)], "bytes": range(19)})
    two = pl.DataFrame({"host": ["3.org", "new.org"], "bytes": [100, 17]})
    found = top_domains([one, two])
    assert found.all == 20 and found.top.rows() == [("3.org", 103), ("18.org", 18)] and found.small == 1
    assert top_domains([]) is None


def test_no_domain_is_a_formula():
    names = ["=1+1", "+1", "-1", "@a", " =1", '=HYPERLINK("http://x")', "a\n=b", "x\x1b[2J", "fine.org", '"']
    hosts = pl.DataFrame({"host": names * 10, "bytes": range(100)})
    hosts = hosts.with_columns(host=pl.col("host") + pl.Series([str(n // 10) for n in range(100)]))
    found = domains_csv(top_domains([hosts])).decode()
    rows = list(csv.reader(io.StringIO(found)))
    assert rows[0] == ["domain", "bytes"] and len(rows) == 11
    assert not [row for row in rows if row[0].lstrip().startswith(("=", "+", "-", "@"))]
    assert printable(found) == found


# ------------------------------------------------------------------ hostile text

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "x\n---\nlicense: mit\n---\n# heading",
    "!!python/object/apply:os.system ['true']",
    "&anchor *alias {{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\u2066a",
    "\x1b[2J\x1b]0;title\x07",
    "=HYPERLINK(1)",
    "| a | b |\n|---|",
    "w" * 1_000_000,
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_inert_in_all_of_them(content, text):
    source = content["sources"][0] | {
        "source": text,
        "domain": text,
        "licence": text,
        "dropped": {text: 3},
        "languages": {text: {"documents": 5, "kept": 5}},
    }
    origin = {
        "kind": "dataset",
        "dataset": text,
        "revision": text,
        "subset": text,
        "address": text,
        "formats": {text: 1},
    }
    web = {**origin, "kind": "web", "source": text}
    licence = content["licences"][0] | {"licence": "LicenseRef-x"}
    found = content | {
        "description": text,
        "sources": [source],
        "origins": [origin | {"source": text}, web, web | {"kind": "files"}],
        "licences": [licence],
        "edits": [
            {
                "source": text,
                "edit": "mask_pii",
                "counts": {text: 1},
                "documents_changed": 1,
                "bytes_removed": 1,
            }
        ],
        "warnings": [{"section": "licences", "in_words": text}],
    }
    domains = top_domains([pl.DataFrame({"host": [text.replace("\ud800", "?")], "bytes": [1]})])
    card, summary = render_card(found), render_summary(found, domains)
    for page in (card, summary):
        assert printable(page) == page
        body = page.partition("\n---\n")[2] if page is card else page
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
        kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
        assert not kinds & {"html_inline", "html_block", "link_open", "image", "em_open", "hr", "code_block"}
        assert "heading" not in [token.content for token in tokens]
    front = yaml.safe_load(card.split("---\n")[1])
    assert front.keys() == card_metadata(found).keys() and front["license"] == "other"
    assert DatasetCard(card).data.license_name == "licenseref-x"
    described = json_bytes(croissant(found)).decode()
    assert printable(described) == described
    json.loads(described)


def test_croissant_of_hostile_text_is_valid(described, content, caplog):
    found = content | {
        "description": " ".join(HOSTILE[:-1]),
        "warnings": [{"section": "licences", "in_words": each} for each in HOSTILE],
    }
    (described / "croissant.json").write_bytes(json_bytes(croissant(found)))
    metadata = mlcroissant.Dataset(jsonld=described / "croissant.json").metadata
    assert not metadata.ctx.issues.errors and HOSTILE[0] in metadata.description
