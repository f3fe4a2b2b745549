"""New text in a run, by a model behind an endpoint: whom it is about, how much, and what a change costs."""

import json
import re
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.sources.model_server import ModelServer, Reply, says
from tests.pipelines.synthesis.toy_model import answer, station_texts

RECIPE = """\
name: stations
sources:
  north: {{reader: files, path: {corpus}/north.jsonl}}
  south: {{reader: files, path: {corpus}/south.jsonl}}
dedup: {{minhash: null}}
held_out: {{share: 5%}}
synthesize:
  endpoint: {{base_url: "{url}", model: toy, concurrency: 4}}
  questions: {{method: qa, from: stage1, weights: {{north: 3, south: 1}}, tokens: {tokens}, kinds: [factual],
              per_passage: 1{more}}}
  retold: {{method: rephrase, from: sources, domains: [south], styles: [textbook], domain: south, tokens: 1k}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 30k, sequence_length: 256, weights: {{north: 50, south: 50}}, synthetic: {{south: 10%}},
           on_shortage: repeat}}
  stage2: {{tokens: 2k, sequence_length: 256, weights: {{questions: 50, north: 50}}, on_shortage: repeat}}
"""


@pytest.fixture(scope="module")
def server():
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stations")
    texts = station_texts(600)
    for name, some in (("north", texts[:300]), ("south", texts[300:])):
        rows = [json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(some)]
        (folder / f"{name}.jsonl").write_text("".join(rows))
    return folder


def write(path, corpus, url, tokens="3k", more=""):
    path.write_text(RECIPE.format(corpus=corpus, url=url, tokens=tokens, more=more))
    return path


@pytest.fixture(scope="module")
def stations(tmp_path_factory, coupage, server, corpus):
    folder = tmp_path_factory.mktemp("run")
    coupage("run", write(folder / "recipe.yaml", corpus, server.url), "--workdir", folder / "run")
    return folder / "run"


@pytest.fixture
def copied(stations, tmp_path):
    return shutil.copytree(stations, tmp_path / "run", symlinks=True)


def newest(run, stage):
    """The files of the newest folder of a stage."""
    return max(run.glob(f"stages/{stage}-*"), key=lambda folder: folder.stat().st_mtime_ns)


def made(run, name):
    return pa.concat_tables(
        [pq.read_table(path) for path in sorted(newest(run, f"synthesize-{name}").glob("*.parquet"))]
    )


def counts(run, name):
    return json.loads((newest(run, f"synthesize-{name}") / "manifest.json").read_text())["counts"]


def segments(run, stage):
    return set(pq.read_table(run / "shards" / stage / "segments.parquet")["doc_id"].to_pylist())


def test_questions_are_about_stage1_and_never_about_what_is_held_out(stations):
    questions = made(stations, "questions")
    parents = set(questions["parent_id"].to_pylist())
    assert parents <= segments(stations, "stage1")
    assert not parents & segments(stations, "held_out")


def test_what_is_made_of_sources_enters_stage1_at_its_share(stations):
    retold = set(made(stations, "retold")["doc_id"].to_pylist())
    assert retold & segments(stations, "stage1")
    report = json.loads((stations / "report.json").read_text())
    ledger = {group["group"]: group["tokens"] for group in report["mixtures"]["stage1"]["groups"]}
    assert ledger["south_synthetic"] == pytest.approx(1500, abs=256)


def test_groups_are_asked_about_by_their_weights(stations):
    groups = Counter(parent.split("/")[0] for parent in made(stations, "questions")["parent_id"].to_pylist())
    assert groups["north"] / groups.total() == pytest.approx(0.75, abs=0.1)


def test_as_many_tokens_are_made_as_are_wanted_and_no_passage_more(stations):
    facts = {row["what"]: row["number"] for row in counts(stations, "questions")["facts"] if not row["scope"]}
    per_passage = facts["tokens_made"] / counts(stations, "questions")["flows"]["passages"]["left"]
    assert 3_000 <= facts["tokens_made"] < 3_000 + 2 * per_passage
    assert facts["calls"] and facts["input_tokens"] and facts["output_tokens"]


def test_documents_say_how_they_were_made(stations):
    first = made(stations, "questions").to_pylist()[0]
    about = json.loads(first["metadata"])
    assert (about["method"], about["model"], about["kind"]) == ("qa", "toy", "factual")
    assert re.fullmatch("[0-9a-f]{32}", about["prompt"])
    assert [turn["role"] for turn in first["messages"]] == ["user", "assistant"]
    assert first["language"] == "en"


def test_a_run_says_how_much_of_a_group_is_synthetic(stations, coupage, tmp_path):
    report = json.loads((stations / "report.json").read_text())
    assert report["synthetic"]["stage1"]["south_synthetic"] == {"share": 1.0, "asked": True}
    assert report["synthetic"]["stage2"]["questions"] == {"share": 1.0, "asked": False}


def test_verify_finds_a_question_about_what_stage1_does_not_hold(copied, coupage):
    coupage("verify", copied)
    segments_file = copied / "shards" / "stage1" / "segments.parquet"
    asked = set(made(copied, "questions")["parent_id"].to_pylist())
    from pipelines.commands.open_run import open_run
    from pipelines.commands.verify import _parents_astray

    table = pq.read_table(segments_file)
    kept = table.filter(pa.array([doc not in asked for doc in table["doc_id"].to_pylist()]))
    target = segments_file.resolve()
    target.unlink()
    pq.write_table(kept, target)
    (damage,) = _parents_astray(open_run(copied).graph, copied)
    assert f"{len(asked):,} documents that it asks about are not in" in damage.what


def test_nothing_is_asked_again_when_the_work_is_done_again(copied, coupage, server, corpus, tmp_path):
    before = made(copied, "questions")
    shutil.rmtree(newest(copied, "synthesize-questions"))
    asked = len(server.requests)
    coupage("run", write(tmp_path / "recipe.yaml", corpus, server.url), "--workdir", copied)
    assert len(server.requests) == asked
    assert made(copied, "questions").equals(before)


def test_a_changed_check_or_a_smaller_budget_asks_for_nothing(copied, coupage, server, corpus, tmp_path):
    asked = len(server.requests)
    more = ", checks: {min_words: 9}"
    recipe = write(tmp_path / "recipe.yaml", corpus, server.url, tokens="2k", more=more)
    coupage("run", recipe, "--workdir", copied)
    assert len(server.requests) == asked


def test_a_larger_budget_asks_only_for_what_is_new(copied, coupage, server, corpus, tmp_path):
    asked, before = len(server.requests), made(copied, "questions")
    coupage("run", write(tmp_path / "recipe.yaml", corpus, server.url, tokens="9k"), "--workdir", copied)
    passages = counts(copied, "questions")["flows"]["passages"]["entered"]
    assert 0 < len(server.requests) - asked < passages
    assert made(copied, "questions").slice(0, before.num_rows).equals(before)


def test_groups_may_be_defined_by_predicates(copied, coupage, corpus, server, tmp_path):
    recipe = write(tmp_path / "recipe.yaml", corpus, server.url)
    changed = (
        "synthesize.questions.weights={long: 1}",
        "synthesize.questions.groups={long: \"source = 'north' and bytes > 306\"}",
    )
    coupage("run", recipe, "--workdir", copied, *(word for each in changed for word in ("--set", each)))
    parents = set(made(copied, "questions")["parent_id"].to_pylist())
    assert parents and {parent.split("/")[0] for parent in parents} == {"north"}
    texts = [json.loads(line) for line in (corpus / "north.jsonl").read_text().splitlines()]
    sizes = {f"north/{row['id']}": len(row["text"]) for row in texts}
    assert min(sizes.values()) <= 306 < min(sizes[parent] for parent in parents)


def test_sources_that_stage1_leaves_out_are_not_asked_about(copied, coupage, corpus, server, tmp_path):
    """By predicates a group may hold documents of any source; Stage 1 holds those of one."""
    recipe = write(tmp_path / "recipe.yaml", corpus, server.url)
    text = recipe.read_text().replace(
        "weights: {north: 50, south: 50}, synthetic: {south: 10%}", "weights: {north: 1}"
    )
    recipe.write_text(
        text.replace("weights: {questions: 50, north: 50}", "weights: {questions: 50, south: 50}")
    )
    changed = ("synthesize.questions.weights={any: 1}", 'synthesize.questions.groups={any: "bytes > 1"}')
    coupage("run", recipe, "--workdir", copied, *(word for each in changed for word in ("--set", each)))
    assert {parent.split("/")[0] for parent in made(copied, "questions")["parent_id"].to_pylist()} == {
        "north"
    }


def test_a_changed_prompt_asks_anew(copied, coupage, server, corpus, tmp_path):
    own = tmp_path / "prompts" / "qa"
    own.mkdir(parents=True)
    (own / "factual.en.yaml").write_text("user: |\n  Ask about {{ passage }} {{ count }} {{ language }}\n")
    recipe = write(tmp_path / "recipe.yaml", corpus, server.url)
    asked = len(server.requests)
    coupage("run", recipe, "--workdir", copied, "--set", f"synthesize.prompts={tmp_path / 'prompts'}")
    assert len(server.requests) > asked
    assert "Ask about The station" in server.requests[-1].body["messages"][-1]["content"]


def test_what_the_server_did_not_answer_is_asked_for_by_the_next_run(coupage, corpus, tmp_path):
    """A server that breaks down for some passages, and is mended."""
    broken = {"now": True}

    def sometimes(request) -> Reply:
        if broken["now"] and "Arvel" in request.body["messages"][-1]["content"]:
            return says(None)
        return answer(request)

    with ModelServer(sometimes) as server:
        recipe = write(tmp_path / "recipe.yaml", corpus, server.url)
        done = coupage("run", recipe, "--workdir", tmp_path / "run")
        first = counts(tmp_path / "run", "questions")["flows"]["drafts"]["dropped"]
        reasons = {row["reason"]: row["number"] for row in first}
        assert sum(reasons.values()) > 0, done.stderr
        rejected = pa.concat_tables(
            [pq.read_table(p) for p in newest(tmp_path / "run", "synthesize-questions").glob("rejected/*")]
        )
        assert rejected.num_rows == sum(reasons.values())


def test_a_dead_server_fails_the_run_and_says_what_to_do(coupage, corpus, tmp_path):
    recipe = write(tmp_path / "recipe.yaml", corpus, "http://127.0.0.1:9/v1")
    done = coupage("run", recipe, "--workdir", tmp_path / "run", code=1)
    assert "127.0.0.1:9" in done.stderr
    assert "run again" in done.stderr


def test_a_trial_shows_passages_beside_what_came_back_and_the_run_does_not_ask_again(
    coupage, corpus, tmp_path
):
    with ModelServer(answer) as server:
        recipe = write(tmp_path / "recipe.yaml", corpus, server.url)
        run = ("--workdir", tmp_path / "run")
        done = coupage("synthesize", recipe, "--sample", "5", "--only", "retold", *run)
        assert "The station" in done.stdout and "kept" in done.stdout
        assert len(server.requests) == 5
        trial = json.loads(
            coupage("synthesize", recipe, "--sample", "5", "--only", "retold", "--json", *run).stdout
        )
        assert [len(method["passages"]) for method in trial["methods"]] == [5]
        assert len(server.requests) == 5
        coupage("run", recipe, *run)
        sent = Counter(json.dumps(request.body, sort_keys=True) for request in server.requests)
        assert set(sent.values()) == {1}


def test_a_recipe_without_a_model_is_refused(coupage, corpus, tmp_path):
    recipe = write(tmp_path / "recipe.yaml", corpus, "http://127.0.0.1:9/v1")
    text = re.sub(r"  endpoint:.*\n", "", recipe.read_text())
    recipe.write_text(text)
    done = coupage("plan", recipe, code=2)
    assert "neither `synthesize.endpoint` nor `synthesize.serve`" in done.stderr
