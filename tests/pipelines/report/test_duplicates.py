"""Duplicates that were planted in four sources and two increments, as the report tells of them."""

import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.differences import CUT, MOST, differences
from tests.pipelines.corpus import document

MARK = "Copied by another hand. "
THRESHOLD = 0.7


def near(text: str) -> str:
    return MARK + text


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """Copies go by the order of `planted`; all else is unlike."""
    rng = random.Random(5)
    a, b, reference, later = ([document(rng, 24) for _ in range(count)] for count in (40, 20, 6, 10))
    b += [*map(near, a[:5]), a[5], a[6], f"One. {b[0]}", f"Two. {b[0]}"]
    reference += [a[10], a[11]]
    later += [a[7], near(a[8]), near(later[0])]
    return {"a": a, "b": b, "reference": reference, "later": later}


@pytest.fixture(scope="module")
def planted(tmp_path_factory, coupage, texts):
    """The report of a run up to the verdicts, and its folder."""
    folder = tmp_path_factory.mktemp("planted")
    for name, documents in texts.items():
        lines = (json.dumps({"id": str(n), "text": text}) for n, text in enumerate(documents))
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    keys = {"a": {"priority": 2}, "b": {}, "reference": {}, "later": {"increment": 2}}
    recipe = {
        "name": "planted",
        "part_size": "20k",
        "sources": {
            name: {"reader": "files", "path": f"{folder}/{name}.jsonl", "fields": {"id": "id"}, **more}
            for name, more in keys.items()
        },
        "dedup": {"minhash": {"bands": 20, "rows": 5, "verify": THRESHOLD}, "against": ["reference"]},
        "mixtures": {"stage1": {"tokens": "20k", "sequence_length": 128, "weights": {"a": 1, "b": 1}}},
        "tokenizer": {"train": {"vocabulary_size": 600}},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    run = folder / "run"
    coupage("run", folder / "recipe.yaml", "--workdir", run, "--until", "select")
    return json.loads(coupage("report", run, "--json").stdout), run


def test_sources_that_overlap_are_counted(planted):
    report, _ = planted
    found = {(row["source"], row["kept_source"]): row["documents"] for row in report["duplicates"]["overlap"]}
    assert found == {
        ("a", "reference"): 2,
        ("b", "a"): 7,
        ("b", "b"): 2,
        ("later", "a"): 2,
        ("later", "later"): 1,
    }


def test_the_numbers_are_those_of_the_funnel(planted):
    report, _ = planted
    duplicates = report["duplicates"]
    assert (duplicates["exact"], duplicates["near"]) == (5, 9)
    for key, reason in (("exact", "exact duplicate"), ("near", "near duplicate")):
        assert duplicates[key] == sum(source["dropped"].get(reason, 0) for source in report["sources"])
    # In the later increment two clusters have one new document each.
    assert duplicates["cluster_sizes"] == [
        {"smallest": 2, "size": 2, "clusters": 11, "documents": 22},
        {"smallest": 3, "size": 3, "clusters": 1, "documents": 3},
    ]


def test_pairs_are_those_that_were_compared(planted):
    report, run = planted
    duplicates = report["duplicates"]
    files = [path for path in run.glob("stages/verify_pairs-*/*.parquet")]
    similarity = np.concatenate([pq.read_table(path)["similarity"].to_numpy() for path in files])
    assert duplicates["threshold"] == THRESHOLD
    assert duplicates["pairs_compared"] == len(similarity)
    assert duplicates["pairs_verified"] == (similarity >= THRESHOLD).sum()
    bins = duplicates["similarities"]
    assert [each["low"] for each in bins[1:]] == [each["high"] for each in bins[:-1]]
    assert (bins[0]["low"], bins[-1]["high"]) == (0, 1) and THRESHOLD in {each["low"] for each in bins}
    for each in bins:
        inside = (similarity >= each["low"]) & ((similarity < each["high"]) | (each["high"] == 1))
        assert each["pairs"] == inside.sum()
    assert sum(each["dropped"] for each in bins) == duplicates["near"]
    assert not any(each["dropped"] for each in bins if each["low"] < THRESHOLD)


def test_examples_are_near_duplicates_across_sources_with_their_differences(planted, texts):
    examples = planted[0]["duplicates"]["examples"]
    pairs = {(each["doc_id"], each["kept_doc_id"]) for each in examples}
    assert pairs == {*((f"b/{20 + n}", f"a/{n}") for n in range(5)), ("later/11", "a/8")}
    for each in examples:
        assert each["method"] == "minhash" and THRESHOLD <= each["similarity"] < 1
        source, number = each["kept_doc_id"].split("/")
        dropped, kept = each["pieces"]["dropped"], each["pieces"]["kept"]
        assert [piece["text"] for piece in dropped if not piece["same"]] == [MARK]
        assert all(piece["same"] for piece in kept)
        assert texts[source][int(number)].startswith("".join(p["text"] for p in kept).removesuffix(CUT))


def test_nothing_is_said_before_there_are_verdicts(planted, coupage, tmp_path):
    recipe = planted[1].parent / "recipe.yaml"
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    assert report["duplicates"] is None and report["deviation"] == report["domains_languages"] == {}
    assert report["lengths"] == {"tokens_per_document": {}, "packing": {}}


def test_differences_begin_shortly_before_the_first_one():
    words = [f"word{number}" for number in range(2000)]
    first = " ".join(words)
    second = " ".join([*words[:1000], "another", *words[1001:]])
    for pieces, word in zip(differences(first, second), ("word1000 ", "another "), strict=True):
        assert pieces[0] == (CUT, True) and pieces[-1] == (CUT, True)
        assert [piece.text for piece in pieces if not piece.same] == [word]
        assert pieces[1].text.startswith("word") and len("".join(p.text for p in pieces)) <= MOST + 2


def test_scripts_without_blanks_are_compared_by_characters():
    first, second = differences("河水流过山谷。", "河水漫过山谷。")
    assert first == [("河水", True), ("流", False), ("过山谷。", True)]
    assert second == [("河水", True), ("漫", False), ("过山谷。", True)]


TEXT = st.text(st.sampled_from("ab .\n漢é\u202e<"), max_size=40)


@given(TEXT, TEXT, TEXT, st.integers(0, 60))
def test_pieces_are_of_their_texts(start, first, second, repeated):
    texts = (start * repeated + first, start * repeated + second)
    sides = differences(*texts)
    for pieces, text in zip(sides, texts, strict=True):
        shown = "".join(piece.text for piece in pieces)
        assert shown.strip(CUT) in text
        if len(text) <= 300:
            assert shown == text
    same = ["".join(p.text for p in side if p.same and p.text != CUT) for side in sides]
    assert same[0] == same[1]
    if texts[0] != texts[1]:
        assert any(not piece.same for side in sides for piece in side)
