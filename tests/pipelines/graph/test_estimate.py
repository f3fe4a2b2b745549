"""What `coupage plan` says before a run, against what the run then does."""

import gzip
import json
import random
import re
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import coupage as public
from pipelines.execution.shared_pass import JoinableStage
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.load import load_recipe
from pipelines.sources.files import FilesConfig
from tests.pipelines.corpus import document

DOCUMENTS = {"lines": 1700, "zipped": 1300, "table": 1000, "chats": 300}


def texts(seed, number):
    """Texts of very different lengths, as in real corpora."""
    rng = random.Random(seed)
    return [document(rng, 4 + int(rng.lognormvariate(2.5, 1))) for _ in range(number)]


def as_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("estimated")
    by_name = {name: texts(seed, number) for seed, (name, number) in enumerate(DOCUMENTS.items())}
    rows = {name: [{"id": i, "text": text} for i, text in enumerate(of)] for name, of in by_name.items()}
    (folder / "lines").mkdir()
    for part in range(5):
        (folder / f"lines/{part}.jsonl").write_bytes(as_lines(rows["lines"][part::5]))
    (folder / "zipped.jsonl.gz").write_bytes(gzip.compress(as_lines(rows["zipped"])))
    pq.write_table(pa.table({"text": by_name["table"]}), folder / "table.parquet", row_group_size=200)
    chats = [
        {"messages": [{"role": "user", "content": text[:80]}, {"role": "assistant", "content": text}]}
        for text in by_name["chats"]
    ]
    (folder / "chats.jsonl").write_bytes(as_lines(chats))
    return folder


def write_recipe(folder, name, tokenizer, weights=None, **options):
    paths = {"lines": "lines", "zipped": "zipped.jsonl.gz", "table": "table.parquet", "chats": "chats.jsonl"}
    sources = {source: {"reader": "files", "path": path, **options} for source, path in paths.items()}
    sources["chats"]["messages"] = "messages"
    mixture = {"tokens": "20k", "sequence_length": 1024, "weights": weights or dict.fromkeys(sources, 1)}
    recipe = {
        "name": "estimated",
        "sources": sources,
        "dedup": {"minhash": None},
        "tokenizer": tokenizer,
        "mixtures": {"stage1": mixture},
    }
    (folder / name).write_text(json.dumps(recipe))
    return folder / name


def by_source(planned):
    return {source.source: source for source in planned.estimate.sources}


@pytest.mark.parametrize("trained", [True, False])
def test_documents_tokens_and_disk_are_near_the_truth(folder, tmp_path, base_tokenizer, trained):
    tokenizer = {"train": {"vocabulary_size": 600}} if trained else {"base": str(base_tokenizer)}
    recipe = write_recipe(folder, f"trained-{trained}.yaml", tokenizer)
    before = public.plan(recipe, workdir=tmp_path / "run")
    public.run(recipe, workdir=tmp_path / "run", workers=1)
    after = public.plan(recipe, workdir=tmp_path / "run")
    for name, truth in by_source(after).items():
        estimated = by_source(before)[name]
        assert truth.exact and not estimated.exact
        assert truth.documents == DOCUMENTS[name]
        assert estimated.documents == pytest.approx(truth.documents, rel=0.2)
        assert estimated.text_bytes == pytest.approx(truth.text_bytes, rel=0.2)
        assert estimated.tokens == pytest.approx(truth.tokens, rel=0.3)
        assert estimated.loss_tokens == pytest.approx(truth.loss_tokens, rel=0.3)
    written = sum(path.stat().st_size for path in (tmp_path / "run/stages").rglob("*.*") if path.is_file())
    assert written / 2 < before.estimate.disk_bytes < written * 2
    assert after.estimate.disk_bytes == 0 and after.estimate.steps == []


def test_limits_are_honoured(folder, tmp_path):
    tokenizer = {"train": {"vocabulary_size": 600}}
    whole = by_source(public.plan(write_recipe(folder, "whole.yaml", tokenizer), workdir=tmp_path / "run"))
    five = write_recipe(folder, "five.yaml", tokenizer, limit="5 documents")
    for name, source in by_source(public.plan(five, workdir=tmp_path / "run")).items():
        assert source.documents == 5
        share = 5 / DOCUMENTS[name]
        assert source.tokens == pytest.approx(whole[name].tokens * share, rel=0.3)
        assert source.input_bytes == pytest.approx(whole[name].input_bytes * share, rel=0.3)
    small = write_recipe(folder, "small.yaml", tokenizer, limit="200kB")
    lines = by_source(public.plan(small, workdir=tmp_path / "run"))["lines"]
    assert lines.input_bytes == 200_000
    assert lines.documents == pytest.approx(
        DOCUMENTS["lines"] * 200_000 / whole["lines"].input_bytes, rel=0.2
    )


def test_what_a_group_is_asked_for_stands_against_what_there_is(folder, tmp_path, base_tokenizer):
    recipe = write_recipe(folder, "groups.yaml", {"base": str(base_tokenizer)}, {"lines": 3, "chats": 1})
    much = public.plan(recipe, workdir=tmp_path / "run", settings=["mixtures.stage1.tokens=100M"])
    lines, chats = much.estimate.groups
    assert (lines.group, lines.asked, chats.asked) == ("lines", 75_000_000, 25_000_000)
    assert lines.epochs == pytest.approx(lines.asked / lines.available)
    assert lines.lacking == lines.asked - lines.available * 4 > 0
    assert lines.available == pytest.approx(by_source(much)["lines"].tokens * 0.99, rel=0.01)
    enough = public.plan(recipe, workdir=tmp_path / "run")
    assert all(group.lacking == 0 for group in enough.estimate.groups)


def test_loss_tokens_are_counted_where_they_are_asked_for(folder, tmp_path, base_tokenizer):
    recipe = write_recipe(folder, "loss.yaml", {"base": str(base_tokenizer)})
    (unit,) = ["mixtures.stage1.unit=loss_tokens"]
    by_loss = public.plan(recipe, workdir=tmp_path / "run", settings=[unit]).estimate.groups
    by_token = public.plan(recipe, workdir=tmp_path / "run").estimate.groups
    shares = {a.group: a.available / b.available for a, b in zip(by_loss, by_token, strict=True)}
    assert shares["chats"] < 0.95 < shares["lines"]


@pytest.mark.parametrize("suffix", ["csv", "json", "txt", "jsonl"])
@pytest.mark.parametrize("files", [1, 12])
def test_every_format_is_counted_or_nearly(tmp_path, suffix, files):
    own = texts(7, 900)
    for number in range(files):
        part = own[number::files]
        path = tmp_path / f"data/{number:02}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        if suffix == "csv":
            quoted = ('"' + text.replace('"', '""') + '"\n' for text in part)
            path.write_text("text\n" + "".join(quoted))
        elif suffix == "json":
            path.write_text(json.dumps([{"text": text} for text in part]))
        elif suffix == "txt":
            path.write_text("\n".join(re.sub(r"\s+", " ", text) for text in part))
        else:
            path.write_bytes(as_lines({"text": text} for text in part))
    options = FilesConfig(reader="files", path="data", text_document="line")
    preview = options.build("s", tmp_path).preview()
    assert preview.records == pytest.approx(900, rel=0.2)
    assert preview.text_bytes == pytest.approx(sum(map(len, own)), rel=0.2)


def test_files_that_are_documents_are_counted(tmp_path):
    for number, text in enumerate(texts(3, 40)):
        (tmp_path / f"{number}.md").write_text(text)
    assert FilesConfig(reader="files", path=".").build("s", tmp_path).preview().records == 40


def test_the_python_installation_is_estimated(tmp_path):
    from pipelines.sources.python_environment import PythonEnvironmentConfig

    config = PythonEnvironmentConfig(
        reader="python_environment", content="code", distributions=("numpy", "rich"), limit="300 documents"
    )
    preview = config.build("code", tmp_path).preview()
    assert 250 <= preview.records <= 300 and not preview.is_refused


def test_the_table_is_short_and_says_each_reason_once(coupage, folder, tmp_path, base_tokenizer):
    recipe = write_recipe(folder, "table.yaml", {"base": str(base_tokenizer)})
    fresh = coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
    assert fresh.count("not run before") == 1
    assert len(fresh.splitlines()) < 25
    assert re.search(r"lines +lines +\S+ MB +about 1,[5-9]\d\d +about \S+k", fresh)
    assert re.search(r"stage1 +lines +5,000 +about \S+k +0\.\d of 4", fresh)
    assert "Disk: about" in fresh and "free" in fresh and "Time: about" in fresh
    coupage("run", recipe, "--workdir", tmp_path / "run")
    done = coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
    assert "0 to run" in done and "not run before" not in done and "Time:" not in done
    rule = ["--set", "curate.rules=[{signals: {words: {min: 3}}}]"]
    changed = coupage("plan", recipe, "--workdir", tmp_path / "run", *rule).stdout
    assert changed.count("rules.lines.words.min") == 1
    assert "after select documents" in changed and "select documents changed" not in changed


def test_the_plan_for_programs_holds_the_same(coupage, folder, tmp_path, base_tokenizer):
    recipe = write_recipe(folder, "json.yaml", {"base": str(base_tokenizer)})
    planned = json.loads(coupage("plan", recipe, "--workdir", tmp_path / "run", "--json").stdout)
    numbers = {"sources", "groups", "held_out", "training", "synthesis", "disk_bytes"}
    numbers |= {"free_bytes", "steps"}
    assert planned.keys() == {"stages", *numbers}
    assert [source["source"] for source in planned["sources"]] == list(DOCUMENTS)
    assert {step["name"] for step in planned["steps"]} == {
        "ingest",
        "annotate",
        "tokenize",
        "training_passages",
    }


def test_all_sources_are_read_first_and_passes_stay_whole(folder):
    recipe = load_recipe(
        str(write_recipe(folder, "order.yaml", {"train": {"vocabulary_size": 600}})),
        ["dedup.boilerplate={min_documents: 5, sources: [lines]}", "curate.rules=[gopher_quality]"],
    )
    stages = list(build_graph(recipe, LiveInputs(folder)).stages())
    assert [stage.name for stage in stages[:4]] == ["ingest"] * 4
    assert "ingest" not in {stage.name for stage in stages[4:]}
    passes = [key for key, _ in groupby(s.pass_key for s in stages if isinstance(s, JoinableStage))]
    assert len(passes) == len(set(passes))
    before: set[str] = set()
    for stage in stages:
        assert {each.slug for each in stage.inputs} <= before
        before.add(stage.slug)
