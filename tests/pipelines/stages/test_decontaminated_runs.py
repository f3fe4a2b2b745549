"""`decontaminate:` in a run: verdicts, cuts, what a change runs again, and what is synthesised."""

import json
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.execution.manifest import read_manifest
from tests.pipelines.benchmark_items import asked_and_answered, items
from tests.pipelines.corpus import document

EXAM = items(9)
RECIPE = """\
name: clean
part_size: 20k
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id}}}}
  law: {{reader: files, path: {corpus}/law.jsonl, fields: {{id: id}}}}
dedup: {{minhash: null}}
decontaminate:
  against: {{exam: {{path: {exam}}}}}
held_out: {{share: 3%, tokens_per_group: 1k}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 8k, sequence_length: 128, weights: {{web: 1, law: 1}}}}
"""


def write_lines(path: Path, records: list) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """By doc_id. Web 0, 10 and 20 have items 0 to 2 with answers, 30 the question of item 3; law 5 item 4."""
    rng = random.Random(9)
    made = {f"{name}/{n}": document(rng, 24) for name in ("web", "law") for n in range(60)}
    planted = {f"web/{10 * n}": asked_and_answered(EXAM[n]) for n in range(3)}
    planted |= {"web/30": EXAM[3]["question"], "law/5": asked_and_answered(EXAM[4])}
    return {name: f"{text}\n{planted[name]}" if name in planted else text for name, text in made.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, texts) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for source in ("web", "law"):
        records = [
            {"id": name.partition("/")[2], "text": text}
            for name, text in texts.items()
            if name.startswith(source)
        ]
        write_lines(folder / f"{source}.jsonl", records)
    exam = write_lines(folder / "exam.jsonl", EXAM)
    (folder / "recipe.yaml").write_text(RECIPE.format(corpus=folder, exam=exam))
    return folder


@pytest.fixture(scope="module")
def done(coupage, folder) -> Path:
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run")
    return folder / "run"


@pytest.fixture
def run(done, tmp_path) -> Path:
    return shutil.copytree(done, tmp_path / "run", symlinks=True)


def newest(run: Path, stage: str) -> list[pa.Table]:
    """The tables of the stage that was written last."""
    folders = [path for path in run.glob(f"stages/{stage}-*") if (path / "manifest.json").exists()]
    folder = max(folders, key=lambda path: (path / "manifest.json").stat().st_mtime_ns)
    return [pq.read_table(folder / name) for name in read_manifest(folder).part_names(".parquet")]


def reasons(run: Path) -> dict[str, str]:
    """Of the documents that are dropped."""
    rows = pa.concat_tables(newest(run, "select-documents")).to_pylist()
    return {row["doc_id"]: row["reason"] for row in rows if not row["keep"]}


def to_run(coupage, folder: Path, run: Path, *settings: str) -> set[str]:
    """The stages that a run with these settings would run."""
    options = [word for setting in settings for word in ("--set", setting)]
    planned = coupage("plan", folder / "recipe.yaml", "--workdir", run, *options, "--json").stdout
    return {each["label"] for each in json.loads(planned)["stages"] if each["state"] != "cached"}


def test_documents_with_an_answer_are_dropped_and_the_run_is_whole(coupage, done):
    leaked = ("web/0", "web/10", "web/20", "law/5")
    assert reasons(done) == dict.fromkeys(leaked, "contamination.exam")
    for shards in ("stage1", "held_out"):
        used = pq.read_table(done / "shards" / shards / "segments.parquet")["doc_id"].to_pylist()
        assert used and not set(used) & set(leaked)
    coupage("verify", done)


def test_the_same_run_again_runs_nothing_wherever_the_benchmark_lies(coupage, folder, done, tmp_path):
    assert to_run(coupage, folder, done) == set()
    moved = shutil.copy(folder / "exam.jsonl", tmp_path / "exam.jsonl")
    assert to_run(coupage, folder, done, f"decontaminate.against.exam.path={moved}") == set()


def test_what_a_change_runs_again(coupage, folder, done, tmp_path):
    action = to_run(coupage, folder, done, "decontaminate.action.question=drop")
    assert "select documents" in action
    assert not {label.split()[0] for label in action} & {
        *("ingest", "benchmarks", "common_ngrams", "matches", "hashes", "signals"),
    }
    threshold = to_run(coupage, folder, done, "decontaminate.thresholds.question=0.9")
    assert threshold - action == {"matches web", "matches law"} and action <= threshold
    changed = write_lines(tmp_path / "exam.jsonl", EXAM[:-1])
    benchmark = to_run(coupage, folder, done, f"decontaminate.against.exam.path={changed}")
    assert {"benchmarks", "common_ngrams web", "matches law"} <= benchmark
    assert not {label.split()[0] for label in benchmark} & {"ingest", "hashes", "signals"}


def test_a_cut_takes_the_item_and_keeps_the_document(coupage, folder, run, texts):
    coupage("run", folder / "recipe.yaml", "--workdir", run, "--set", "decontaminate.action.answer=cut")
    assert reasons(run) == {}
    written = {
        row["doc_id"]: row["text"]
        for path in run.glob("stages/decontaminated-*/*.parquet")
        for row in pq.read_table(path).to_pylist()
    }
    leaks = {name: asked_and_answered(EXAM[n]) for n, name in enumerate(("web/0", "web/10", "web/20"))}
    leaks["law/5"] = asked_and_answered(EXAM[4])
    assert written == {name: text.removesuffix(f"\n{leaks.get(name)}") for name, text in texts.items()}
    (counts,) = (read_manifest(path).counts for path in run.glob("stages/decontaminated-web-*"))
    assert counts.number("documents_cut") == counts.number("spans_cut", scope="exam") == 3
    assert sum(counts.dropped("bytes").values()) == sum(
        len(f"\n{leak}".encode()) for name, leak in leaks.items() if name.startswith("web")
    )
    coupage("verify", run)


@pytest.mark.parametrize("part_size", ["8k", "32M"])
def test_the_size_of_parts_changes_no_verdict(coupage, folder, done, tmp_path, part_size):
    options = ("--set", f"part_size={part_size}", "--until", "select")
    coupage("run", folder / "recipe.yaml", "--workdir", tmp_path / "run", *options)
    assert reasons(tmp_path / "run") == reasons(done)


def test_sources_that_are_not_named_are_not_compared(coupage, folder, run):
    options = ("--set", "decontaminate.sources=[law]", "--until", "select")
    coupage("run", folder / "recipe.yaml", "--workdir", run, *options)
    assert reasons(run) == {"law/5": "contamination.exam"}


def test_judgements_change_the_verdicts_alone(coupage, folder, run, tmp_path):
    judged = {"benchmark": "exam", "item_id": "q0", "doc_id": "web/0", "judgement": False, "why": "a hymn"}
    allow = write_lines(tmp_path / "allow.jsonl", [judged])
    assert not any(
        label.startswith("matches") for label in to_run(coupage, folder, run, f"decontaminate.allow={allow}")
    )
    options = ("--set", f"decontaminate.allow={allow}", "--until", "select")
    coupage("run", folder / "recipe.yaml", "--workdir", run, *options)
    assert set(reasons(run)) == {"web/10", "web/20", "law/5"}
    allow.write_text(allow.read_text() + "[]\n")
    arguments = ("run", folder / "recipe.yaml", "--workdir", run, *options)
    said = coupage(*arguments, code=2).stderr
    assert str(allow) in said and "line 2" in said


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("against.exam.path={folder}/gone.jsonl", "gone.jsonl"),
        ("against.exam.question=qestion", "question: question"),
        ("against.exam.task=gsm8k", "either a `task` or files"),
        ("allow={folder}/gone.jsonl", "gone.jsonl"),
        ("sources=[wbe]", "web"),
        ("against.exam.path=/dev/null", "/dev/null"),
    ],
)
def test_faults_are_said_before_anything_runs(coupage, folder, tmp_path, setting, said):
    setting = f"decontaminate.{setting.format(folder=folder)}"
    arguments = ("run", folder / "recipe.yaml", "--workdir", tmp_path / "run", "--set", setting)
    error = coupage(*arguments, code=2).stderr
    assert said in error and "Traceback" not in error
    assert not list(tmp_path.glob("run/stages/ingest-*"))


FUNCTION = '''
def {name}({argument}, limit={number}):
    """{summary}"""
    return {body}
'''


def function(rng: random.Random) -> str:
    """Unlike all others."""
    words = [word for item in items(1, rng.randrange(10**6)) for word in item["answer"].lower()[:-1].split()]
    summary = document(rng, 1).replace("\n", " ")
    name, argument, *others = words
    number = rng.randrange(1000)
    return FUNCTION.format(
        name=name, argument=argument, number=number, summary=summary, body=" + ".join(others)
    )


def test_what_is_synthesised_is_compared_too(coupage, tmp_path):
    rng = random.Random(3)
    code = [{"id": f"{n}", "text": function(rng) + function(rng)} for n in range(30)]
    write_lines(tmp_path / "web.jsonl", code)
    write_lines(tmp_path / "law.jsonl", [{"id": f"{n}", "text": document(rng, 12)} for n in range(60)])
    exam = write_lines(tmp_path / "exam.jsonl", EXAM)
    recipe = RECIPE.format(corpus=tmp_path, exam=exam) + (
        "  stage2: {tokens: 2k, sequence_length: 256, weights: {qa: 1}, on_shortage: renormalize}\n"
        "synthesize: {qa: {method: docstrings, from: stage1, domains: [web]}}\n"
    )
    (tmp_path / "recipe.yaml").write_text(recipe)
    run = tmp_path / "run"
    coupage("run", tmp_path / "recipe.yaml", "--workdir", run)
    assert reasons(run) == {}
    made = pa.concat_tables(newest(run, "synthesize-qa")).to_pylist()
    write_lines(exam, [*EXAM, {"id": "made", "question": made[0]["text"]}])
    # The code that it is about holds most of it too.
    only = ("--set", "decontaminate.sources=[qa]", "--set", "decontaminate.action.question=drop")
    coupage("run", tmp_path / "recipe.yaml", "--workdir", run, *only)
    assert reasons(run) == {}
    rows = pa.concat_tables(newest(run, "select-qa")).to_pylist()
    dropped = {row["doc_id"]: row["reason"] for row in rows if not row["keep"]}
    assert dropped == {made[0]["doc_id"]: "contamination.exam"}
    used = pq.read_table(run / "shards" / "stage2" / "segments.parquet")["doc_id"].to_pylist()
    assert used and made[0]["doc_id"] not in used
    coupage("verify", run)
