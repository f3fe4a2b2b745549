"""Small groups have enough held-out documents where the text allows it, and where not that is said."""

import json
import random

import pyarrow.parquet as pq
import pytest

from tests.pipelines.corpus import document

RECIPE = """\
name: sizes
sources:
  large: {{reader: files, path: large.jsonl}}
  small: {{reader: files, path: small.jsonl}}
  tiny: {{reader: files, path: tiny.jsonl}}
  long: {{reader: files, path: long.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 1%, tokens_per_group: {{min: 2k, max: 8k}}}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1:
    tokens: 20k
    sequence_length: 1024
    weights: {{large: 1, small: 1, tiny: 1, long: 1}}
"""
DOCUMENTS = {"large": 6000, "small": 1500, "tiny": 40}


@pytest.fixture(scope="module")
def run(tmp_path_factory, coupage, base_tokenizer):
    folder = tmp_path_factory.mktemp("sizes")
    rng = random.Random(3)
    texts = {name: [document(rng, 5) for _ in range(number)] for name, number in DOCUMENTS.items()}
    texts["long"] = [document(rng, 4000), *(document(rng, 6) for _ in range(30))]
    for name, found in texts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in found))
    (folder / "recipe.yaml").write_text(RECIPE.format(tokenizer=base_tokenizer))
    shown = coupage("run", folder / "recipe.yaml", "--workdir", folder / "run", cwd=folder).stdout
    return folder / "run", shown


def ledger(run):
    found = json.loads((run / "shards" / "held_out" / "ledger.json").read_text())
    return {group["group"]: group for group in found["groups"]}, found["constraints"]


def test_a_small_group_has_about_the_least_that_is_asked(run):
    groups, _ = ledger(run[0])
    counted = {name: (group["documents"], group["tokens"]) for name, group in groups.items()}
    assert counted["small"][0] > 1.5 * 0.01 * DOCUMENTS["small"]  # more than the share
    assert 1_000 < counted["small"][1] < 5_000  # 2k in bytes, before anything is tokenized
    assert counted["large"][1] <= 8_000
    assert 1 <= counted["tiny"][0] <= 0.05 * DOCUMENTS["tiny"] + 1


def test_of_a_long_document_only_the_beginning_is_evaluated(run):
    segments = pq.read_table(run[0] / "shards" / "held_out" / "segments.parquet").to_pandas()
    assert segments.groupby("doc_id").tokens.sum().max() <= 8_000 // 20


def test_groups_with_too_little_are_named_at_the_end_and_in_the_reports(run):
    folder, shown = run
    _, said = ledger(folder)
    assert any(sentence.startswith("tiny has") and "too few to compare" in sentence for sentence in said)
    flat = " ".join(shown.split())
    for text in (flat, (folder / "report.html").read_text(), (folder / "README.md").read_text()):
        assert "too few to compare models by" in text


def test_nothing_of_a_held_out_document_is_trained_on(run):
    """Not even what is not evaluated: the rest of a long one, or documents beyond the most of a group."""
    held_out = set()
    for path in (run[0] / "stages").glob("select-*/*/*.parquet"):
        verdicts = pq.read_table(path, columns=["doc_id", "held_out"])
        held_out |= set(verdicts.filter(verdicts["held_out"])["doc_id"].to_pylist())
    trained = pq.read_table(run[0] / "shards" / "stage1" / "segments.parquet")["doc_id"].to_pylist()
    assert held_out and not held_out & set(trained)
