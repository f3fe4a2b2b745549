"""The boilerplate stage through a run: what goes, what stays, what is counted and shown."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.dedup.boilerplate import Boilerplate
from pipelines.execution.counts import Count
from tests.filters.dedup.test_boilerplate import reference
from tests.pipelines.commands.test_run import new_since, shard_bytes
from tests.pipelines.corpus import write_recipe

HOSTILE = 'Share on <script>alert("x")</script> {{ 7 * 7 }} now'
SETTING = "{min_documents: 12, min_length: 5, sources: [web]}"


def write_cleaned(path: Path, corpus: Path, tokenizer: Path, setting: str = SETTING) -> Path:
    write_recipe(path, corpus, f"base: {tokenizer}")
    chat = f"  chat: {{reader: files, path: {corpus}/chat.jsonl, messages: messages}}\n"
    text = path.read_text().replace("part_size", chat + "part_size")
    path.write_text(text + f"dedup: {{boilerplate: {setting}}}\n")
    return path


@pytest.fixture(scope="module")
def pages(tmp_path_factory, corpus) -> Path:
    """The small corpus as web pages with menus and footers, pages of nothing else, and conversations."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("web", "law"):
        records = [json.loads(line) for line in (corpus / f"{name}.jsonl").read_text().splitlines()]
        for number, record in enumerate(records):
            record["text"] = (
                f"HOME | News | Contact {number}\n\n{record['text']}\n\nCopyright {number} – Example"
            )
            if number % 4 == 0:
                record["text"] += "\n" + HOSTILE
            if number % 40 == 1:
                record["text"] = f"Home, news, contact: {number}\n\ncopyright 19{number} example"
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    chat = [{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": "Home | News | Contact"}]
    (folder / "chat.jsonl").write_text((json.dumps({"messages": chat}) + "\n") * 30)
    return folder


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory, coupage, pages, base_tokenizer) -> Path:
    folder = tmp_path_factory.mktemp("cleaned")
    recipe = write_cleaned(folder / "recipe.yaml", pages, base_tokenizer)
    coupage("run", recipe, "--workdir", folder / "run", "--workers", 2)
    return folder / "run"


def parts(workdir: Path, stage: str) -> pa.Table:
    (folder,) = workdir.glob(f"stages/{stage}-*")
    return pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("*.parquet"))])


def test_lines_that_recur_go_as_the_reference_says(cleaned):
    before, after = parts(cleaned, "ingest-web"), parts(cleaned, "boilerplate-web")
    expected = reference(before.column("text").to_pylist(), Boilerplate(min_documents=12, min_length=5))
    left = {doc: text for doc, text in zip(before["doc_id"].to_pylist(), expected, strict=True) if text}
    assert dict(zip(after["doc_id"].to_pylist(), after["text"].to_pylist(), strict=True)) == left
    assert len(before) - len(after) in (9, 10), "one may keep its lines"
    assert not list(cleaned.glob("stages/boilerplate-law-*"))


def test_all_that_went_is_counted(cleaned):
    before, after = parts(cleaned, "ingest-web"), parts(cleaned, "boilerplate-web")
    counts = new_since({}, cleaned)["boilerplate web"].counts
    documents, size = counts.flows["documents"], counts.flows["bytes"]
    emptied = {Count("emptied", "boilerplate"): len(before) - len(after)}
    assert (documents.entered, documents.left, dict(documents.dropped)) == (400, len(after), emptied)
    sizes = [sum(len(text.encode()) for text in table["text"].to_pylist()) for table in (before, after)]
    assert [size.entered, size.left] == sizes
    assert size.dropped == {Count("removed", "boilerplate"): sizes[0] - sizes[1]}
    assert counts.number("units_removed") > 800 and counts.number("documents_changed") >= 390


def test_the_report_shows_it_escaped(cleaned):
    report = json.loads((cleaned / "report.json").read_text())
    (found,) = report["boilerplate"]
    assert found["source"] == "web" and found["recurring"] == 3
    assert [row["times"] for row in found["most_removed"]] == sorted(
        (row["times"] for row in found["most_removed"]), reverse=True
    )
    assert sum(row["times"] for row in found["most_removed"]) == found["removed"]
    assert HOSTILE in [row["example"] for row in found["most_removed"]]
    page = (cleaned / "report.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    web = next(source for source in report["sources"] if source["source"] == "web")
    assert web["set_aside"] == {"emptied by boilerplate": found["documents_emptied"]}
    assert web["records"] == 400 == web["documents"] + found["documents_emptied"]


def test_the_bytes_do_not_depend_on_workers_and_the_run_verifies(
    coupage, tmp_path, cleaned, pages, base_tokenizer
):
    recipe = write_cleaned(tmp_path / "recipe.yaml", pages, base_tokenizer)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--workers", 1)
    assert shard_bytes(tmp_path / "run") == shard_bytes(cleaned)
    coupage("verify", tmp_path / "run")


def test_the_size_of_parts_decides_nothing(coupage, tmp_path, cleaned, pages, base_tokenizer):
    recipe = write_cleaned(tmp_path / "recipe.yaml", pages, base_tokenizer)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "boilerplate", "--set", "part_size=1M")
    whole, cut = parts(tmp_path / "run", "boilerplate-web"), parts(cleaned, "boilerplate-web")
    assert whole["text"].to_pylist() == cut["text"].to_pylist()


def test_conversations_keep_their_lines(coupage, tmp_path, pages, base_tokenizer):
    setting = "{min_documents: 2, min_length: 1, unit: paragraph}"
    recipe = write_cleaned(tmp_path / "recipe.yaml", pages, base_tokenizer, setting)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "boilerplate")
    before, after = parts(tmp_path / "run", "ingest-chat"), parts(tmp_path / "run", "boilerplate-chat")
    assert before.to_pylist() == after.to_pylist()


def test_a_source_without_recurring_lines_stays_as_it_is(coupage, tmp_path, pages, base_tokenizer):
    recipe = write_cleaned(tmp_path / "recipe.yaml", pages, base_tokenizer, "{min_documents: 5000}")
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "boilerplate")
    for source in ("web", "law"):
        run = tmp_path / "run"
        assert parts(run, f"ingest-{source}").to_pylist() == parts(run, f"boilerplate-{source}").to_pylist()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{min_document: 3}", "did you mean `min_documents`"),
        ("{min_documents: 1}", "greater than or equal to 2"),
        ("{unit: word}", "'line' or 'paragraph'"),
        ("{sources: [wbe]}", "no source `wbe`"),
    ],
)
def test_wrong_settings_are_refused(coupage, tmp_path, pages, base_tokenizer, setting, said):
    recipe = write_cleaned(tmp_path / "recipe.yaml", pages, base_tokenizer, setting)
    assert said in coupage("recipe", "validate", recipe, code=2).stderr
