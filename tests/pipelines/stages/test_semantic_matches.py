"""Items in other words in a run: what servers of models say decides, is asked once, and may come later."""

import json
import os
import signal
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.commands.open_run import open_run
from tests.pipelines.command_line import command, environment
from tests.pipelines.sources.model_server import ModelServer, Reply, Request, embeds, says
from tests.pipelines.sources.test_embedders import plain

__all__ = ["plain"]

QUESTIONS = [
    "By what means did the United States take possession of the Oregon Territory?",
    "Which treaty ended the war between Mexico and its northern neighbour?",
    "How many apples does Natalia sell at the market in April and May?",
]
REPHRASED = [
    "In which way was the Oregon Territory acquired by the United States?",
    "What treaty was it with which Mexico and the northern neighbour ended their war?",
    "Of her apples Natalia gave away so many in April, and more at the May market: what was the sum?",
]
DOWN = Reply(404, b"no such model")
PLACES = ["barn", "river", "harbour", "garden", "mill", "bridge", "forest", "church", "station", "quarry"]


def ordinary(number: int) -> str:
    place, other = PLACES[number % 10], PLACES[number // 10 % 10]
    return (
        f"Day {number}: we went from the {place} to the {other} with lamp {number * 7} and saw nobody there."
    )


def bag_of_words(request: Request) -> Reply:
    vectors = np.full((len(request.body["input"]), 256), 1e-3)
    for vector, text in zip(vectors, request.body["input"], strict=True):
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vector[zlib.crc32(word.encode()) % 256] += len(word) > 3
    return embeds(vectors.tolist())


def asked_about(request: Request) -> tuple[str, str]:
    """The item and the passage of a request."""
    content = request.body["messages"][-1]["content"]
    item, passage = content.split("<passage>")
    return item, passage.split("</passage>")[0].strip()


def same_question(request: Request) -> Reply:
    """A judge that knows which passage is which item."""
    item, passage = asked_about(request)
    same = any(q in item and r in passage for q, r in zip(QUESTIONS, REPHRASED, strict=True))
    return says(json.dumps({"same": same, "why": "the same thing is asked" if same else "another subject"}))


@pytest.fixture(scope="module")
def embedder():
    with ModelServer(bag_of_words) as server:
        yield server


@pytest.fixture
def recipe(tmp_path, embedder) -> Path:
    texts = [f"{ordinary(n)} {REPHRASED[n]} {ordinary(n + 500)}" for n in range(3)]
    texts += map(ordinary, range(3, 120))
    lines = [{"id": f"{n}", "text": text} for n, text in enumerate(texts)]
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    exam = [{"question": question} for question in QUESTIONS]
    (tmp_path / "exam.jsonl").write_text("".join(json.dumps(line) + "\n" for line in exam))
    (tmp_path / "recipe.yaml").write_text(
        json.dumps(
            {
                "name": "exam",
                "sources": {"web": {"reader": "files", "path": "web.jsonl", "fields": {"id": "id"}}},
                "part_size": "4k",
                "dedup": {"minhash": None},
                "decontaminate": {
                    "against": {"exam": {"path": "exam.jsonl"}},
                    "semantic": {
                        "embedder": {"base_url": embedder.url, "model": "words"},
                        "judge": {"base_url": "http://127.0.0.1:1/v1", "model": "wise", "concurrency": 1},
                    },
                },
                "tokenizer": {"train": {"vocabulary_size": 600}},
                "mixtures": {"stage1": {"tokens": "2k", "sequence_length": 64, "weights": {"web": 1}}},
            }
        )
    )
    return tmp_path / "recipe.yaml"


def arguments(recipe: Path, judge: ModelServer, *more: str) -> tuple[str, ...]:
    address = f"decontaminate.semantic.judge.base_url={judge.url}"
    sets = [word for each in (address, *more) for word in ("--set", each)]
    return ("run", str(recipe), "--workdir", str(recipe.parent / "run"), *sets)


Said = Callable[[Request], Reply]


@pytest.fixture
def judged(coupage, recipe):
    """Run with a judge: what was printed, and its server."""

    def run(answer: Said, *more: str):
        with ModelServer(answer) as judge:
            done = coupage(*arguments(recipe, judge, *more))
        return done.stderr, judge

    return run


def matches(recipe: Path) -> pl.DataFrame:
    run = open_run(recipe.parent / "run")
    (source,) = run.graph.selects[0].sources
    return pl.concat(table for _, table in source.contamination.tables(run.folder))


def dropped(recipe: Path) -> set[str]:
    run = open_run(recipe.parent / "run")
    verdicts = pa.concat_tables(table for _, table in run.graph.selects[0].verdicts(run.folder, "web"))
    found = verdicts.filter(pc.equal(verdicts["reason"], "contamination.exam"))
    return set(found["doc_id"].to_pylist())


def test_what_a_judge_says_decides(recipe, judged):
    def only_the_first(request: Request) -> Reply:
        return same_question(request) if REPHRASED[0] in asked_about(request)[1] else says('{"same": false}')

    _, judge = judged(only_the_first)
    assert {i for i, r in enumerate(REPHRASED) for q in judge.requests if r in asked_about(q)[1]} == {0, 1, 2}
    [match] = matches(recipe).rows(named=True)
    assert match["doc_id"] in dropped(recipe) and len(dropped(recipe)) == 1
    assert (match["benchmark"], match["item_id"], match["action"]) == ("exam", "0", "drop")
    assert (match["mechanism"], match["kind"], match["judged"]) == ("semantic", "answer", True)
    assert match["why"] == "the same thing is asked" and 0 < match["score"] <= 1 and match["question"] is None
    document = json.loads((recipe.parent / "web.jsonl").read_text().splitlines()[0])["text"]
    assert REPHRASED[0] in document[match["start"] : match["end"]]


def test_a_judge_that_is_down_leaves_flags_and_the_next_run_asks_again(recipe, judged):
    said, judge = judged(lambda request: DOWN)
    assert "candidates of web have no judgement and are flagged" in said and "no such model" in said
    assert judge.requests and not dropped(recipe)
    flagged = matches(recipe)
    assert len(flagged) >= 3 and set(flagged["action"]) == {"flag"} and flagged["judged"].null_count()
    assert set(flagged["kind"]) == {"question"}

    said, judge = judged(same_question)
    assert "no judgement" not in said and len(judge.requests) == len(flagged)
    assert len(dropped(recipe)) == 3 and matches(recipe)["judged"].to_list() == [True] * 3

    said, judge = judged(lambda request: DOWN)
    assert not judge.requests and "semantic_matches web: cached" in said and "no judgement" not in said


def test_what_was_said_is_not_asked_again_when_others_fail(recipe, judged):
    def some(request: Request) -> Reply:
        return Reply(400, b"too long") if REPHRASED[1] in asked_about(request)[1] else same_question(request)

    _, first = judged(some, "decontaminate.semantic.judge.sampling={max_tokens: 9}")
    assert first.requests[0].body["max_tokens"] == 9 and "temperature" not in first.requests[0].body
    assert len(dropped(recipe)) == 2
    assert set(matches(recipe)["action"]) == {"drop", "flag"}
    said, _ = judged(some, "decontaminate.semantic.judge.sampling={max_tokens: 9}")
    assert "no judgement" in said and "select documents: cached" in said
    _, second = judged(same_question, "decontaminate.semantic.judge.sampling={max_tokens: 9}")
    refused = [request for request in first.requests if REPHRASED[1] in asked_about(request)[1]]
    assert sorted(map(asked_about, second.requests)) == sorted(map(asked_about, refused))
    assert len(dropped(recipe)) == 3


def test_another_threshold_asks_only_what_is_new(recipe, judged):
    _, strict = judged(same_question, "decontaminate.semantic.threshold=0.4")
    _, loose = judged(same_question, "decontaminate.semantic.threshold=0.3")
    before, after = ([asked_about(r) for r in judge.requests] for judge in (strict, loose))
    assert before and after and not set(before) & set(after)
    _, again = judged(lambda request: DOWN, "decontaminate.semantic.threshold=0.4")
    assert not again.requests


def test_actions_are_those_of_the_recipe(recipe, judged):
    judged(same_question, "decontaminate.action.answer=cut")
    cut = [d["text"] for d in open_run(recipe.parent / "run").documents(number=999)]
    assert cut and not any(question in text for text in cut for question in REPHRASED)


def test_a_killed_run_asks_nothing_twice(coupage, recipe):
    """But the one call that was under way."""
    running: list[subprocess.Popen] = []
    answered = []

    def dies(request: Request) -> Reply:
        if len(answered) == 2:
            os.killpg(running[0].pid, signal.SIGKILL)
            running[0].wait()
            return DOWN
        answered.append(asked_about(request))
        return same_question(request)

    with ModelServer(dies) as judge:
        words = command(*arguments(recipe, judge), "--workers", "1")
        out = subprocess.DEVNULL
        running.append(
            subprocess.Popen(words, stdout=out, stderr=out, env=environment(), start_new_session=True)
        )
        assert running[0].wait(300) == -signal.SIGKILL
    with ModelServer(same_question) as judge:
        coupage(*arguments(recipe, judge))
    assert len(answered) == 2 and len(dropped(recipe)) == 3
    later = set(map(asked_about, judge.requests))
    assert later and later & set(answered) <= {answered[-1]}
    coupage("verify", recipe.parent / "run")


def test_a_judge_that_says_nothing_of_use_leaves_flags(recipe, judged):
    said, judge = judged(lambda request: says("I would rather not say."))
    assert "there was no judgement in its answers" in said and not dropped(recipe)
    (recipe.parent / "run" / "judgements" / "trouble.txt").unlink()
    said, again = judged(lambda request: says("Nor now."))
    assert len(again.requests) == len(judge.requests) and "no judgement" in said


def test_a_key_is_sent_and_stands_in_no_file(coupage, recipe, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sesame-1234")
    with ModelServer(same_question) as judge:
        coupage(*arguments(recipe, judge, "decontaminate.semantic.judge.key=JUDGE_KEY"))
    assert {request.headers["authorization"] for request in judge.requests} == {"Bearer sesame-1234"}
    files = [path for path in (recipe.parent / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if b"sesame-1234" in path.read_bytes()]


def test_a_model_in_a_folder_embeds_too(coupage, recipe, plain):
    """With workers, which each load it."""
    sets = (f"decontaminate.semantic.embedder={plain}", "decontaminate.semantic.threshold=-1")
    with ModelServer(same_question) as judge:
        coupage(*arguments(recipe, judge, *sets), "--workers", 2)
        assert judge.requests
        judge.requests.clear()
        said = coupage(*arguments(recipe, judge, *sets)).stderr
        assert "item_vectors: cached" in said and not judge.requests
        said = coupage(*arguments(recipe, judge, *sets, "decontaminate.semantic.translations=true")).stderr
        assert "item_vectors: cached" in said and "semantic_candidates web: 4 tasks" in said


def test_an_embedder_that_is_down_stops_the_run(coupage, recipe):
    def refuses(request: Request) -> Reply:
        return Reply(403, b"go away")

    with ModelServer(refuses) as server:
        setting = f"decontaminate.semantic.embedder.base_url={server.url}"
        work = recipe.parent / "run"
        said = coupage("run", recipe, "--workdir", work, "--set", setting, code=1).stderr
    assert "go away" in said and "Traceback" not in said


def test_without_a_judge_what_is_near_is_flagged(coupage, recipe):
    work = recipe.parent / "run"
    coupage("run", recipe, "--workdir", work, "--set", "decontaminate.semantic.judge=null")
    found = matches(recipe)
    assert len(found) >= 3 and set(found["action"]) == {"flag"} and not dropped(recipe)
    assert found["judged"].null_count() == len(found)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("judge.key=NO_SUCH_KEY", ["decontaminate.semantic.judge", "NO_SUCH_KEY is not set"]),
        ("embedder.key=NO_SUCH_KEY", ["decontaminate.semantic.embedder", "NO_SUCH_KEY is not set"]),
        ("embedder=no/such/folder", ["decontaminate.semantic.embedder", "neither a folder nor a hub id"]),
        ("embedder=.", ["decontaminate.semantic.embedder", "there is no config.json"]),
    ],
)
def test_what_is_missing_is_told_before_anything_runs(coupage, recipe, setting, words):
    for name in ("plan", "run"):
        work = recipe.parent / "run"
        said = coupage(
            name, recipe, "--workdir", work, "--set", f"decontaminate.semantic.{setting}", code=2
        ).stderr
        assert all(word in said for word in words), said
        assert not work.exists()
