"""A run says by itself which questions its models were trained on, and scores them without these."""

import json
import random
from pathlib import Path

import pytest

from pipelines.commands.open_run import open_run
from tests.pipelines.corpus import document

TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 2, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""
TWIN, FIRST, ANSWERED, ALLOWED, ASIDE, NOWHERE = 24, 3, 5, 6, 7, 20
"""Of the exam's questions: one that says the same as an earlier one; one that stands somewhere with its
answer; one of which a person said that it is no match; one in a source that no mixture draws from; and those
from which on, but for the twin, they stand nowhere."""


def invented(rng: random.Random, number: int) -> str:
    parts = ["ka", "lo", "mi", "tru", "ves", "nor", "bal", "si", "gop", "ure", "dan", "fel"]
    return " ".join("".join(rng.choices(parts, k=3)) for _ in range(number))


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def run(tmp_path_factory, coupage) -> Path:
    """A trained run whose documents have most questions of the exam, and none of the other one."""
    rng = random.Random(4)
    folder = tmp_path_factory.mktemp("run")
    exam = [{"question": f"{invented(rng, 9)}?", "answer": invented(rng, 4)} for _ in range(25)]
    exam[TWIN] = exam[FIRST]
    write_lines(folder / "exam.jsonl", exam)
    write_lines(
        folder / "idle.jsonl", [{"question": f"{invented(rng, 9)}?", "answer": "no"} for _ in range(3)]
    )
    for name in ("exam", "idle"):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, folder=folder))
    questions = [item["question"] for item in exam]
    questions[ANSWERED] += f" {exam[ANSWERED]['answer']}"
    texts = [f"{document(rng, 8)}\n{question}\n{document(rng, 8)}" for question in questions[:NOWHERE]]
    web = [{"id": str(n), "text": text} for n, text in enumerate(texts) if n != ASIDE]
    web += [{"id": f"plain{n}", "text": document(rng, 16)} for n in range(40)]
    write_lines(folder / "web.jsonl", web)
    write_lines(folder / "aside.jsonl", [{"id": str(ASIDE), "text": texts[ASIDE]}])
    said = {"benchmark": "leaks", "item_id": f"exam/test/{ALLOWED}", "judgement": False, "why": "a saying"}
    write_lines(folder / "allow.jsonl", [said])
    recipe = {
        "name": "hits",
        "sources": {
            name: {"reader": "files", "path": f"{name}.jsonl", "fields": {"id": "id"}}
            for name in ("web", "aside")
        },
        "dedup": {"minhash": None},
        "held_out": {"share": "30%", "tokens_per_group": "2k"},
        "decontaminate": {
            "against": {
                "leaks": {"task": "exam", "include": str(folder)},
                "none": {"task": "idle", "include": str(folder)},
            },
            "allow": "allow.jsonl",
        },
        "tokenizer": {"train": {"vocabulary_size": 600}},
        "mixtures": {"stage1": {"tokens": "4k", "sequence_length": 64, "weights": {"web": 1}}},
        "train": {
            "model": {
                "hidden_size": 32,
                "layers": 1,
                "heads": 2,
                "kv_heads": 1,
                "intermediate_size": 64,
            },
            "stage1": {"rows_per_step": 8, "max_steps": 2},
        },
        "evaluate": {"harness": [{"task": "exam"}, {"task": "idle"}], "include": [str(folder)]},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run")
    coupage("train", folder / "run", "--stage", "stage1")
    return folder / "run"


def trained_on(run: Path) -> set[int]:
    """The questions that stand in the documents of the mixture's source that are not held out."""
    select = open_run(run).graph.selects[0]
    rows = [row for _, table in select.verdicts(run, "web") for row in table.to_pylist()]
    kept = {row["doc_id"].removeprefix("web/") for row in rows if row["keep"] and not row["held_out"]}
    assert any(row["held_out"] and "plain" not in row["doc_id"] for row in rows)
    assert FIRST in {int(name) for name in kept if name.isdigit()}
    return {int(name) for name in kept if name.isdigit()}


def test_questions_in_kept_documents_count_as_hit_with_their_twins(run, coupage):
    expected = trained_on(run) - {ANSWERED, ALLOWED, ASIDE} | {TWIN}
    scores = json.loads(coupage("evaluate", run, "--json").stdout)["model"]["harness"]
    assert ANSWERED not in trained_on(run)
    assert scores["exam"]["hit"] == len(expected)
    assert scores["exam"]["clean"]["questions"] == 25 - len(expected)
    assert (scores["idle"]["hit"], scores["idle"]["clean"]["questions"]) == (0, 3)


def test_scores_after_training_say_the_same(run, coupage):
    scores = json.loads((run / "evaluate" / "stage1.json").read_text())["model"]["harness"]
    later = json.loads(coupage("evaluate", run, "--json").stdout)["model"]["harness"]
    assert {name: score["hit"] for name, score in scores.items()} == {
        name: score["hit"] for name, score in later.items()
    }
