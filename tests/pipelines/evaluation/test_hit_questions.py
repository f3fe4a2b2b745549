"""From matches to the questions of benchmarks that were found, as the command is given them."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contamination.items import KINDS
from pipelines.evaluation.hit_questions import HIT_KINDS, HitQuestions, benchmarks_in, read_matches
from tests.trainers.plain_models import write_llama

NAMES = st.text("abcz_-:.", min_size=1, max_size=6)
TASK = """\
task: {name}
tag: exams
dataset_path: json
dataset_kwargs: {{data_files: {{validation: {data}}}}}
validation_split: validation
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: answer
generation_kwargs: {{until: ["\\n"], max_gen_toks: 3, do_sample: false}}
metric_list: [{{metric: exact_match}}, {{metric: chrf}}]
"""


def write_matches(path: Path, rows: list[tuple[str, str, str, str | None]]) -> Path:
    """A file with more columns, as the one that is written where texts are decontaminated."""
    names = ("benchmark", "item_id", "kind", "split")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    table = pa.table({"doc_id": [f"d{n}" for n in range(len(rows))], "score": [1.0] * len(rows), **columns})
    pq.write_table(table, path)
    return path


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, NAMES, min_size=1),
    st.lists(st.tuples(st.integers(0, 9), NAMES, NAMES, st.integers(0, 10**9 - 1), st.sampled_from(KINDS))),
)
def test_every_question_that_was_found_is_told_and_no_other(tasks, found):
    benchmarks = sorted(tasks)
    rows, expected = [], {}
    for place, task, split, number, kind in found:
        benchmark = benchmarks[place % len(benchmarks)]
        item_id = f"{task}/{split}/{number}"
        rows.append({"benchmark": benchmark, "item_id": item_id, "kind": kind, "split": split})
        if kind in HIT_KINDS:
            expected.setdefault((task, split), set()).add(number)
    schema = pa.schema([(name, pa.string()) for name in ("benchmark", "item_id", "kind", "split")])
    matches = pa.Table.from_pylist([*rows, *rows], schema)
    hits = HitQuestions.of(matches, tasks, "matches.parquet")
    assert hits.numbers == expected
    assert hits.looked_for == set(tasks.values())
    assert benchmarks_in(matches)[1] == []
    assert (hits | HitQuestions()) == (HitQuestions() | hits) == hits


def test_items_of_files_are_no_questions_of_tasks(tmp_path):
    """A file's own ids may look like a task's; what tells them apart is their split."""
    rows = [
        ("gsm8k", "gsm8k/test/3", "answer", "test"),
        ("gsm8k", "gsm8k/train/4", "question", "train"),
        ("mmlu", "mmlu_anatomy/test/5", "answer", "test"),
        ("humaneval", "HumanEval/7", "answer", None),
        ("mbpp", "mbpp/sanitized/7", "answer", "test"),
        ("mixed", "mixed/test/7", "answer", "test"),
        ("mixed", "7", "answer", "test"),
    ]
    matches = read_matches(write_matches(tmp_path / "matches.parquet", rows))
    of_tasks, of_files = benchmarks_in(matches)
    assert (of_tasks, of_files) == (["gsm8k", "mmlu"], ["humaneval", "mbpp", "mixed"])
    hits = HitQuestions.of(matches, {name: name for name in of_tasks}, "matches.parquet")
    assert hits.numbers == {
        ("gsm8k", "test"): {3},
        ("gsm8k", "train"): {4},
        ("mmlu_anatomy", "test"): {5},
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[str]:
    return [str(write_llama(tmp_path_factory.mktemp("model"), seed)) for seed in (3, 4)]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    data = folder / "exam.jsonl"
    rows = [{"question": f"Is {n} even?", "answer": "yes" if n % 2 else "no"} for n in range(50)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("our_exam", "other_exam", "third_exam"):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=data))
    return folder


def test_the_command_scores_model_and_base_on_the_same_clean_questions(coupage, models, tasks, tmp_path):
    own = [("our_exam", f"our_exam/validation/{n}", "answer", "validation") for n in (*range(25), *range(25))]
    own += [
        ("our_exam", "our_exam/validation/49", "template", "validation"),
        ("notes", "notes.txt", "passage", None),
    ]
    more = [
        ("our_exam", "our_exam/validation/40", "question", "validation"),
        ("other_exam", "other_exam/validation/2", "passage", "validation"),
    ]
    files = [write_matches(tmp_path / f"{n}.parquet", rows) for n, rows in enumerate([own, more])]
    asked = ["evaluate", models[0], "--base", models[1], "--include", tasks]
    asked += ["--tasks", "our_exam,other_exam,third_exam", "--matches", files[0], "--matches", files[1]]
    done = coupage(*asked, "--json")
    assert "0.parquet: left out is notes" in done.stderr
    found = json.loads(done.stdout)
    for role in ("model", "base"):
        exam, other, third = (found[role]["harness"][f"{name}_exam"] for name in ("our", "other", "third"))
        assert (exam["questions"], exam["hit"], exam["clean"]["questions"]) == (50, 26, 24)
        assert exam["clean"]["metrics"].keys() == exam["metrics"].keys() == {"exact_match", "chrf"}
        assert other["hit"] == 0 and other["clean"]["metrics"] == other["metrics"]
        assert third["hit"] is None and third["clean"] is None
    shown = coupage(*asked).stdout
    rows = [line.split("│")[1:-1] for line in shown.splitlines() if line.startswith("│")]
    cells = {(row[0].strip(), row[1].strip()): [cell.strip() for cell in row[2:]] for row in rows}
    assert ("clean other_exam", "chrf") not in cells and ("third_exam", "chrf") in cells
    assert cells["our_exam", "chrf"][1] == "50" and cells["clean our_exam", "chrf"][1] == "24"
    for role, place in (("model", 2), ("base", 4)):
        score = found[role]["harness"]["our_exam"]
        assert cells["our_exam", "chrf"][place] == f"{score['metrics']['chrf']:.4f}"
        assert cells["clean our_exam", "chrf"][place] == f"{score['clean']['metrics']['chrf']:.4f}"
    said = " ".join(shown.split())
    assert "clean our_exam: without the 26 of 50 questions that were found in training data" in said
    assert "other_exam: none of its questions was found" in said and "third_exam:" not in said


def test_with_every_question_hit_nothing_clean_is_left(coupage, models, tasks, tmp_path):
    rows = [("our_exam", f"our_exam/validation/{n}", "answer", "validation") for n in range(50)]
    file = write_matches(tmp_path / "matches.parquet", rows)
    asked = ["evaluate", models[0], "--include", tasks, "--tasks", "our_exam", "--matches", file]
    clean = json.loads(coupage(*asked, "--json").stdout)["model"]["harness"]["our_exam"]["clean"]
    assert clean == {"metrics": {}, "errors": {}, "questions": 0, "intervals": {}}
    shown = coupage(*asked).stdout
    assert "without the 50 of 50 questions" in " ".join(shown.split()) and "│ clean" not in shown


def test_what_is_no_table_of_matches_is_named(coupage, models, tasks, tmp_path):
    def refused(file: Path, *asked: object) -> str:
        asked = asked or ("--tasks", "our_exam")
        stderr = coupage("evaluate", models[0], "--include", tasks, *asked, "--matches", file, code=2).stderr
        assert "Traceback" not in stderr
        return stderr

    text = tmp_path / "matches.jsonl"
    text.write_text("{}")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"benchmark": ["b"], "item_id": ["test/1"]}), other)
    typed = tmp_path / "typed.parquet"
    nested = {"benchmark": [["b"]], "item_id": ["test/1"], "kind": ["answer"], "split": ["test"]}
    pq.write_table(pa.table(nested), typed)
    kind = write_matches(
        tmp_path / "kind.parquet", [("our_exam", "our_exam/validation/1", "bad", "validation")]
    )
    for file, why in {
        tmp_path / "gone.parquet": "no table of matches",
        tmp_path: "no table of matches",
        text: "no table of matches",
        typed: "no table of matches",
        other: "no column kind, split",
        kind: "no kind bad",
    }.items():
        said = refused(file)
        assert str(file) in said and why in said and "coupage decontaminate" in said
    unknown = write_matches(tmp_path / "unknown.parquet", [("exam", "our_exm/test/1", "answer", "test")])
    said = refused(unknown)
    assert str(unknown) in said and "no task `our_exm`" in said and "our_exam" in said
    beyond = write_matches(
        tmp_path / "beyond.parquet", [("our_exam", "our_exam/validation/50", "answer", "validation")]
    )
    assert "another version of our_exam" in refused(beyond)
    assert "no benchmark is asked" in refused(unknown, "--retrieval")
