"""`coupage judge`: a judgement is kept, and the next run goes by it."""

import json
import random
import shutil

import pytest

from tests.pipelines.corpus import document
from tests.pipelines.planted import (
    AGAINST,
    exam,
    inside,
    with_answer,
    write_documents,
    write_recipe,
    write_records,
)

WITH_ALLOW = f"{AGAINST}\n  allow: judged/allowed.jsonl"


@pytest.fixture(scope="module")
def planted(tmp_path_factory, coupage):
    """A run of two documents with the same item and its answer, and one with another."""
    folder, rng, items = tmp_path_factory.mktemp("planted"), random.Random(1), exam()
    write_records(folder / "exam.jsonl", items)
    texts = [inside(with_answer(items[number]), rng) for number in (0, 0, 1)]
    write_documents(folder / "web.jsonl", [*texts, *(document(rng, 40) for _ in range(20))])
    write_documents(folder / "law.jsonl", [document(rng, 40) for _ in range(20)])
    (folder / "judged").mkdir()
    (folder / "judged/allowed.jsonl").touch()
    coupage("run", write_recipe(folder, WITH_ALLOW), "--workdir", folder / "run", "--until", "select")
    return folder


@pytest.fixture
def folder(planted, tmp_path, coupage):
    """A copy, in which the recipe was run from another folder."""
    shutil.copytree(planted, tmp_path / "copy", symlinks=True)
    coupage("run", tmp_path / "copy/planted.yaml", "--workdir", tmp_path / "copy/run", "--until", "select")
    return tmp_path / "copy"


def verdicts(coupage, folder) -> dict[str, str]:
    shown = json.loads(coupage("inspect", folder / "run", "--contaminated", "-n", 100, "--json").stdout)
    return {each["doc_id"]: each["verdict"] for each in shown}


def rerun(coupage, folder) -> set[str]:
    """Run again up to the verdicts; gives the kinds of the stages that were not cached."""
    recipe, workdir = folder / "planted.yaml", folder / "run"
    planned = json.loads(coupage("plan", recipe, "--workdir", workdir, "--json").stdout)["stages"]
    coupage("run", recipe, "--workdir", workdir, "--until", "select")
    return {stage["kind"] for stage in planned if stage["state"] != "cached"}


DROPPED = "dropped: contamination.exam"
LATER = {"survey", "tokenizer", "tokenizer_fit", "tokenize", "mix", "shards"}


def test_a_judgement_is_applied_by_the_next_run_and_only_select_runs_again(coupage, folder):
    assert set(verdicts(coupage, folder).values()) == {DROPPED}
    told = coupage("judge", folder / "run", "web/0", "exam", "q0", "false", "--why", "our own exam").stdout
    assert "the next `coupage run` of the recipe goes by it" in told
    line = {
        "benchmark": "exam",
        "item_id": "q0",
        "doc_id": "web/0",
        "judgement": False,
        "why": "our own exam",
    }
    assert json.loads((folder / "judged/allowed.jsonl").read_text()) == line
    assert rerun(coupage, folder) == {"select", *LATER}
    assert verdicts(coupage, folder) == {"web/0": "kept", "web/1": DROPPED, "web/2": DROPPED}
    shown = json.loads(coupage("inspect", folder / "run", "--contaminated", "--json").stdout)
    (allowed,) = [match for each in shown for match in each["matches"] if match["done"] == "allowed"]
    assert allowed["judgement"] is False
    report = json.loads(coupage("report", folder / "run", "--json").stdout)["contamination"]
    assert report["sources"][0]["allowed"] == 1 and report["sources"][0]["dropped"] == 2
    assert "with matches that a person judged to be none, and no others: 1" in report["in_words"]
    # An item is found where a match of it is left.
    assert report["benchmarks"][0]["splits"][0]["found"]["answer"] == 2

    coupage("judge", folder / "run", "web/0", "exam", "q0", "true", "--why", "it is the exam after all")
    assert rerun(coupage, folder) == {"select", *LATER}
    assert set(verdicts(coupage, folder).values()) == {DROPPED}


def test_the_plan_shows_the_comparison_and_its_time(coupage, planted, tmp_path):
    recipe, workdir = planted / "planted.yaml", tmp_path / "run"
    planned = json.loads(coupage("plan", recipe, "--workdir", workdir, "--json").stdout)
    kinds = {stage["kind"] for stage in planned["stages"]}
    assert {"benchmarks", "common_ngrams", "matches"} <= kinds
    steps = {step["name"]: step for step in planned["steps"]}
    assert steps["decontaminate"]["text_bytes"] == steps["annotate"]["text_bytes"] > 0


def test_a_judgement_may_be_about_all_documents(coupage, folder):
    coupage("judge", folder / "run", "web/0", "exam", "q0", "false", "--why", "a proverb", "--all-documents")
    rerun(coupage, folder)
    assert verdicts(coupage, folder) == {"web/0": "kept", "web/1": "kept", "web/2": DROPPED}


def test_a_judgement_cuts_less(coupage, folder):
    write_recipe(folder, f"{WITH_ALLOW}\n  action: {{answer: cut}}")
    rerun(coupage, folder)
    done = lambda: {  # noqa: E731
        each["doc_id"]: each["matches"][0]["done"]
        for each in json.loads(coupage("inspect", folder / "run", "--contaminated", "--json").stdout)
    }
    assert done() == {"web/0": "cut", "web/1": "cut", "web/2": "cut"}
    coupage("judge", folder / "run", "web/2", "exam", "q1", "false", "--why", "a joke")
    rerun(coupage, folder)
    assert done() == {"web/0": "cut", "web/1": "cut", "web/2": "allowed"}


@pytest.mark.parametrize(
    ("match", "message", "hint"),
    [
        (("web/0", "exm", "q0"), "there is no match with the benchmark `exm`", "Did you mean `exam`?"),
        (
            ("web/02", "exam", "q0"),
            "there is no match of `exam` with the doc_id `web/02`",
            "web/0, web/1, web/2.",
        ),
        (("web/0", "exam", "q1"), "of `exam` and `web/0` with the item_id `q1`", "There are: q0."),
    ],
)
def test_a_match_that_is_not_there_is_told_with_what_is(coupage, planted, match, message, hint):
    told = coupage("judge", planted / "run", *match, "false", "--why", "because", code=2).stderr
    assert message in told and hint in told
    assert (planted / "judged/allowed.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["maybe", "--why", "because"], "judged true or false, not `maybe`"),
        (["false", "--why", " "], "reason"),
    ],
)
def test_a_judgement_says_true_or_false_and_why(coupage, planted, arguments, message):
    assert message in coupage("judge", planted / "run", "web/0", "exam", "q0", *arguments, code=2).stderr


def test_where_the_recipe_names_no_file_one_is_given(coupage, folder):
    write_recipe(folder, AGAINST)
    rerun(coupage, folder)
    judge = ["judge", folder / "run", "web/0", "exam", "q0", "false", "--why", "because"]
    told = coupage(*judge, code=2).stderr
    assert "no file of judgements is named" in told and "decontaminate.allow: FILE" in told
    file = folder / "mine.jsonl"
    file.write_text('{"benchmark": "exam", "item_id": "q1", "judgement": false, "why": "no newline"}')
    assert f"decontaminate.allow: {file}" in coupage(*judge, "--file", file).stdout
    assert [json.loads(line)["item_id"] for line in file.read_text().splitlines()] == ["q1", "q0"]
    file.write_text("no judgement\n")
    assert "line 1" in coupage(*judge, "--file", file, code=2).stderr
    assert file.read_text() == "no judgement\n"


def test_what_decontaminate_found_is_judged_too(coupage, planted, tmp_path):
    found = ["decontaminate", planted / "web.jsonl", "--against", f"exam={planted / 'exam.jsonl'}"]
    more = ["--set", "exam.id=id"]
    coupage(*found, *more, "-o", tmp_path / "first")
    judge = ["judge", tmp_path / "first", "0", "exam", "q0", "false", "--why", "because", "--all-documents"]
    assert "--allow FILE" in coupage(*judge, code=2).stderr
    file = tmp_path / "judged.jsonl"
    assert f"--allow {file}" in coupage(*judge, "--file", file).stdout
    coupage(*found, *more, "--allow", file, "-o", tmp_path / "second")
    summary = json.loads((tmp_path / "second/summary.json").read_text())
    assert summary["with_matches"] == {"drop": 1, "cut": 0, "flag": 0, "allowed": 2}


def test_a_folder_of_neither_is_refused(coupage, tmp_path):
    judge = ["judge", tmp_path, "0", "exam", "q0", "false", "--why", "because"]
    assert "not the folder of a run" in coupage(*judge, code=2).stderr
