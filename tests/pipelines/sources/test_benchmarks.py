"""Benchmarks as items: from files of any format, by named or recognised fields, and from the harness."""

import bz2
import csv
import gzip
import json
import lzma
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.contamination.items import ITEMS
from pipelines.errors import UserError, WorkError
from pipelines.sources.benchmarks import Benchmark, BenchmarkConfig
from pipelines.sources.content import Contents


def write_lines(path: Path, records: list) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def read(folder: Path, **said) -> Benchmark:
    return BenchmarkConfig(**said).read("exam", folder)


def items_of(folder: Path, records: list, **said) -> list[dict]:
    write_lines(folder / "exam.jsonl", records)
    return read(folder, path="exam.jsonl", **said).items.to_pylist()


def parts(item: dict) -> dict:
    """What an item has, but for what every item has."""
    return {
        name: value
        for name, value in item.items()
        if value is not None and name not in ("benchmark", "item_id")
    }


FOUR = ["one", "two", "three", "four"]
AS_CHOICES = {"question": "Which?", "choices": FOUR, "answer": "three", "label": "C"}

KNOWN = {
    "humaneval": (
        {"task_id": "HumanEval/0", "prompt": "def f():", "canonical_solution": "  return 1", "test": "t"},
        {"question": "def f():", "solution": "  return 1"},
    ),
    "mbpp": (
        {"task_id": 2, "text": "Write f.", "code": "def f(): pass", "test_list": ["assert f()"]},
        {"question": "Write f.", "solution": "def f(): pass"},
    ),
    "mbpp sanitized": (
        {"task_id": 2, "prompt": "Write f.", "code": "def f(): pass", "source_file": "x"},
        {"question": "Write f.", "solution": "def f(): pass"},
    ),
    "gsm8k": (
        {"question": "How many?", "answer": "6 * 12 = 72\n#### 72"},
        {"question": "How many?", "answer": "6 * 12 = 72\n#### 72", "label": "72"},
    ),
    "math": (
        {"problem": "What is it?", "solution": r"So it is $\boxed{\frac{1}{2}}$.", "level": "1", "type": "A"},
        {
            "question": "What is it?",
            "solution": r"So it is $\boxed{\frac{1}{2}}$.",
            "label": r"\frac{1}{2}",
        },
    ),
    "mmlu": ({"question": "Which?", "subject": "x", "choices": FOUR, "answer": 2}, AS_CHOICES),
    "mmlu pro": (
        {"question_id": 7, "question": "Which?", "options": FOUR, "answer": "C", "answer_index": 2},
        AS_CHOICES,
    ),
    "arc": (
        {
            "id": "A7",
            "question": "Which?",
            "choices": {"text": FOUR, "label": ["A", "B", "C", "D"]},
            "answerKey": "C",
        },
        AS_CHOICES,
    ),
    "arc with digits": (
        {
            "question": "Which?",
            "choices": {"text": FOUR, "label": ["1", "2", "3", "4"]},
            "answerKey": "3",
        },
        AS_CHOICES | {"label": "3"},
    ),
    "arc as first published": (
        {
            "question": {
                "stem": "Which?",
                "choices": [{"text": text, "label": name} for text, name in zip(FOUR, "ABCD", strict=True)],
            },
            "answerKey": "C",
        },
        AS_CHOICES,
    ),
    "columns": (
        {"Question": "Which?", "A": "one", "B": "two", "C": "three", "D": "four", "Answer": "C"},
        AS_CHOICES,
    ),
    "options by letter": (
        {"question": "Which?", "options": dict(zip("ABCD", FOUR, strict=True)), "answer_idx": "C"},
        AS_CHOICES,
    ),
    "race": (
        {"article": "A story.", "question": "Which?", "options": FOUR, "answer": "C"},
        AS_CHOICES | {"passage": "A story."},
    ),
    "a choice by its text": ({"question": "Which?", "choices": FOUR, "answer": "three"}, AS_CHOICES),
    "several right choices": ({"question": "Which?", "choices": FOUR, "answer": ["C", "D"]}, AS_CHOICES),
    "a letter in brackets": ({"question": "Which?", "choices": FOUR, "answer": "(c)"}, AS_CHOICES),
    "hellaswag": (
        {"ind": 4, "ctx": "She then", "endings": FOUR, "label": "2", "activity_label": "x", "ctx_a": "She"},
        AS_CHOICES | {"question": "She then"},
    ),
    "truthfulqa": (
        {"question": "Which?", "mc1_targets": {"choices": FOUR, "labels": [0, 0, 1, 0]}},
        AS_CHOICES,
    ),
    "piqa": (
        {"goal": "To do it", "sol1": "so", "sol2": "not so", "label": 0},
        {"question": "To do it", "choices": ["so", "not so"], "answer": "so", "label": "A"},
    ),
    "squad": (
        {
            "id": "5",
            "title": "T",
            "context": "A text.",
            "question": "Who?",
            "answers": {"text": ["he", "him"], "answer_start": [1, 2]},
        },
        {"passage": "A text.", "question": "Who?", "answer": "he"},
    ),
    "squad without an answer": (
        {"context": "A text.", "question": "Who?", "answers": {"text": [], "answer_start": []}},
        {"passage": "A text.", "question": "Who?"},
    ),
    "triviaqa": (
        {"question": "Who?", "answer": {"value": "he", "aliases": ["him"]}},
        {"question": "Who?", "answer": "he"},
    ),
    "natural questions": (
        {"question": "Who?", "answer": ["he", "him"]},
        {"question": "Who?", "answer": "he"},
    ),
    "instruction and input": (
        {"instruction": "Sum it up.", "input": "A text.", "output": "Short."},
        {"question": "Sum it up.", "passage": "A text.", "answer": "Short."},
    ),
    "inputs within": (
        {"instruction": "Read {text}", "inputs": {"text": "Кто это?"}, "outputs": "он"},
        {"question": "Кто это?", "answer": "он"},
    ),
    "turns": (
        {"question_id": 1, "prompt": ["First?", "And then?"], "reference": ["so", "thus"]},
        {"question": "First?\nAnd then?", "answer": "so"},
    ),
    "a number as the answer": (
        {"Problem": "What is it?", "Answer": 204},
        {"question": "What is it?", "answer": "204"},
    ),
    "a text with its class": ({"sentence": "It is good.", "label": 1}, {"question": "It is good."}),
    "a text alone": ({"text": "It was long ago."}, {"question": "It was long ago."}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_benchmarks_are_recognised(tmp_path, name):
    record, expected = KNOWN[name]
    (item,) = items_of(tmp_path, [record])
    assert parts(item) == expected


def test_the_fields_that_were_taken_are_said(tmp_path):
    write_lines(tmp_path / "exam.jsonl", [{"problem": "Why?", "target": "so"}, {"problem": "..."}])
    benchmark = read(tmp_path, path="exam.jsonl")
    assert benchmark.fields == (("question", "problem"), ("answer", "target"))
    assert benchmark.described == (
        "1 items; question from `problem`, answer from `target`; "
        "1 set aside: no words in question, passage or solution"
    )


def test_records_of_several_shapes_are_read_each_as_it_is(tmp_path):
    first, second = items_of(tmp_path, [{"question": "Why?", "answer": "so"}, {"problem": "Who?"}])
    assert (first["question"], first["answer"], second["question"]) == ("Why?", "so", "Who?")


FLAT = [
    {"q": "Why is it so?", "a": "because", "n": "x1"},
    {"q": 'With "quotes", and\nlines', "a": "Ответ", "n": "x2"},
]


def write_csv(path: Path, delimiter: str) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(FLAT[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(FLAT)


def write_arrow(path: Path, new) -> None:
    table = pa.Table.from_pylist(FLAT)
    with new(str(path), table.schema) as writer:
        writer.write_table(table)


LINES = "".join(json.dumps(record) + "\n" for record in FLAT).encode()
FORMATS = {
    "exam.jsonl": lambda path: path.write_bytes(LINES),
    "exam.json": lambda path: path.write_text(json.dumps(FLAT, indent=1)),
    "exam.csv": lambda path: write_csv(path, ","),
    "exam.tsv": lambda path: write_csv(path, "\t"),
    "exam.parquet": lambda path: pq.write_table(pa.Table.from_pylist(FLAT), path),
    "stream.arrow": lambda path: write_arrow(path, pa.ipc.new_stream),
    "file.arrow": lambda path: write_arrow(path, pa.ipc.new_file),
    "exam.jsonl.gz": lambda path: path.write_bytes(gzip.compress(LINES)),
    "exam.jsonl.zst": lambda path: path.write_bytes(zstandard.compress(LINES)),
    "exam.jsonl.xz": lambda path: path.write_bytes(lzma.compress(LINES)),
    "exam.jsonl.bz2": lambda path: path.write_bytes(bz2.compress(LINES)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_items(tmp_path, name):
    FORMATS[name](tmp_path / name)
    items = read(tmp_path, path=name, question="q", answer="a", id="n").items
    assert items.schema == ITEMS
    assert [(each["item_id"], each["question"], each["answer"]) for each in items.to_pylist()] == [
        (record["n"], record["q"], record["a"]) for record in FLAT
    ]
    assert set(items.column("benchmark").to_pylist()) == {"exam"}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_fields_are_named_by_paths_into_nested_records(tmp_path, suffix):
    records = [
        {"task": {"ask": {"words": "Why?"}}, "says": {"right": 1, "of": ["he", "she"]}, "question": "-"}
    ]
    write_lines(tmp_path / "exam.jsonl", records)
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "exam.parquet")
    said = {"question": "task.ask.words", "answer": "says.right", "choices": "says.of"}
    (item,) = read(tmp_path, path=f"exam.{suffix}", **said).items.to_pylist()
    assert parts(item) == {"question": "Why?", "choices": ["he", "she"], "answer": "she", "label": "B"}


def test_choices_may_be_named_one_by_one(tmp_path):
    said = {"question": "q", "choices": ["right", "wrong"], "answer": "is"}
    (item,) = items_of(tmp_path, [{"q": "Who?", "right": "he", "wrong": "she", "is": "A"}], **said)
    assert parts(item) == {"question": "Who?", "choices": ["he", "she"], "answer": "he", "label": "A"}


def test_only_named_fields_are_taken_once_the_question_is_named(tmp_path):
    (item,) = items_of(tmp_path, [{"q": "Why?", "answer": "so", "context": "There."}], question="q")
    assert parts(item) == {"question": "Why?"}


def test_the_question_is_recognised_where_only_the_answer_is_named(tmp_path):
    record = {"question": "Why?", "answer": "wrong", "checked": "so"}
    (item,) = items_of(tmp_path, [record], answer="checked")
    assert parts(item) == {"question": "Why?", "answer": "so"}


@pytest.mark.parametrize(
    ("numbers", "right"),
    [([0, 1, 2], ["he", "she", "it"]), ([1, 2, 3], ["he", "she", "it"]), ([1, 2], ["she", "it"])],
)
@pytest.mark.parametrize("kind", [int, str])
def test_numbers_of_choices_count_from_0_or_from_1(tmp_path, numbers, right, kind):
    records = [
        {"question": "Who?", "choices": ["he", "she", "it"], "answer": kind(number)} for number in numbers
    ]
    items = items_of(tmp_path, records)
    assert [item["answer"] for item in items] == right
    assert [item["label"] for item in items] == ["ABC"[["he", "she", "it"].index(each)] for each in right]


def test_a_number_that_is_no_choice_is_left_as_it_is(tmp_path):
    records = [{"question": "Who?", "choices": ["he", "she"], "answer": number} for number in (0, 1, 7)]
    assert [item["answer"] for item in items_of(tmp_path, records)] == ["he", "she", "7"]


def test_a_choice_that_reads_like_a_number_is_meant_by_it(tmp_path):
    (item,) = items_of(tmp_path, [{"question": "How many?", "choices": ["3", "2", "1"], "answer": "1"}])
    assert (item["answer"], item["label"]) == ("1", "C")


def test_items_without_an_id_are_numbered(tmp_path):
    items = items_of(tmp_path, [{"question": "Why?"}, {"question": "-"}, {"question": "Who?"}])
    assert [item["item_id"] for item in items] == ["0", "2"]


def test_items_of_several_files_are_told_apart_and_their_split_is_in_the_name(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("exam-train.jsonl", "data/exam_test.jsonl", "data/val.jsonl", "latest.jsonl"):
        write_lines(tmp_path / name, [{"question": "Why?"}])
    items = read(tmp_path, path=["data", "exam-train.jsonl", "latest.jsonl"]).items.to_pylist()
    assert [(item["item_id"], item["split"]) for item in items] == [
        ("exam_test.jsonl:0", "test"),
        ("val.jsonl:0", "validation"),
        ("exam-train.jsonl:0", "train"),
        ("latest.jsonl:0", None),
    ]


def test_the_split_of_a_record_wins_over_that_of_the_file(tmp_path):
    write_lines(tmp_path / "test.jsonl", [{"question": "Why?", "split": "train"}, {"question": "Who?"}])
    items = read(tmp_path, path="test.jsonl").items
    assert items.column("split").to_pylist() == ["train", "test"]


def test_repeated_ids_become_unique(tmp_path):
    named = ["a", "a#2", "a", "a", "b", "a#2"]
    items = items_of(tmp_path, [{"id": each, "question": "Why?"} for each in named])
    ids = [item["item_id"] for item in items]
    assert len(set(ids)) == len(ids) and all(
        each.startswith(name) for each, name in zip(ids, named, strict=True)
    )
    assert ids[0] == "a" and ids[1] == "a#2" and ids[4] == "b"


def test_ten_thousand_identical_items_are_as_many_items(tmp_path):
    items = read_many(tmp_path, [{"id": "same", "question": "Why is it so?"}] * 10_000)
    assert items.num_rows == 10_000 and len(set(items.column("item_id").to_pylist())) == 10_000


def read_many(folder: Path, records: list) -> pa.Table:
    write_lines(folder / "exam.jsonl", records)
    return read(folder, path="exam.jsonl").items


def test_a_large_item_is_read_whole(tmp_path):
    text = "слово " * 200_000
    (item,) = items_of(tmp_path, [{"question": text}])
    assert item["question"] == text


def test_each_file_of_plain_text_is_a_passage(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.txt").write_text("The secret\nis out.\n")
    (tmp_path / "notes" / "two.md").write_text("# Another")
    (tmp_path / "notes" / "blank.txt").write_text("\n---\n")
    benchmark = read(tmp_path, path="notes")
    assert [(item["item_id"], parts(item)) for item in benchmark.items.to_pylist()] == [
        ("one.txt", {"passage": "The secret\nis out.\n"}),
        ("two.md", {"passage": "# Another"}),
    ]
    (bad,) = benchmark.set_aside.rows
    assert (bad.file, bad.reason) == ("blank.txt", "no words in question, passage or solution")


def test_what_is_no_item_is_set_aside_with_its_place_and_reason(tmp_path):
    lines = ['{"question": "Why?"}', "{broken", "[1]", '{"question": " _ ?! "}', '{"question": null}', "{}"]
    (tmp_path / "exam.jsonl").write_text("\n".join(lines))
    benchmark = read(tmp_path, path="exam.jsonl")
    assert benchmark.items.num_rows == 1
    no_words = "no words in question, passage or solution"
    assert [(bad.position.split(",")[0], bad.reason) for bad in benchmark.set_aside.rows] == [
        ("line 2", "invalid JSON"),
        ("line 3", "record is not an object"),
        ("line 4", no_words),
        ("line 5", no_words),
        ("line 6", no_words),
    ]


GOOD = '{"question": "Why?", "answer": "so"}\n'
ERRORS = {
    "a field that no record has": (
        {"exam.jsonl": GOOD},
        {"path": "exam.jsonl", "question": "qestion"},
        ["exam.jsonl", "no field `qestion`", "question, answer", "Did you mean `question: question`?"],
    ),
    "an answer that no record has": (
        {"exam.jsonl": GOOD},
        {"path": "exam.jsonl", "question": "question", "answer": "zzz"},
        ["exam.jsonl", "no field `zzz`", "question, answer", "Set `answer` to one of them"],
    ),
    "a nested field that no record has": (
        {"exam.jsonl": '{"task": {"words": "Why?"}}\n'},
        {"path": "exam.jsonl", "question": "task.word"},
        ["no field `task.word`", "Did you mean `question: task.words`?"],
    ),
    "a field that one of the files lacks": (
        {"a.jsonl": '{"q": "Why?"}\n', "b.jsonl": GOOD},
        {"path": ["a.jsonl", "b.jsonl"], "question": "q"},
        ["b.jsonl", "no field `q`"],
    ),
    "fields that nobody knows": (
        {"exam.jsonl": '{"one": "Why?", "two": "so"}\n'},
        {"path": "exam.jsonl"},
        ["exam.jsonl", "no field has a usual name", "one, two", "question: ..."],
    ),
    "an empty file": ({"exam.jsonl": ""}, {"path": "exam.jsonl"}, ["exam.jsonl", "`exam` has no item"]),
    "a file of empty items": (
        {"exam.jsonl": '{"question": ""}\n' * 3},
        {"path": "exam.jsonl"},
        ["exam.jsonl", "line 1", "`exam` has no item", "no words in question"],
    ),
    "one file of several without an item": (
        {"a.jsonl": GOOD, "b.jsonl": ""},
        {"path": ["a.jsonl", "b.jsonl"]},
        ["b.jsonl", "`exam` has no item"],
    ),
    "a file of another format": (
        {"exam.jsonl": "Why? So.\n"},
        {"path": "exam.jsonl"},
        ["exam.jsonl", "line 1", "invalid JSON"],
    ),
    "Parquet that is none": (
        {"exam.parquet": "Why?"},
        {"path": "exam.parquet"},
        ["exam.parquet", "unreadable file"],
    ),
    "a file that is not there": ({"exam.jsonl": GOOD}, {"path": "exm.jsonl"}, ["exm.jsonl", "exam.jsonl"]),
    "a folder without a file to read": (
        {"exams/exam.png": "Why?"},
        {"path": "exams"},
        ["exams", "there is no file to read"],
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_mistakes_are_told_with_the_file_and_the_mend(tmp_path, name):
    files, said, told = ERRORS[name]
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    with pytest.raises(UserError) as raised:
        read(tmp_path, **said)
    for words in told:
        assert words in str(raised.value)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "either a `task` or files"),
        ({"task": "gsm8k", "path": "exam.jsonl"}, "either a `task` or files"),
        ({"task": "gsm8k", "question": "q"}, "`question` is for files"),
        ({"path": "exam.jsonl", "include": "tasks"}, "`include` is for a `task`"),
        ({"path": []}, "at least 1"),
        ({"path": "exam.jsonl", "qestion": "q"}, "qestion"),
    ],
)
def test_what_does_not_fit_together_is_refused(said, message):
    with pytest.raises(ValidationError, match=message):
        BenchmarkConfig(**said)


WORDS = st.text(max_size=5) | st.sampled_from(["A", "1", "Why?", "#### 7", r"\boxed{7}", r"\boxed{"])
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-3, 2**63) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.sampled_from(["text", "label", "labels", "choices"]), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["question", "inputs", "choices", "A", "B", "option1", "option2", "answer", "label", "context", "id", "x"]
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6) | VALUES, max_size=6)


@given(
    records=RECORDS,
    said=st.sampled_from(
        [{}, {"answer": "x"}, {"question": "question", "choices": "choices", "label": "label"}]
    ),
)
def test_every_record_becomes_an_item_or_is_set_aside(tmp_path_factory, records, said):
    folder = tmp_path_factory.mktemp("exam")
    sure = {"question": "Why?", "choices": ["so"], "answer": "so", "label": "A", "x": "so"}
    write_lines(folder / "exam.jsonl", [*records, sure])
    benchmark = read(folder, path="exam.jsonl", **said)
    items = benchmark.items.to_pylist()
    assert len(items) + benchmark.set_aside.lost_records == len(records) + 1
    assert len({item["item_id"] for item in items}) == len(items)
    for item in items:
        texts = (item["question"], item["passage"], item["solution"])
        assert any(character.isalnum() for text in texts for character in text or "")


def test_identity_changes_with_content_and_fields_alone(tmp_path):
    def identity(**said):
        return BenchmarkConfig(path="exam.jsonl", **said).identity(tmp_path, Contents())

    write_lines(tmp_path / "exam.jsonl", [{"question": "Why?", "answer": "so"}])
    before = identity()
    assert identity() == before != identity(question="question")
    json.dumps(before)
    write_lines(tmp_path / "exam.jsonl", [{"question": "Who?", "answer": "so"}])
    assert identity() != before


TASK = """\
task: {name}
tag: sums
dataset_path: json
dataset_kwargs: {{data_files: {data}}}
output_type: {kind}
metric_list: [{{metric: {metric}}}]
"""
USUAL = 'doc_to_text: "{{question}}"\ndoc_to_target: "{{answer}}"\n'
ODD = 'doc_to_text: "How much is {{a}} and {{b}}?"\ndoc_to_target: "{{a + b}}"\n'
TEST_AND_TRAIN = "test_split: test\ntraining_split: train\n"


def write_task(
    folder: Path,
    name: str,
    rest: str,
    files: str = "",
    kind: str = "generate_until",
    metric: str = "exact_match",
) -> None:
    """A task over `test.jsonl`, or over the files of these splits."""
    data = {split: str(folder / f"{split}.jsonl") for split in (files or "test").split()}
    said = TASK.format(name=name, data=json.dumps(data), kind=kind, metric=metric)
    (folder / f"{name}.yaml").write_text(said + rest)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with a task whose fields tell the questions, and one that renders them."""
    usual = [{"id": str(n), "question": f"How many are {n}?", "answer": f"{n}\n#### {n}"} for n in range(3)]
    write_lines(tmp_path / "test.jsonl", usual)
    write_lines(tmp_path / "train.jsonl", usual[1:])
    write_lines(tmp_path / "odd.jsonl", [{"a": n, "b": 2} for n in range(3)])
    write_task(tmp_path, "usual", TEST_AND_TRAIN + USUAL, "test train")
    write_task(tmp_path, "odd", "validation_split: odd\n" + ODD, "odd")
    return tmp_path


def items_of_task(folder: Path, task: str) -> list[dict]:
    return read(folder, task=task, include=str(folder)).items.to_pylist()


def test_a_task_gives_its_questions_in_the_order_of_the_harness(tasks):
    items = items_of_task(tasks, "usual")
    assert [(item["item_id"], item["split"], item["question"], item["label"]) for item in items] == [
        ("usual/test/0", "test", "How many are 0?", "0"),
        ("usual/test/1", "test", "How many are 1?", "1"),
        ("usual/test/2", "test", "How many are 2?", "2"),
        ("usual/train/0", "train", "How many are 1?", "1"),
        ("usual/train/1", "train", "How many are 2?", "2"),
    ]


def test_what_fields_do_not_tell_the_task_renders(tasks):
    items = items_of_task(tasks, "odd")
    assert [(item["item_id"], item["split"], item["question"], item["answer"]) for item in items] == [
        ("odd/validation/0", "validation", "How much is 0 and 2?", "2"),
        ("odd/validation/1", "validation", "How much is 1 and 2?", "3"),
        ("odd/validation/2", "validation", "How much is 2 and 2?", "4"),
    ]


def test_choices_that_only_the_task_tells_are_taken(tasks):
    write_lines(tasks / "test.jsonl", [{"text": "It is good.", "class": 1}])
    own = 'doc_to_text: "{{text}} Is it?"\ndoc_to_choice: ["no", "yes"]\ndoc_to_target: class\n'
    write_task(tasks, "mood", "test_split: test\n" + own, kind="multiple_choice", metric="acc")
    (item,) = items_of_task(tasks, "mood")
    assert parts(item) == {
        "split": "test",
        "question": "It is good.",
        "choices": ["no", "yes"],
        "answer": "yes",
        "label": "B",
    }


def test_a_tag_and_a_group_give_the_items_of_their_tasks(tasks):
    (tasks / "both.yaml").write_text("group: both\ntask: [usual, odd]\n")
    tag, group = items_of_task(tasks, "sums"), items_of_task(tasks, "both")
    assert tag == group and {item["benchmark"] for item in tag} == {"exam"}
    assert {item["item_id"].partition("/")[0] for item in tag} == {"usual", "odd"} and len(tag) == 8


def test_questions_that_are_none_are_set_aside_under_their_numbers(tasks):
    records = [{"id": "7", "question": question, "answer": "so"} for question in ("Why?", "?", "Who?")]
    write_lines(tasks / "test.jsonl", records)
    benchmark = read(tasks, task="usual", include=str(tasks))
    (bad,) = benchmark.set_aside.rows
    assert (bad.file, bad.position) == ("usual", "test, number 1")
    ids = benchmark.items.column("item_id").to_pylist()
    assert ids[:2] == ["usual/test/0", "usual/test/2"]


def test_code_that_scores_answers_is_not_run(tasks):
    (tasks / "scoring.py").write_text(f"open({str(tasks / 'ran')!r}, 'w')\ndef score(**_): return 0\n")
    write_task(tasks, "scored", "test_split: test\n" + USUAL, metric="!function scoring.score")
    assert len(items_of_task(tasks, "scored")) == 3
    assert not (tasks / "ran").exists()


def test_code_that_makes_the_questions_is_run(tasks):
    (tasks / "making.py").write_text("def turned(docs): return docs.select([2, 0])\n")
    write_task(tasks, "turned", "test_split: test\nprocess_docs: !function making.turned\n" + USUAL)
    assert [item["label"] for item in items_of_task(tasks, "turned")] == ["2", "0"]


def test_a_question_that_the_task_cannot_render_is_set_aside(tasks):
    (tasks / "making.py").write_text("def words(doc): return str(6 // doc['a'])\n")
    own = 'doc_to_text: !function making.words\ndoc_to_target: "{{b}}"\n'
    write_lines(tasks / "odd.jsonl", [{"a": n, "b": 2} for n in (1, 0, 2)])
    write_task(tasks, "halves", "test_split: odd\n" + own, "odd")
    benchmark = read(tasks, task="halves", include=str(tasks))
    assert benchmark.items.column("question").to_pylist() == ["6", "3"]
    (bad,) = benchmark.set_aside.rows
    assert (bad.position, bad.reason) == ("test, number 1", "the task cannot render its question")


def test_code_of_a_task_that_fails_is_work_that_failed(tasks):
    (tasks / "making.py").write_text("def turned(docs): raise KeyError('no such column')\n")
    write_task(tasks, "turned", "test_split: test\nprocess_docs: !function making.turned\n" + USUAL)
    with pytest.raises(WorkError, match="no such column"):
        items_of_task(tasks, "turned")


def test_a_task_of_empty_questions_has_no_item(tasks):
    write_lines(tasks / "test.jsonl", [{"id": "7", "question": "?", "answer": "so"}])
    write_task(tasks, "empty", "test_split: test\n" + USUAL)
    with pytest.raises(UserError, match="`empty` has no item: no words in question"):
        items_of_task(tasks, "empty")


def test_an_unknown_task_is_named_with_its_neighbours(tasks):
    for ask in (
        lambda config: config.read("exam", tasks),
        lambda config: config.require("own", tasks),
    ):
        with pytest.raises(UserError, match=r"no task `usuall`.*usual"):
            ask(BenchmarkConfig(task="usuall", include=str(tasks)))


def test_a_task_without_its_data_is_work_that_failed(tasks):
    (tasks / "test.jsonl").unlink()
    with pytest.raises(WorkError, match=r"data of the task `usual` cannot be had.*\n.*`path`"):
        items_of_task(tasks, "usual")


def test_a_folder_of_tasks_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="gone is not a folder"):
        BenchmarkConfig(task="usual", include="gone").identity(tmp_path, Contents())


def test_what_to_install_is_said_where_the_harness_is_missing(tasks, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UserError, match=r"needs lm-evaluation-harness.*\n.*pip install"):
        items_of_task(tasks, "usual")


@pytest.mark.parametrize("changed", ["usual.yaml", "test.jsonl", "making.py"])
def test_identity_of_a_task_changes_with_its_file_and_data(tasks, tmp_path_factory, changed):
    elsewhere = tmp_path_factory.mktemp("data")
    write_lines(elsewhere / "test.jsonl", [{"question": "Why?"}])
    yaml = (tasks / "usual.yaml").read_text().replace(f"{tasks}/test.jsonl", f"{elsewhere}/test.jsonl")
    (tasks / "usual.yaml").write_text(yaml)
    (tasks / "making.py").write_text("")
    config = BenchmarkConfig(task="usual", include=str(tasks))
    before = config.identity(tasks, Contents())
    assert config.identity(tasks, Contents()) == before
    json.dumps(before)
    path = (elsewhere if changed == "test.jsonl" else tasks) / changed
    path.write_text(path.read_text() + "\n")
    assert config.identity(tasks, Contents()) != before
