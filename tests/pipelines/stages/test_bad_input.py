"""Broken input files: exact counts in quarantine and report, or a failure that names the place."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.pipelines.corpus import sentence

RECIPE = """\
name: hostile
sources:
  inbox: {{reader: files, path: {folder}}}
  sound: {{reader: files, path: {sound}}}
part_size: 100k
quarantine: {{max_share: {limit}}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 2k, sequence_length: 64, weights: {{sound: 1}}}}
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    import random

    rng = random.Random(5)
    folder = tmp_path_factory.mktemp("inputs")
    inbox, sound = folder / "inbox", folder / "sound"
    inbox.mkdir()
    sound.mkdir()

    def line(text: str) -> bytes:
        return json.dumps({"text": text}).encode() + b"\n"

    good = [line(sentence(rng)) for _ in range(300)]
    (sound / "sound.jsonl").write_bytes(b"".join(good))
    (inbox / "a_bad_line.jsonl").write_bytes(good[0] + b'{"text": "no end\n' + good[1])
    (inbox / "b_bad_utf8.jsonl").write_bytes(good[2] + b'{"text": "\xff\xfe"}\n' + good[3])
    whole = gzip.compress(b"".join(good[4:204]))
    (inbox / "c_cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (inbox / "d_empty.jsonl").write_bytes(b"")
    (inbox / "e_null.jsonl").write_bytes(good[0] + b'{"text": null}\n')
    (inbox / "f_huge_line.jsonl").write_bytes(line("word " * 10_000_000) + good[5])
    return folder


def write_recipe(path: Path, inputs: Path, limit: float) -> Path:
    path.write_text(RECIPE.format(folder=inputs / "inbox", sound=inputs / "sound", limit=limit))
    return path


def test_exact_counts_in_quarantine_and_report(coupage, inputs, tmp_path):
    recipe = write_recipe(tmp_path / "recipe.yaml", inputs, 0.9)
    coupage("run", recipe, "--workdir", tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    inbox = next(source for source in report["sources"] if source["source"] == "inbox")
    assert inbox["set_aside"] == {
        "quarantined: invalid JSON": 1,
        "quarantined: invalid UTF-8": 1,
        "quarantined: text is null": 1,
        "quarantined: truncated gzip": 1,
    }
    assert inbox["records"] == inbox["documents"] + 4
    assert inbox["documents"] == sum(inbox["dropped"].values()) + inbox["kept"]
    places = {row["file"]: row["position"] for row in report["quarantine"]}
    assert "line 2" in places["a_bad_line.jsonl"] and "line 2" in places["b_bad_utf8.jsonl"]
    assert "line 2" in places["e_null.jsonl"] and "byte" in places["c_cut.jsonl.gz"]
    assert Counter(row["file"] for row in report["quarantine"]).total() == 4
    assert "no end" in (tmp_path / "run" / "report.html").read_text()
    coupage("verify", tmp_path / "run")


def test_over_the_limit_the_run_fails_and_names_file_and_place(coupage, inputs, tmp_path):
    recipe = write_recipe(tmp_path / "recipe.yaml", inputs, 0.001)
    failed = coupage("run", recipe, "--workdir", tmp_path / "run", code=2)
    assert "a_bad_line.jsonl:line 2" in failed.stderr
    assert "quarantine.max_share" in failed.stderr and "Traceback" not in failed.stderr
