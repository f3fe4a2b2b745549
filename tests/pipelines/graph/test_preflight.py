"""What would fail hours later is said at once, all of it, by `plan` and `run`, before anything is written."""

import gzip
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.files import FilesConfig
from pipelines.sources.refusals import refusal
from tests.pipelines.corpus import write_corpus

TURNS = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "answer"}]
SHARES = [{"from": "human", "value": "ask"}, {"from": "gpt", "value": "answer"}]
TEXT = {"reader": "files", "path": "law.jsonl"}


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_recipe(folder, sources, **more):
    """A recipe with sound documents in `law` and these sources beside them."""
    write_corpus(folder, documents=40)
    recipe = {
        "name": "checked",
        "sources": {"law": TEXT, **sources},
        "tokenizer": {"train": {"vocabulary_size": 600}},
        "mixtures": {"stage1": {"tokens": "2k", "sequence_length": 64, "weights": {"law": 1}}},
        **more,
    }
    (folder / "checked.yaml").write_text(json.dumps(recipe))
    return folder / "checked.yaml"


def refused(coupage, recipe, *words):
    """Both commands refuse it with these words, and leave nothing behind."""
    workdir = recipe.parent / "run"
    for command in ("plan", "run"):
        said = coupage(command, recipe, "--workdir", workdir, code=2).stderr
        assert "Traceback" not in said
        for word in words:
            assert word in said, said
    assert not workdir.exists()


SOURCES = [
    ([{"body": "words", "id": 1}], {}, ["no field `text`; the records have: body, id", "{text: body}"]),
    ([{"meta": {"words": "some"}, "n": 1}], {}, ["meta.words, n", "{text: meta.words}"]),
    ([{"chat": SHARES}], {}, ["no field `text`", "Set `messages: chat`"]),
    ([{"text": TURNS}], {}, ["`text` holds a list, not text", "Set `messages: text`"]),
    ([{"text": None, "body": "words"}], {}, ["`text` holds null", "{text: body}"]),
    ([{"chat": TURNS}], {"messages": "messages"}, ["no field `messages`", "Set `messages: chat`"]),
    (
        [{"messages": [{"speaker": "a", "says": "b"}]}],
        {"messages": "messages"},
        ["`messages` is no conversation: a turn has the keys speaker, says"],
    ),
    ([{"messages": "hello"}], {"messages": "messages"}, ["it holds a string, not a list of turns"]),
    ([{"messages": []}], {"messages": "messages"}, ["it is empty"]),
    (["no object"], {}, ["none of the first records can be read: record is not an object"]),
]


@pytest.mark.parametrize(("rows", "options", "words"), SOURCES)
def test_a_source_whose_records_are_refused_is_named_with_its_mend(coupage, tmp_path, rows, options, words):
    write_lines(tmp_path / "odd.jsonl", rows * 30)
    recipe = write_recipe(tmp_path, {"odd": {"reader": "files", "path": "odd.jsonl", **options}})
    refused(coupage, recipe, "sources.odd", "odd.jsonl", *words)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz", "csv", "json"])
def test_every_format_says_which_fields_there_are(coupage, tmp_path, suffix):
    rows = [{"body": f"words {n}", "kind": "k"} for n in range(30)]
    path = tmp_path / f"odd.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "csv":
        path.write_text("body,kind\n" + "".join(f"{row['body']},{row['kind']}\n" for row in rows))
    elif suffix == "json":
        path.write_text(json.dumps(rows))
    else:
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    recipe = write_recipe(tmp_path, {"odd": {"reader": "files", "path": path.name}})
    refused(coupage, recipe, "no field `text`; the records have: body, kind", "{text: body}")


def test_a_bad_beginning_of_one_file_is_left_to_the_quarantine(tmp_path):
    write_lines(tmp_path / "data/a.jsonl", [{"body": "other"}] * 30)
    write_lines(tmp_path / "data/b.jsonl", [{"text": "words"}] * 30)
    preview = FilesConfig(reader="files", path="data").build("web", tmp_path).preview()
    assert not preview.is_refused and preview.documents.num_rows == 30


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        ({"path": "exms.jsonl"}, "exms.jsonl: no file matches", "exam.jsonl"),
        ({"task": "exam", "include": "tasks"}, "has no task `exam`", "exams"),
        ({"path": "exam.jsonl", "question": "qestion"}, "no field `qestion`", "question: question"),
        ({"path": "empty.jsonl"}, "the benchmark `exam` has no item", "words"),
    ],
)
def test_a_benchmark_that_cannot_be_read_is_refused(coupage, tmp_path, config, message, hint):
    write_lines(tmp_path / "exam.jsonl", [{"question": "What is the sum of two and three?", "answer": "5"}])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/exams.yaml").write_text("task: exams\ndataset_path: json\ntest_split: test\n")
    decontaminate = {"against": {"exam": config}, "allow": "judged.jsonl"}
    recipe = write_recipe(tmp_path, {}, decontaminate=decontaminate)
    missing = "judged.jsonl:decontaminate.allow: the judgements cannot be read"
    refused(coupage, recipe, "2 faults", "decontaminate.against.exam", message, hint, missing)


def test_all_faults_are_said_together(coupage, tmp_path):
    write_lines(tmp_path / "odd.jsonl", [{"body": "words"}] * 30)
    write_lines(tmp_path / "labels.jsonl", [{"text": "words", "kind": "x"}] * 30)
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled/config.json").write_text("{}")
    (tmp_path / "pickled/pytorch_model.bin").write_bytes(b"\0")
    train = {"file": "labels.jsonl", "label": "label"}
    mixture = {"tokens": "2k", "weights": {"law": 1, "none": 1, "best": 1}, "groups": {"best": "qualty > 3"}}
    recipe = write_recipe(
        tmp_path,
        {
            "odd": {"reader": "files", "path": "odd.jsonl"},
            "gone": {"reader": "files", "path": "gone.jsonl"},
            "none": {"reader": "files", "path": "empty.jsonl"},
        },
        curate={
            "rules": [{"use": ["bad_words"], "words": {"en": "words.txt"}, "sources": ["law"]}],
            "classify": {
                "quality": {"model": "fasttext", "train": train, "positive": "x"},
                "given": {"model": "fasttext", "file": "model.bin"},
                "topic": {"model": "transformer", "name": "pickled"},
            },
        },
        mixtures={"stage1": mixture},
        train={"model": str(tmp_path / "pickled")},
        evaluate={"include": ["no_tasks"], "language_swap": {"file": "prompts.jsonl"}},
    )
    refused(
        coupage,
        recipe,
        "11 faults, and nothing was done yet",
        "no field `text`; the records have: body",
        "gone.jsonl: no file matches",
        "mixtures.stage1.weights.none: nothing feeds the group `none`: there is no record in none",
        "asks for `qualty`",
        "words.txt:curate.rules.words",
        "no field `label`; the records have: kind",
        "curate.classify.given.file: there is no file",
        "curate.classify.topic.name: its weights are a pickle (pytorch_model.bin)",
        "train.model: its weights are a pickle",
        "no_tasks:evaluate.include: there is no such folder",
        "prompts.jsonl: no file matches",
    )


def test_a_tracker_without_a_login_is_said(coupage, tmp_path):
    recipe = write_recipe(tmp_path, {}, train={"stage1": {"log_to": ["wandb"]}})
    home = {"HOME": str(tmp_path), "WANDB_API_KEY": ""}
    said = coupage("plan", recipe, "--workdir", tmp_path / "run", code=2, **home).stderr
    assert "train.stage1.log_to: there is no login for wandb" in said
    coupage("plan", recipe, "--workdir", tmp_path / "run", **home, WANDB_MODE="offline")


def test_an_executor_that_is_not_here_is_one_of_the_faults(coupage, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    recipe = write_recipe(tmp_path, {"gone": {"reader": "files", "path": "gone.jsonl"}})
    said = coupage("run", recipe, "--workdir", tmp_path / "run", "--executor", "slurm", code=2).stderr
    assert "there is no `sbatch` here" in said and "gone.jsonl" in said


TEMPLATES = {
    None: "has no chat template",
    "{{ messages.__class__.__mro__ }}": "is unsafe",
    "{% for m in messages %}{{ raise_exception('never') }}{% endfor %}": "never",
    "{% for %}": "is not valid: line 1",
    "nothing": "holds nothing that the assistant wrote",
}


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_that_cannot_be_used_is_found(coupage, tmp_path, base_tokenizer, template, trained):
    write_lines(tmp_path / "chat.jsonl", [{"messages": TURNS}] * 30)
    base = shutil.copytree(base_tokenizer, tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    tokenizer = {"train": {"vocabulary_size": 600, "special_tokens": []}} if trained else {"base": "base"}
    if template is not None:
        (tmp_path / "own.jinja").write_text(template)
        tokenizer["chat_template"] = "own.jinja"
    chat = {"reader": "files", "path": "chat.jsonl", "messages": "messages"}
    recipe = write_recipe(tmp_path, {"chat": chat}, tokenizer=tokenizer)
    refused(coupage, recipe, "tokenizer.chat_template", "chat", TEMPLATES[template])


def test_conversations_that_the_template_refuses_one_and_all_are_found(coupage, tmp_path):
    write_lines(tmp_path / "chat.jsonl", [{"messages": TURNS[:1]}] * 30)
    chat = {"reader": "files", "path": "chat.jsonl", "messages": "messages"}
    recipe = write_recipe(tmp_path, {"chat": chat})
    refused(coupage, recipe, "none of the first 20 conversations of chat", "has no assistant message")


ALPACA = {"instruction": "ask", "input": "", "output": "answer"}


def test_conversations_that_are_recognised_are_said(coupage, tmp_path):
    write_lines(tmp_path / "chat.jsonl", [ALPACA] * 30)
    recipe = write_recipe(tmp_path, {"chat": {"reader": "files", "path": "chat.jsonl"}})
    said = "chat: no field `text`; its fields are those of alpaca"
    run = ("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    assert said in coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
    assert said in coupage(*run).stderr
    assert said in coupage(*run).stderr  # what was read is known from its manifest


def test_conversations_that_are_recognised_need_a_template(coupage, tmp_path):
    write_lines(tmp_path / "chat.jsonl", [ALPACA] * 30)
    tokenizer = {"train": {"vocabulary_size": 600, "special_tokens": []}}
    recipe = write_recipe(tmp_path, {"chat": {"reader": "files", "path": "chat.jsonl"}}, tokenizer=tokenizer)
    refused(coupage, recipe, "tokenizer.chat_template", "chat")


SETTINGS = [
    ([ALPACA], "sharegpt", ["the format `sharegpt` needs `conversations`", "Set `messages: alpaca`"]),
    (
        [ALPACA],
        {"user": "question", "assistant": "output"},
        ["no field `question`; the records have: instruction, input, output", "Set `messages: alpaca`"],
    ),
    (
        [{"messages": TURNS, "prompt": "ask", "completion": "answer"}],
        None,
        ["Set `messages: openai` or `messages: prompt_completion`"],
    ),
    ([{"talk": "x"}], "talk", ["`talk` is no conversation: it holds a string", "prompt_completion"]),
    ([ALPACA], {"user": "instruction", "answer": "output"}, ["unknown key", "answer"]),
]


@pytest.mark.parametrize(("rows", "messages", "words"), SETTINGS)
def test_a_setting_that_does_not_fit_is_explained(coupage, tmp_path, rows, messages, words):
    write_lines(tmp_path / "chat.jsonl", rows * 5)
    chat = {"reader": "files", "path": "chat.jsonl", **({"messages": messages} if messages else {})}
    refused(coupage, write_recipe(tmp_path, {"chat": chat}), *words)


def test_conversations_that_are_only_compared_with_need_no_template(coupage, tmp_path):
    write_lines(tmp_path / "chat.jsonl", [{"messages": TURNS}] * 30)
    chat = {"reader": "files", "path": "chat.jsonl", "messages": "messages"}
    tokenizer = {"train": {"vocabulary_size": 600, "special_tokens": []}}
    recipe = write_recipe(tmp_path, {"chat": chat}, tokenizer=tokenizer, dedup={"against": ["chat"]})
    coupage("plan", recipe, "--workdir", tmp_path / "run")


def test_a_source_that_was_read_is_not_looked_at_again(coupage, tmp_path, monkeypatch):
    from pipelines.sources.files import FilesSource

    recipe = write_recipe(tmp_path, {"web": {"reader": "files", "path": "web.jsonl"}})
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "annotate")
    looked_at = []
    preview = FilesSource.preview
    monkeypatch.setattr(FilesSource, "preview", lambda self: looked_at.append(self.name) or preview(self))
    (tmp_path / "web.jsonl").write_text(json.dumps({"text": "other words"}) + "\n")
    coupage("plan", recipe, "--workdir", tmp_path / "run")
    assert looked_at == ["web"]


def test_little_of_a_large_file_is_read(tmp_path, monkeypatch):
    from pipelines.sources import listing

    class Counted:
        taken = 0

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def read(self, size=-1):
            data = self.file.read(size)
            Counted.taken += len(data)
            return data

        def seek(self, *where):
            return self.file.seek(*where)

    line = json.dumps({"text": "words " * 200}) + "\n"
    (tmp_path / "a.jsonl").write_text(line * 10_000)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((line * 10_000).encode(), 0))
    opened = listing.InputFile.open
    monkeypatch.setattr(listing.InputFile, "open", lambda self: Counted(opened(self)))
    for name in ("a.jsonl", "b.jsonl.gz"):
        Counted.taken = 0
        preview = FilesConfig(reader="files", path=name).build("web", tmp_path).preview()
        assert abs(preview.records - 10_000) < 500
        assert Counted.taken < (tmp_path / name).stat().st_size / 4


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), min_size=1, max_size=5), st.booleans()
)
@settings(max_examples=200)
def test_whatever_records_are_like_they_are_documents_or_explained(tmp_path_factory, records, talk):
    folder = tmp_path_factory.mktemp("records")
    rows = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "a.jsonl").write_text(rows)
    options = FilesConfig(reader="files", path="a.jsonl", messages="text" if talk else None)
    preview = options.build("web", folder).preview()
    assert preview.records == len(records)
    if preview.is_refused:
        error = refusal("sources.web", options, preview.refused)
        assert error.place == "sources.web" and error.hint
