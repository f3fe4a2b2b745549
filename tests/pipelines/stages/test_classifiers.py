"""Classifiers in a run: what is learned from what, the cut, new domains, caching, the report, mistakes."""

import json
import random
import shutil
from collections import Counter

import fasttext
import numpy as np
import pyarrow.parquet as pq
import pytest

from filters.classify.fasttext_text import plain_words
from pipelines.execution.counts import Count
from pipelines.execution.manifest import read_manifest
from tests.pipelines.corpus import WORDS

SEA = "sea ship wave harbour captain sail anchor fish tide".split()
LAW = "judge clause appeal tort verdict plea bench writ counsel".split()
SPAM = "buy cheap click casino pills bonus winner viagra jackpot".split()

RECIPE = """\
name: judged
seed: 5
part_size: 20k
sources:
  books: {{reader: files, path: {corpus}/books.jsonl, fields: {{id: id}}}}
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id}}}}
curate:
  classify:
    quality:
      {{model: fasttext, train: {{good: books, bad: {{source: web, sample: 60}}}},
        sources: [web], keep: top 50%, folds: 3, dimensions: 8, ngrams: 1, epochs: 20}}
    topic:
      {{model: fasttext, train: {{file: {corpus}/labelled.jsonl, text: body, label: about}}, sources: [web],
        relabel: {{law: "score > 0.8"}}, dimensions: 8, buckets: 1000}}
quarantine: {{max_share: 5%}}
dedup: {{keep: [quality, length], minhash: {{verify: 0.7}}}}
held_out: {{share: 10%}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1:
    tokens: 15k
    sequence_length: 256
    weights: {{books: 50, web: 20, law: 30}}
    on_shortage: repeat
"""


def text(rng: random.Random, topic: list[str], share: float = 0.3, words: int = 90) -> str:
    return " ".join(rng.choice(topic) if rng.random() < share else rng.choice(WORDS) for _ in range(words))


def write_corpus(folder):
    rng = random.Random(4)
    books = [{"id": str(i), "text": text(rng, SEA)} for i in range(80)]
    web = [{"id": f"{i}", "text": text(rng, (SPAM, SEA, LAW)[i % 3])} for i in range(150)]
    # A near copy that is longer, and spam: with `keep: [quality, length]` the shorter one survives.
    near = web[1]["text"]
    web.append({"id": "near", "text": f"{near} {' '.join(SPAM)}"})
    # A book stands in the web as well: a text with both labels teaches nothing.
    web.append({"id": "book", "text": books[1]["text"]})
    labelled = [{"body": text(rng, (SEA, LAW)[i % 2]), "about": ("sea", "law")[i % 2]} for i in range(80)]
    labelled += [{"body": "no label"}, {"body": "null", "about": None}]
    for name, rows in (("books", books), ("web", web), ("labelled", labelled)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def judged(tmp_path_factory, coupage, base_tokenizer):
    folder = tmp_path_factory.mktemp("judged")
    write_corpus(folder)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(corpus=folder, tokenizer=base_tokenizer))
    coupage("run", recipe, "--workdir", folder / "run", "--workers", 2)
    return recipe, folder / "run"


def stage(run, label):
    (folder,) = (f for f in (run / "stages").glob(f"{label}-*") if (f / "manifest.json").exists())
    return folder


def verdicts(run):
    found = {}
    for path in sorted((stage(run, "select-documents") / "web").glob("*.parquet")):
        found |= {row["doc_id"]: row for row in pq.read_table(path).to_pylist()}
    return found


def shard_bytes(run):
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted((run / "shards").glob("*/*"))}


def test_exactly_the_top_share_is_kept(judged):
    _, run = judged
    counts = read_manifest(stage(run, "select-documents")).counts
    assert counts.number("failed_classifier", reason="quality") == 76
    found = verdicts(run)
    best = sorted(found, key=lambda doc_id: found[doc_id]["quality.percentile"])[76:]
    assert all(found[doc_id]["reason"] != "classifier.quality" for doc_id in best)
    assert sorted(row["quality"] for row in found.values()).count(19) in (7, 8)
    # The web is a third each spam, like the books, and law: the books' like stays.
    topics = Counter(
        int(doc_id[4:]) % 3
        for doc_id, row in found.items()
        if doc_id[4:].isdigit() and row["reason"] == "classifier.quality"
    )
    assert topics[1] == 0 and topics.total() >= 74 and min(topics[0], topics[2]) >= 30


def test_a_relabelled_document_lands_in_its_group(judged):
    _, run = judged
    found = verdicts(run)
    domains = {doc_id: row["domain"] for doc_id, row in found.items() if doc_id[4:].isdigit()}
    right = sum((int(doc_id[4:]) % 3 == 2) == (domain == "law") for doc_id, domain in domains.items())
    assert right >= 140
    assert {row["topic"] for row in found.values()} == {"sea", "law"}
    rows = pq.read_table(run / "shards" / "stage1" / "segments.parquet").to_pylist()
    import datasets

    groups = datasets.load_from_disk(str(run / "shards" / "stage1"))["group"]
    for row in rows:
        expected = domains.get(row["doc_id"], "books" if row["doc_id"].startswith("books/") else "web")
        assert groups[row["row"]] == expected
    assert set(groups) == {"books", "web", "law"}


def test_shards_do_not_depend_on_workers(judged, coupage, tmp_path):
    recipe, run = judged
    coupage("run", recipe, "--workdir", tmp_path / "run", "--workers", 1, PYTHONHASHSEED="7")
    assert shard_bytes(tmp_path / "run") == shard_bytes(run)


def test_another_cut_scores_nothing_again_and_reads_no_text(judged, coupage, tmp_path):
    recipe, run = judged
    run = shutil.copytree(run, tmp_path / "run", symlinks=True)
    before = {path.parent.name for path in run.glob("stages/*/manifest.json")}
    coupage("run", recipe, "--workdir", run, "--set", "curate.classify.quality.keep=top 80%")
    ran = {
        p.parent.name.rpartition("-")[0]
        for p in run.glob("stages/*/manifest.json")
        if p.parent.name not in before
    }
    evaluation = {"draw", "held_out_passages", "training_passages", "apart"}
    assert {name.split("-")[0] for name in ran} == {
        "select",
        "survey",
        "tokenizer",
        "tokenizer_fit",
        "tokenize",
        "mix",
        "shards",
        *evaluation,
    }
    (select,) = (f for f in run.glob("stages/select-documents-*") if f.name not in before)
    counts = read_manifest(select).counts
    assert counts.number("failed_classifier", reason="quality") == 30
    assert counts.number("text_bytes_read") == 0


def test_what_is_held_out_was_never_learned(judged):
    _, run = judged
    learned = pq.read_table(stage(run, "classifier-quality") / "learned.parquet").to_pylist()
    assert {row["label"] for row in learned} == {"good", "bad"}
    assert sum(row["label"] == "bad" for row in learned) == 60
    ids = {row["doc_id"] for row in learned}
    assert not ids & {"books/1", "web/book"}
    held_out = {
        row["doc_id"]
        for path in stage(run, "select-documents").glob("*/*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["held_out"]
    }
    assert held_out and not held_out & ids
    counts = read_manifest(stage(run, "classifier-quality")).counts.flows["examples"]
    assert counts.entered == 80 + 152 == counts.left + sum(counts.dropped.values())
    assert counts.dropped[Count("left_out", reason="with several labels")] == 2
    assert counts.dropped[Count("left_out", reason="may be held out")] > 5


def test_the_better_of_two_similar_documents_survives(judged):
    found = verdicts(judged[1])
    assert found["web/1"]["keep"]
    assert found["web/near"]["kept_doc_id"] == "web/1" or found["web/near"]["reason"] == "classifier.quality"


def test_the_report_tells_how_well_each_classifier_does(judged):
    _, run = judged
    report = json.loads((run / "report.json").read_text())
    quality, topic = report["classifiers"]
    assert quality["classifier"] == "quality" and topic["classifier"] == "topic"
    assert topic["validation"]["accuracy"] > 0.95 and topic["validation"]["labels"]["law"]["auc"] > 0.95
    assert topic["validation"]["examples"] == 80
    assert 0.6 < quality["validation"]["accuracy"] < 1  # a third of the web is like the books
    assert topic["model"]["hash"] and topic["model"]["file"] == "model.bin"
    html = (run / "report.html").read_text()
    assert '<section id="classifiers"' in html and "<h3>topic" in html


def test_sidecars_are_what_the_model_says(judged):
    _, run = judged
    model = fasttext.load_model(str(stage(run, "classifier-quality") / "model.bin"))
    for part in sorted(stage(run, "ingest-web").glob("*.parquet")):
        texts = pq.read_table(part, columns=["text"]).column("text")
        predictions = [
            dict(zip(*model.predict(text, k=2), strict=True)) for text in plain_words(texts).to_pylist()
        ]
        expected = np.array([min(1, p["__label__good"]) for p in predictions], np.float32)
        scores = pq.read_table(stage(run, "score-quality-web") / part.name).column("score").to_pylist()
        assert scores == expected.tolist()


def test_inspect_shows_score_percentile_and_threshold(judged, coupage):
    _, run = judged
    found = json.loads(coupage("inspect", run, "--reason", "classifier.quality", "-n", 1, "--json").stdout)
    assert "quality is at percentile" in found[0]["why"] and "under 50" in found[0]["why"]
    assert set(found[0]["scores"]["quality"]) == {"score", "percentile", "bucket"}
    shown = coupage("inspect", run, "--source", "web", "-n", 1).stdout
    assert "topic" in shown and "percentile" in shown


def test_an_ensemble_takes_the_best_percentile_and_groups_may_ask(judged, coupage, tmp_path):
    recipe, run = judged
    run = shutil.copytree(run, tmp_path / "run", symlinks=True)
    model = shutil.copy(stage(run, "classifier-topic") / "model.bin", recipe.parent / "lawful.bin")
    changes = [
        f"curate.classify.lawful={{model: fasttext, file: {model}, words: folded, positive: law}}",
        "curate.classify.lawful.sources=[web]",
        "curate.classify.best={ensemble: [quality, lawful], keep: top 60%}",
        "curate.classify.quality.keep=null",
        "mixtures.stage1.weights={good: 1, lawful: 1}",
        "mixtures.stage1.groups={good: quality >= 15 and lawful < 15, lawful: lawful >= 15}",
        "mixtures.stage1.tokens=2k",
    ]
    coupage("run", recipe, "--workdir", run, *(x for change in changes for x in ("--set", change)))
    select = max((run / "stages").glob("select-documents-*"), key=lambda folder: folder.stat().st_mtime)
    rows = [
        row for path in sorted((select / "web").glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    assert all(row["best"] == max(row["quality"], row["lawful"]) for row in rows)
    assert read_manifest(select).counts.number("failed_classifier", reason="best") == 152 - 91
    assert not any(
        path.name.startswith("score-quality") and path != stage(run, "score-quality-web")
        for path in run.glob("stages/*")
    )


def test_quality_buckets_of_one_source_repeat_at_their_own_rates(judged, coupage, tmp_path):
    recipe, run = judged
    run = shutil.copytree(run, tmp_path / "run", symlinks=True)
    buckets = {"best": range(15, 20), "good": range(8, 15), "rest": range(8)}
    epochs = {"best": 5, "good": 2, "rest": 1}
    changes = [
        "curate.classify.quality.keep=null",
        "mixtures.stage1.tokens=120k",
        "mixtures.stage1.weights={best: 40, good: 40, rest: 2, books: 18}",
        "mixtures.stage1.groups={best: source = 'web' and quality >= 15,"
        " good: source = 'web' and quality >= 8 and quality < 15, rest: source = 'web' and quality < 8}",
        "mixtures.stage1.max_epochs=9",
        f"mixtures.stage1.group_max_epochs={epochs}",
        "mixtures.stage1.on_shortage=renormalize",
    ]
    done = coupage("run", recipe, "--workdir", run, *(x for change in changes for x in ("--set", change)))
    ledger = json.loads((run / "shards/stage1/ledger.json").read_text())
    groups = {group["group"]: group for group in ledger["groups"]}
    assert {name: group["quota"]["max_epochs"] for name, group in groups.items()} == epochs | {"books": 9}

    select = max((run / "stages").glob("select-documents-*"), key=lambda folder: folder.stat().st_mtime)
    bucket = {
        row["doc_id"]: row["quality"]
        for path in sorted((select / "web").glob("*.parquet"))
        for row in pq.read_table(path, columns=["doc_id", "quality"]).to_pylist()
    }
    segments = pq.read_table(run / "shards/stage1/segments.parquet").to_pylist()
    uses = Counter((segment["doc_id"], segment["first_token"]) for segment in segments)
    for name, members in buckets.items():
        of_group = [count for (doc_id, _), count in uses.items() if bucket.get(doc_id) in members]
        assert max(of_group) == groups[name]["most_repeated"] <= epochs[name]
    assert groups["best"]["most_repeated"] > 2 and groups["good"]["most_repeated"] == 2

    # Two buckets are used up: each is named with its own limit and what that cost, and gives all it can.
    assert len(ledger["constraints"]) == 2
    for name, limit in (("best", "5 epochs"), ("good", "2 epochs")):
        quota, asked = groups[name]["quota"]["quota"], int(120_000 * groups[name]["quota"]["asked_share"])
        assert quota == epochs[name] * groups[name]["unique_tokens"] < asked
        (cost,) = (cost for cost in ledger["constraints"] if cost.startswith(f"{name} gives {quota:,} of"))
        assert f"the most within {limit}." in cost and f"the {asked - quota:,} it lacks" in cost
        assert cost in " ".join(done.stdout.split())
    rest, books = (groups[name]["quota"]["quota"] for name in ("rest", "books"))
    assert abs(9 * rest - books) <= 9 and sum(group["quota"]["quota"] for group in groups.values()) == 120_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("curate.classify.quality.train.good=shelf", "there is no source `shelf`"),
        ("curate.classify.quality.sources=[shelf]", "there is no source `shelf`"),
        ("curate.classify.quality.keep=best 30%", "write `top 30%`"),
        ("curate.classify.topic.relabel={law: probability > 1}", "write `score > 0.9`"),
        ("curate.classify.topic.keep=top 5%", "`keep` is for scores, `relabel` for labels"),
        ("curate.classify.best={ensemble: [quality, missing]}", "there is no classifier `missing`"),
        ("curate.classify.best={ensemble: [quality, topic]}", "`positive: LABEL`"),
        ("curate.classify={}", "a classifier or an ensemble called `quality`"),
        ("curate.classify.language={model: fasttext, file: x.bin}", "choose another name"),
        ("curate.classify.a={model: fasttext}", "either `train` or `file`"),
        ("curate.classify.a={model: fasttext, epoch: 3}", "did you mean `epochs`"),
        ("curate.classify.a={model: bayes}", "there is no model `bayes`"),
        ("curate.classify.a={model: transformer, name: x, head: linear}", "belong together"),
    ],
)
def test_what_does_not_fit_together_is_refused(judged, coupage, change, message):
    recipe, _ = judged
    assert message in coupage("recipe", "validate", recipe, "--set", change, code=2).stderr


def test_weights_of_groups_that_only_relabelling_feeds_are_legal(judged, coupage):
    recipe, _ = judged
    coupage("recipe", "validate", recipe)
    refused = coupage("recipe", "validate", recipe, "--set", "curate.classify.topic.relabel={}", code=2)
    assert "the group `law` has a weight, but no source feeds it" in refused.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("curate.classify.topic.relabel={medicine: score > 0.5}", "has no label `medicine`"),
        ("curate.classify.topic.file=missing.bin", "either `train` or `file`"),
        ("curate.classify.topic.train.label=nothing", "no field `nothing`; the records have: about"),
        ("curate.classify.spare={model: fasttext, file: recipe.yaml}", "This is no fastText model"),
        ("curate.classify.spare={model: fasttext, file: missing.bin}", "there is no file"),
    ],
)
def test_what_only_the_run_can_see_ends_it_with_a_mend(judged, coupage, tmp_path, change, message):
    recipe, run = judged
    run = shutil.copytree(run, tmp_path / "run", symlinks=True)
    weights = "mixtures.stage1.weights={books: 1}"
    failed = coupage("run", recipe, "--workdir", run, "--set", change, "--set", weights, code=2)
    assert message in failed.stderr and "Traceback" not in failed.stderr
