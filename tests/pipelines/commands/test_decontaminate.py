"""`coupage decontaminate`: planted items are found where they stand, and what is kept is free of them."""

import csv
import gzip
import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import coupage as public
from tests.pipelines.benchmark_items import asked_and_answered, items, question
from tests.pipelines.command_line import ROOT, command, environment
from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.corpus import document

CONTRACT = {
    "doc_id": pl.String,
    "benchmark": pl.String,
    "item_id": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    "score": pl.Float32,
}


def matches(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "matches.parquet")


def kept(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "kept" / "*.parquet")


def planted(text: str, between: str) -> str:
    """Between two sentences in the middle of a text."""
    border = text.index(". ", len(text) // 2) + 2
    return f"{text[:border]}{between} {text[border:]}"


EXAM = items(12)


@pytest.fixture(scope="module")
def exam(tmp_path_factory) -> Path:
    return write_lines(tmp_path_factory.mktemp("exam") / "exam.jsonl", EXAM)


@pytest.fixture(scope="module")
def documents(texts) -> list[dict[str, str]]:
    """Item 0 with its answer, item 1 without it, both with non-ASCII before them; all others are innocent."""
    made = [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]
    made[3]["text"] = "Ёлки 🌲 é — " + planted(texts[3], asked_and_answered(EXAM[0]))
    made[8]["text"] = "数学 " + planted(texts[8], EXAM[1]["question"])
    return made


@pytest.fixture(scope="module")
def web(tmp_path_factory, documents) -> Path:
    return write_lines(tmp_path_factory.mktemp("web") / "web.jsonl", documents)


@pytest.fixture(scope="module")
def found(tmp_path_factory, coupage, web, exam) -> Path:
    folder = tmp_path_factory.mktemp("found") / "out"
    coupage("decontaminate", web, "--against", f"exam={exam}", "-o", folder)
    return folder


def test_matches_have_the_columns_that_others_read(found):
    table = matches(found)
    assert dict(list(table.schema.items())[: len(CONTRACT)]) == CONTRACT
    rows = {(row["doc_id"], row["item_id"]): row for row in table.to_dicts()}
    assert {place: (row["kind"], row["action"]) for place, row in rows.items()} == {
        ("d3", "q0"): ("answer", "drop"),
        ("d8", "q1"): ("question", "flag"),
    }
    assert {row["benchmark"] for row in rows.values()} == {"exam"}
    assert rows["d3", "q0"]["score"] == pytest.approx(1)
    assert rows["d8", "q1"]["question"] == pytest.approx(1)


def test_spans_are_characters_of_the_text(found, documents):
    rows = {row["doc_id"]: row for row in matches(found).to_dicts()}
    for number, item in ((3, asked_and_answered(EXAM[0])), (8, EXAM[1]["question"])):
        row = rows[f"d{number}"]
        span = documents[number]["text"][row["start"] : row["end"]]
        assert span.rstrip(".?") == item.rstrip(".?")


def test_what_is_kept_is_as_it_was(found, documents):
    rest = kept(found)
    assert rest.columns == ["doc_id", "text", "url", "metadata"]
    assert rest.select("doc_id", "text").rows() == [
        (each["id"], each["text"]) for each in documents if each["id"] != "d3"
    ]


def test_the_summary_is_printed_and_written(coupage, found, web, exam):
    printed = coupage("decontaminate", web, "--against", f"exam={exam}", "-o", found, "--json").stdout
    summary = json.loads(printed)
    assert summary == json.loads((found / "summary.json").read_text())
    assert (summary["documents"], summary["kept"]) == (40, 39)
    assert summary["with_matches"] == {"drop": 1, "cut": 0, "flag": 1, "allowed": 0}
    assert summary["benchmarks"]["exam"] == {
        "items": 12,
        "items_alike": 0,
        "items_found": 2,
        "matches": {"answer": 1, "question": 1},
        "set_aside": {},
    }
    told = coupage("decontaminate", web, "--against", f"exam={exam}", "-o", found).stdout
    assert "40 documents, 39 kept" in told and "exam: 2 of 12 items found" in told


def as_csv(path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "question", "answer"])
        writer.writeheader()
        writer.writerows(EXAM)
    return path


def as_text(path: Path) -> Path:
    path.write_text(asked_and_answered(EXAM[0]))
    return path


def compressed(path: Path) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(item) + "\n" for item in EXAM).encode()))
    return path


def written(write):
    def at(path: Path) -> Path:
        write(path)
        return path

    return at


BENCHMARKS = {
    "exam.jsonl": lambda path: write_lines(path, EXAM),
    "exam.jsonl.gz": compressed,
    "exam.json": written(lambda path: path.write_text(json.dumps(EXAM))),
    "exam.csv": as_csv,
    "exam.parquet": written(lambda path: pq.write_table(pa.Table.from_pylist(EXAM), path)),
    "exam.arrow": written(lambda path: feather.write_feather(pa.Table.from_pylist(EXAM), str(path))),
    "exam.txt": as_text,
    "exam.md": as_text,
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_formats_of_benchmarks(coupage, tmp_path, web, name):
    file = BENCHMARKS[name](tmp_path / name)
    coupage("decontaminate", web, "--against", f"exam={file}", "-o", tmp_path / "out")
    rows = {(row["doc_id"], row["kind"]) for row in matches(tmp_path / "out").to_dicts()}
    if file.suffix in (".txt", ".md"):
        assert rows == {("d3", "passage")}
    else:
        assert rows == {("d3", "answer"), ("d8", "question")}


def test_formats_of_files(coupage, tmp_path, documents, exam):
    lines = "".join(json.dumps(each) + "\n" for each in documents)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.jsonl.zst").write_bytes(pa.compress(lines.encode(), "zstd", asbytes=True))
    pq.write_table(pa.Table.from_pylist(documents), tmp_path / "d.parquet")
    for path in sorted(tmp_path.iterdir()):
        coupage("decontaminate", path, "--against", f"exam={exam}", "-o", tmp_path / f"out-{path.name}")
    outs = sorted(tmp_path.glob("out-*"))
    assert len(outs) == 4
    for out in outs:
        assert matches(out).equals(matches(outs[0])) and matches(out).height == 2
        assert kept(out)["text"].equals(kept(outs[0])["text"])


def test_what_was_kept_can_be_read_again_and_has_no_match_that_drops(coupage, tmp_path, found, exam):
    again = tmp_path / "again"
    coupage("decontaminate", *(found / "kept").iterdir(), "--against", f"exam={exam}", "-o", again)
    assert matches(again)["action"].to_list() == ["flag"]
    assert kept(again).select("doc_id", "text").equals(kept(found).select("doc_id", "text"))


@pytest.fixture(scope="module")
def chats(tmp_path_factory, texts) -> Path:
    """The second conversation asks item 0 and answers it."""
    talks = [
        [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": text}] for text in texts[:5]
    ]
    talks[1] = [
        {"role": "user", "content": EXAM[0]["question"]},
        {"role": "assistant", "content": EXAM[0]["answer"]},
        {"role": "user", "content": "And then?"},
        {"role": "assistant", "content": texts[1]},
    ]
    records = [{"id": f"c{n}", "messages": talk} for n, talk in enumerate(talks)]
    return write_lines(tmp_path_factory.mktemp("chats") / "chats.jsonl", records)


@pytest.mark.parametrize(("action", "stay"), [("drop", 4), ("cut", 4), ("flag", 5)])
def test_conversations_stay_whole_or_go(coupage, tmp_path, chats, exam, action, stay):
    out = tmp_path / "out"
    options = ("--set", f"action.answer={action}", "--json")
    done = coupage("decontaminate", chats, "--against", f"exam={exam}", "-o", out, *options)
    assert matches(out).select("doc_id", "kind").rows() == [("c1", "answer")]
    told = json.loads(done.stdout)["with_matches"]
    assert told == {"drop": 0, "cut": 0, "flag": 0, "allowed": 0, ("drop" if stay == 4 else "flag"): 1}
    asked = [json.loads(line) for line in chats.read_text().splitlines()]
    rest = kept(out)
    assert rest["doc_id"].to_list() == [each["id"] for each in asked if stay == 5 or each["id"] != "c1"]
    turns = {each["id"]: [turn["content"] for turn in each["messages"]] for each in asked}
    for row in rest.to_dicts():
        there = row["messages"] if isinstance(row["messages"], list) else json.loads(row["messages"])
        assert [turn["content"] for turn in there] == turns[row["doc_id"]]


def test_actions_by_kind_and_by_benchmark(coupage, tmp_path, web, exam, documents, texts):
    other = write_lines(tmp_path / "other.jsonl", [EXAM[1]])
    done = coupage(
        *("decontaminate", web, "--against", f"exam={exam}", "--against", f"other={other}"),
        *("--set", "exam.action.answer=cut", "--set", "action.question=drop"),
        *("--set", "exam.action.question=flag", "-o", tmp_path / "out", "--json"),
    )
    rows = matches(tmp_path / "out").select("doc_id", "benchmark", "kind", "action").rows()
    assert sorted(rows) == [
        ("d3", "exam", "answer", "cut"),
        ("d8", "exam", "question", "flag"),
        ("d8", "other", "question", "drop"),
    ]
    assert json.loads(done.stdout)["with_matches"] == {"drop": 1, "cut": 1, "flag": 0, "allowed": 0}
    left = dict(kept(tmp_path / "out").select("doc_id", "text").rows())
    assert left == {
        **{each["id"]: each["text"] for each in documents if each["id"] != "d8"},
        "d3": "Ёлки 🌲 é — " + texts[3],
    }


def test_a_document_that_a_cut_empties_is_not_kept(coupage, tmp_path, exam, texts):
    file = write_lines(
        tmp_path / "a.jsonl",
        [{"text": asked_and_answered(EXAM[2])}, {"text": texts[0]}, {"text": ""}],
    )
    options = ("--set", "action.answer=cut", "--json")
    done = coupage("decontaminate", file, "--against", f"exam={exam}", "-o", tmp_path / "out", *options)
    assert kept(tmp_path / "out")["text"].to_list() == [texts[0], ""]
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["kept"], summary["with_matches"]["cut"]) == (3, 2, 1)


JUDGED = {"benchmark": "exam", "item_id": "q0", "judgement": False, "why": "a proverb"}


@pytest.fixture(scope="module")
def copied(tmp_path_factory, texts) -> Path:
    """Item 0 in two documents."""
    records = [{"id": f"d{n}", "text": planted(texts[n], asked_and_answered(EXAM[0]))} for n in (0, 1)]
    return write_lines(tmp_path_factory.mktemp("copied") / "copied.jsonl", records)


@pytest.mark.parametrize(
    ("judgements", "allowed"),
    [
        ([], set()),
        ([{**JUDGED, "doc_id": "d1"}], {"d1"}),
        ([JUDGED], {"d0", "d1"}),
        ([JUDGED, {**JUDGED, "judgement": True}], set()),
        ([{**JUDGED, "judgement": True}, JUDGED], {"d0", "d1"}),
        ([JUDGED, {**JUDGED, "doc_id": "d0", "judgement": True}], {"d1"}),
        ([{**JUDGED, "doc_id": "d0", "judgement": True}, JUDGED], {"d1"}),
        ([{**JUDGED, "benchmark": "another"}, {**JUDGED, "item_id": "q1"}], set()),
        ([{**JUDGED, "doc_id": None}], {"d0", "d1"}),
    ],
)
def test_judgements_allow_matches(coupage, tmp_path, copied, exam, judgements, allowed):
    allow = write_lines(tmp_path / "judged.jsonl", judgements)
    out = tmp_path / "out"
    coupage("decontaminate", copied, "--against", f"exam={exam}", "--allow", allow, "-o", out)
    actions = dict(matches(out).select("doc_id", "action").rows())
    assert actions == {name: "allowed" if name in allowed else "drop" for name in ("d0", "d1")}
    assert set(kept(out)["doc_id"]) == allowed


@pytest.mark.parametrize(
    "line",
    [
        "{broken",
        "[]",
        "5",
        "null",
        json.dumps({**JUDGED, "why": ""}),
        json.dumps({**JUDGED, "why": "  "}),
        json.dumps({**JUDGED, "why": 7}),
        json.dumps({**JUDGED, "judgement": "no"}),
        json.dumps({**JUDGED, "judgement": 0}),
        json.dumps({**JUDGED, "item_id": 0}),
        json.dumps({**JUDGED, "doc_id": 1}),
        json.dumps({key: value for key, value in JUDGED.items() if key != "why"}),
        json.dumps({key: value for key, value in JUDGED.items() if key != "item_id"}),
        json.dumps({**JUDGED, "doc-id": "d1"}),
    ],
)
def test_a_line_that_is_no_judgement_is_named(coupage, tmp_path, copied, exam, line):
    allow = tmp_path / "judged.jsonl"
    allow.write_text(f"\n{json.dumps(JUDGED)}\n{line}\n")
    out = tmp_path / "out"
    arguments = ("decontaminate", copied, "--against", f"exam={exam}", "--allow", allow, "-o", out)
    said = coupage(*arguments, code=2).stderr
    assert str(allow) in said and "line 3" in said and '"judgement": false' in said
    assert not out.exists()


def test_a_file_of_judgements_that_is_not_there(coupage, tmp_path, copied, exam):
    arguments = ("decontaminate", copied, "--against", f"exam={exam}", "-o", tmp_path / "out", "--allow")
    for path in (tmp_path / "none.jsonl", tmp_path):
        said = coupage(*arguments, path, code=2).stderr
        assert str(path) in said and "cannot be read" in said


WRONG = {
    "no benchmark": ([], "--against"),
    "given twice": (["--against", "exam={exam}", "--against", "exam={exam}"], "exam: given twice"),
    "no file": (["--against", "exam={exam}.gone"], "exam.jsonl.gone"),
    "a file without a name": (["--against", "{exam}"], "NAME=FILE"),
    "an empty name": (["--against", "={exam}"], "NAME=FILE"),
    "an empty file name": (["--against", "exam="], "NAME=FILE"),
    "a wrong field": (["--against", "exam={exam}", "--set", "exam.question=qestion"], "question: question"),
    "a wrong role": (["--against", "exam={exam}", "--set", "exam.questin=question"], "questin"),
    "a wrong action": (["--against", "exam={exam}", "--set", "action.answer=keep"], "keep"),
    "a wrong kind": (["--against", "exam={exam}", "--set", "action.anser=cut"], "anser"),
    "a wrong threshold": (["--against", "exam={exam}", "--set", "thresholds.question=7"], "question"),
    "no such benchmark": (["--against", "exam={exam}", "--set", "exams.question=q"], "exams.question=q"),
    "no value": (["--against", "exam={exam}", "--set", "action.answer"], "action.answer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(coupage, tmp_path, web, exam, name):
    options, said = WRONG[name]
    options = [option.format(exam=exam) for option in options]
    error = coupage("decontaminate", web, *options, "-o", tmp_path / "out", code=2).stderr
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "\n\n", '{"question": ""}\n', '{"question": "?!"}\n', "{broken\n"])
def test_a_benchmark_without_an_item(coupage, tmp_path, web, content):
    empty = tmp_path / "empty.jsonl"
    empty.write_text(content)
    arguments = ("decontaminate", web, "--against", f"exam={empty}", "-o", tmp_path / "out")
    said = coupage(*arguments, code=2).stderr
    assert "empty.jsonl" in said and "hint:" in said and "Traceback" not in said


def test_an_empty_item_beside_others_is_set_aside_and_told(coupage, tmp_path, web):
    exam = write_lines(tmp_path / "exam.jsonl", [{"id": "none", "question": " ", "answer": "x"}, *EXAM])
    arguments = ("decontaminate", web, "--against", f"exam={exam}", "-o", tmp_path / "out")
    assert "exam: 1 set aside as no item: no words" in coupage(*arguments).stdout
    summary = json.loads(coupage(*arguments, "--json").stdout)["benchmarks"]["exam"]
    assert summary["items"] == 12 and sum(summary["set_aside"].values()) == 1
    (bad,) = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert bad["file"] == "exam: exam.jsonl" and "line 1" in bad["position"]
    assert matches(tmp_path / "out")["item_id"].to_list() == ["q0", "q1"]


def test_a_huge_item_and_many_identical_ones(coupage, tmp_path, texts):
    rng = random.Random(4)
    long = " ".join(question(rng, 60) for _ in range(2500))
    assert len(long) > 1_000_000
    exam = write_lines(
        tmp_path / "exam.jsonl",
        [{"id": "long", "question": long}, *({**EXAM[0], "id": f"same{n}"} for n in range(10_000))],
    )
    file = write_lines(
        tmp_path / "a.jsonl",
        [
            {"id": "has", "text": planted(texts[0], asked_and_answered(EXAM[0]))},
            {"id": "long", "text": f"{texts[1]} {long}"},
            {"id": "plain", "text": texts[2]},
        ],
    )
    out = tmp_path / "out"
    done = coupage("decontaminate", file, "--against", f"exam={exam}", "-o", out, "--json")
    rows = matches(out).select("doc_id", "item_id", "kind").rows()
    assert rows == [("has", "same0", "answer"), ("long", "long", "question")]
    told = json.loads(done.stdout)["benchmarks"]["exam"]
    assert (told["items"], told["items_alike"], told["items_found"]) == (10_001, 9_999, 2)


def test_one_file_as_two_benchmarks(coupage, tmp_path, web, exam):
    against = ("--against", f"a={exam}", "--against", f"b={exam}")
    coupage("decontaminate", web, *against, "-o", tmp_path / "out")
    rows = matches(tmp_path / "out").select("doc_id", "benchmark", "item_id").rows()
    assert sorted(rows) == [("d3", "a", "q0"), ("d3", "b", "q0"), ("d8", "a", "q1"), ("d8", "b", "q1")]


def test_a_task_needs_the_harness(tmp_path, coupage_process, web):
    (tmp_path / "lm_eval.py").write_text("raise ImportError('not here')")
    done = coupage_process(
        *("decontaminate", web, "--against", "gsm8k", "-o", tmp_path / "out"),
        code=2,
        PYTHONPATH=f"{tmp_path}:{ROOT}",
    )
    assert "gsm8k" in done.stderr and "pip install 'coupage[evaluate]'" in done.stderr


def test_a_phrase_of_many_documents_says_little_and_an_item_in_many_is_found_in_all(coupage, tmp_path):
    rng = random.Random(8)
    words = question(rng, 29).rstrip("?").split()
    exam = write_lines(tmp_path / "exam.jsonl", [{"id": "long", "question": f"{' '.join(words)}?"}, EXAM[5]])
    phrase, most = " ".join(words[:9]), " ".join(words[:20])

    def found(name: str, passages: list[str]) -> set[tuple[str, str]]:
        texts = [planted(document(rng, 16), f"{passage}.") for passage in passages]
        file = write_lines(tmp_path / f"{name}.jsonl", [{"text": text} for text in texts])
        coupage("decontaminate", file, "--against", f"exam={exam}", "-o", tmp_path / name)
        return set(matches(tmp_path / name).select("doc_id", "item_id").rows())

    assert found("rare", [most, phrase, phrase]) == {("rare.jsonl:0", "long")}
    assert found("common", [most, *[phrase] * 30]) == set()
    everywhere = found("copies", [asked_and_answered(EXAM[5])] * 30)
    assert everywhere == {(f"copies.jsonl:{n}", "q5") for n in range(30)}


def test_the_same_bytes_with_any_workers(coupage, tmp_path, large_file, texts):
    lines = [json.loads(line)["text"] for line in large_file.read_text().splitlines()]
    exam = write_lines(tmp_path / "exam.jsonl", EXAM)
    for number in range(0, 1000, 50):
        lines[number] = planted(lines[number], asked_and_answered(EXAM[number % 12]))
    file = write_lines(tmp_path / "large.jsonl", [{"text": text} for text in lines])
    bytes_of = []
    for workers in (1, 3):
        out = tmp_path / str(workers)
        options = ("--set", "exam.action.answer=cut", "--workers", workers)
        coupage("decontaminate", file, "--against", f"exam={exam}", "-o", out, *options)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        bytes_of.append({path.relative_to(out): path.read_bytes() for path in files})
    assert bytes_of[0] == bytes_of[1]
    assert len(list((tmp_path / "1" / "kept").iterdir())) > 1
    assert set(matches(tmp_path / "1")["doc_id"]) == {f"large.jsonl:{n}" for n in range(0, 1000, 50)}
    assert kept(tmp_path / "1").height == 1000


def test_a_killed_command_goes_on(coupage, tmp_path, large_file, exam):
    arguments = ("decontaminate", large_file, "--against", f"exam={exam}", "-o", tmp_path / "out")
    killed = subprocess.Popen(command(*arguments), env=environment(), stderr=subprocess.DEVNULL)
    stages = tmp_path / "out" / ".work" / "stages"
    while not list(stages.glob("ingest-*/manifest.json")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out" / "matches.parquet").exists()
    assert "ingest files: cached" in coupage(*arguments).stderr
    coupage(*arguments[:-1], tmp_path / "whole")
    names = ["matches.parquet", "summary.json", "quarantine.parquet"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert kept(tmp_path / "out").equals(kept(tmp_path / "whole"))


def test_the_results_of_something_else_are_not_overwritten(coupage, tmp_path, found, web, exam, copied):
    out = shutil.copytree(found, tmp_path / "out")
    before = (out / "matches.parquet").read_bytes()
    for arguments in (
        (web, "--against", f"exam={exam}", "--set", "action.answer=cut"),
        (copied, "--against", f"exam={exam}"),
        (web, "--against", f"test={exam}"),
    ):
        said = coupage("decontaminate", *arguments, "-o", out, code=2).stderr
        assert "the results of other inputs or settings" in said
    coupage("dedup", web, "-o", out, code=2)
    assert (out / "matches.parquet").read_bytes() == before


HOSTILE = {"id": "\x1b[2J[bold]x[/bold] \u202egnp.exe", "question": f"\x1b]0;t\x07 [/] {EXAM[7]['question']}"}


def test_hostile_ids_and_items_keep_their_values_and_steer_nothing(coupage, tmp_path, texts):
    exam = write_lines(tmp_path / "exam.jsonl", [HOSTILE, {"question": "\x1b[2J"}])
    name = "\x1b[31m[red]d[/red]\u202e\u2028"
    file = write_lines(tmp_path / "a.jsonl", [{"id": name, "text": f"{texts[0]} {HOSTILE['question']}"}])
    done = coupage("decontaminate", file, "--against", f"exam={exam}", "-o", tmp_path / "out")
    assert matches(tmp_path / "out").select("doc_id", "item_id").rows() == [(name, HOSTILE["id"])]
    assert not any(mark in done.stdout + done.stderr for mark in "\x1b\u202e\u2028\x07")


def test_from_python(tmp_path, web, exam, capfd):
    summary = public.decontaminate(
        [web],
        tmp_path / "out",
        against={"exam": exam, "mine": {"path": str(exam), "action": {"question": "drop"}}},
        settings=["exam.action.answer=flag"],
        workers=1,
    )
    assert summary["with_matches"] == {"drop": 2, "cut": 0, "flag": 0, "allowed": 0}
    assert capfd.readouterr() == ("", "")


def test_a_mapping_of_ones_own_is_not_changed(tmp_path, web, exam):
    against = {"exam": {"path": str(exam), "action": {"question": "flag"}}}
    public.decontaminate(
        [web], tmp_path / "out", against=against, settings=["exam.action.answer=flag"], workers=1
    )
    assert against == {"exam": {"path": str(exam), "action": {"question": "flag"}}}
