"""`coupage tokenizer report`: measures, by file, domain and language, and what it recommends."""

import json
import shutil

import pyarrow as pa
import pytest

from mixers.printable import printable
from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.commands.test_hostile_text import NAME
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import load_tokenizer

RUSSIAN = "Виноград собирают осенью, и сок течёт в чан, а вино зреет годами в тёмном погребе. "
ENGLISH = "The grapes are picked in autumn, the juice runs into a vat and the wine ripens for years. "


@pytest.fixture(scope="module")
def files(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    first = write_lines(folder / "first.jsonl", [{"text": text} for text in texts[:30]])
    first.write_text(first.read_text() + "{broken\n")
    return first, write_lines(folder / "second.jsonl", [{"text": text} for text in texts[30:]])


@pytest.fixture(scope="module")
def tokenizers(coupage, tmp_path_factory, files):
    """A small one and a larger one."""
    folder = tmp_path_factory.mktemp("trained")
    for size in (512, 600):
        coupage("tokenizer", "train", *files, "-o", folder / str(size), "--vocabulary-size", size)
    return folder / "512", folder / "600"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Documents with domains of their own, and some with a language of their own."""
    records = [{"text": ENGLISH * 3, "domain": "wine", "language": "xx"}] * 4
    records += [{"text": RUSSIAN * 3, "domain": "wine"}] * 6 + [{"text": RUSSIAN}, {"text": ENGLISH}] * 4
    return write_lines(tmp_path_factory.mktemp("labelled") / "mixed.jsonl", records)


def test_the_report_counts_the_tokens_of_each_file(coupage, tokenizers, files, texts):
    report = json.loads(coupage("tokenizer", "report", tokenizers[1], *files, "--json").stdout)
    encoder = Encoder.build(load_tokenizer(tokenizers[1]))
    for row, part in zip(report["files"], (texts[:30], texts[30:]), strict=True):
        tokens = len(encoder.encode(pa.array(part, pa.large_string())).ids) - len(part)
        size = sum(len(text.encode()) for text in part)
        assert (row["documents"], row["tokens"], row["bytes"]) == (len(part), tokens, size)
        assert row["bytes_per_token"] == pytest.approx(size / tokens)
    assert report["all"]["documents"] == len(texts)
    assert report["bad_records"] == {"invalid JSON": 1} and report["measured_in_part"] == []


def test_tokenizers_stand_side_by_side_with_their_costs(coupage, tokenizers, files):
    small, large = map(str, tokenizers)
    prices = ("--train-text", "2MB", "--train-price", 3)
    asked = ("tokenizer", "report", small, *files, "--beside", large, *prices)
    report = json.loads(coupage(*asked, "--json").stdout)
    (other,) = report["beside"]
    assert (report["tokenizer"], other["tokenizer"]) == (small, large)
    assert report["all"]["tokens"] > other["all"]["tokens"]
    assert report["all"]["words"] == other["all"]["words"]
    for each in (report, other):
        tokens = 2_000_000 / each["all"]["bytes_per_token"]
        assert each["cost"]["train"] == pytest.approx({"tokens": tokens, "money": tokens * 3 / 1e6})
        assert each["cost"]["serve"]["money"] is None
        assert each["terms"][0]["tokens"] > 1
    shown = coupage(*asked, "--no-trial", COLUMNS="80").stdout
    assert "1: 512" in shown and "2: 600" in shown and "second" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_documents_are_told_apart_by_their_domain_and_language(coupage, tokenizers, labelled):
    report = json.loads(coupage("tokenizer", "report", tokenizers[1], labelled, "--json").stdout)
    places = {(row["domain"], row["language"]): row["documents"] for row in report["groups"]}
    assert places == {
        ("mixed.jsonl", "en"): 4,
        ("mixed.jsonl", "ru"): 4,
        ("wine", "ru"): 6,
        ("wine", "xx"): 4,
    }
    assert sum(row["tokens"] for row in report["groups"]) == report["all"]["tokens"]


def test_a_tokenizer_that_splits_a_language_is_to_be_extended(coupage, tokenizers, labelled):
    report = json.loads(coupage("tokenizer", "report", tokenizers[1], labelled, "--json").stdout)
    found = report["recommendation"]
    assert found["verdict"] == "extend" and 0.05 < found["expected"]["saved"] < 1
    assert found["tokens"] == found["expected"]["tokens"] == found["curve"][-1]["tokens"]
    assert found["curve"][-1]["parameters"] == found["tokens"] * 2 * 2048
    assert any("too small" in doubt for doubt in found["doubts"])
    saved = {(row["domain"], row["language"]): row["saved"] for row in found["groups"]}
    assert saved["wine", "ru"] > 0.5
    cost, expected = report["cost"]["train"]["tokens"], found["expected_cost"]["train"]["tokens"]
    assert expected == pytest.approx(cost * (1 - found["expected"]["saved"]))
    assert "Recommendation: extend" in coupage("tokenizer", "report", tokenizers[1], labelled).stdout


def test_without_a_trial_nothing_is_recommended(coupage, tokenizers, files, tmp_path):
    asked = ("tokenizer", "report", tokenizers[1])
    assert json.loads(coupage(*asked, files[0], "--no-trial", "--json").stdout)["recommendation"] is None
    one = write_lines(tmp_path / "one.jsonl", [{"text": ENGLISH}])
    shown = coupage(*asked, one)
    assert "No recommendation" in shown.stdout and "more documents" in shown.stdout


def test_of_a_large_file_the_report_measures_a_part_spread_over_it_and_says_so(coupage, tokenizers, tmp_path):
    half = ENGLISH * 200
    records = [{"text": half, "domain": "first" if row < 1000 else "second"} for row in range(2000)]
    large = write_lines(tmp_path / "large.jsonl", records)
    asked = ("tokenizer", "report", tokenizers[1], large, large.with_name("small.jsonl"), "--no-trial")
    write_lines(tmp_path / "small.jsonl", [{"text": "x"}])
    report = json.loads(coupage(*asked, "--json").stdout)
    assert report["measured_in_part"] == ["large.jsonl"]
    assert 10 << 20 < report["files"][0]["bytes"] <= 17 << 20
    first, second = (row["bytes"] for row in report["groups"] if row["domain"] in ("first", "second"))
    assert 0.8 < first / second < 1.25
    assert "a part was measured" in coupage(*asked).stdout


def test_hostile_names_terms_and_domains_are_shown_not_obeyed(coupage, tokenizers, tmp_path):
    hostile = f"{NAME}[bold]\u202eword"
    path = write_lines(tmp_path / f"{NAME}.jsonl", [{"text": f"{hostile} " * 4, "domain": hostile}] * 3)
    shown = coupage("tokenizer", "report", tokenizers[1], path).stdout
    assert printable(shown) == shown and "[bold]" in shown


def test_an_amount_that_is_none_is_refused(coupage, tokenizers, files):
    asked = ("tokenizer", "report", tokenizers[1], files[0])
    for wrong in ("much", "10 documents"):
        assert "no amount of text" in coupage(*asked, "--train-text", wrong, code=2).stderr
    empty = files[0].with_name("empty.jsonl")
    empty.write_text("")
    assert "no document" in coupage("tokenizer", "report", tokenizers[1], empty, code=2).stderr


def test_the_report_says_which_encoder_takes_over_from_a_faster_one(coupage, tokenizers, files, tmp_path):
    known, unknown = tokenizers[0], tmp_path / "unknown"
    shutil.copytree(known, unknown)
    definition = json.loads((unknown / "tokenizer.json").read_text())
    definition["normalizer"] = {"type": "NFKC"}
    (unknown / "tokenizer.json").write_text(json.dumps(definition))
    asked = ("tokenizer", "report", unknown, *files, "--beside", known, "--no-trial")
    report = json.loads(coupage(*asked, "--json").stdout)
    assert report["backend"] != "coupage" and report["beside"][0]["refusal"] is None
    shown = " ".join(coupage(*asked).stdout.split())
    assert f"unknown: encoded by {report['backend']}, not by a faster encoder" in shown
    assert "another way than NFC" in shown and shown.count("not by a faster encoder") == 1
