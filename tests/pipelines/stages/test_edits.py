"""Text edits at ingest, through a run: what is written, counted, shown and encoded."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from pipelines.execution.counts import Count
from tests.pipelines.commands.test_run import new_since, shard_bytes
from tests.pipelines.corpus import write_recipe

MOJIBAKE = "It doesnâ€™t matter how the river and the mountain met, for they will meet again.\n"
RIGHT = MOJIBAKE.replace("â€™", "’")


def write_edited(path: Path, corpus: Path, tokenizer: Path, edit: str, tail: str = "") -> Path:
    write_recipe(path, corpus, f"base: {tokenizer}")
    text = path.read_text().replace("curate:\n", f"curate:\n  edit: {edit}\n")
    path.write_text(text + tail)
    return path


@pytest.fixture(scope="module")
def hostile_corpus(tmp_path_factory, corpus) -> Path:
    """The small corpus with mojibake, lines that are no prose, and documents of such lines alone."""
    folder = tmp_path_factory.mktemp("edited")
    for name in ("web", "law"):
        lines = [json.loads(line) for line in (corpus / f"{name}.jsonl").read_text().splitlines()]
        for number, record in enumerate(lines):
            if number % 7 == 0:
                record["text"] = MOJIBAKE + record["text"]
            if number % 5 == 0:
                record["text"] += (
                    "\nHome | About\nPlease enable javascript to see <script>alert(1)</script> this."
                )
            if number % 50 == 1:
                record["text"] = "Menu\nWe use cookies on this site to serve you well."
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in lines))
    return folder


EDIT = "[fix_encoding, {use: [c4_lines], sources: [web], options: {c4_lines.terminal_punctuation: false}}]"


@pytest.fixture(scope="module")
def edited_run(tmp_path_factory, coupage, hostile_corpus, base_tokenizer) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = write_edited(folder / "recipe.yaml", hostile_corpus, base_tokenizer, EDIT)
    coupage("run", recipe, "--workdir", folder / "run", "--workers", 2)
    return folder / "run"


def ingested(workdir: Path, source: str) -> pa.Table:
    (folder,) = workdir.glob(f"stages/ingest-{source}-*")
    return pa.concat_tables([pq.read_table(part) for part in sorted(folder.glob("*.parquet"))])


def test_texts_are_edited_and_all_is_counted(edited_run, hostile_corpus):
    documents = ingested(edited_run, "web").select(["doc_id", "text"]).to_pylist()
    given = [json.loads(line) for line in (hostile_corpus / "web.jsonl").read_text().splitlines()]
    assert len(given) == 400 and len(documents) == 392
    assert {f"web/{n}" for n in range(400)} - {d["doc_id"] for d in documents} == {
        f"web/{n}" for n in range(1, 400, 50)
    }
    for document in documents:
        assert "â€™" not in document["text"] and "javascript" not in document["text"]
    counts = new_since({}, edited_run)["ingest web"].counts
    records, size = counts.flows["records"], counts.flows["bytes"]
    assert (records.entered, records.left) == (400, 392)
    assert records.dropped == {Count("emptied", "c4_lines"): 8}
    before = sum(len(record["text"].encode()) for record in given)
    after = sum(len(document["text"].encode()) for document in documents)
    assert size.entered == before + counts.number("bytes_added", scope="c4_lines") and size.left == after
    repaired = sum(MOJIBAKE in record["text"] for record in given)
    assert counts.number("documents_changed", scope="fix_encoding") == repaired > 50
    saved = len(MOJIBAKE.encode()) - len(RIGHT.encode())
    assert size.dropped[Count("removed", "fix_encoding")] == repaired * saved
    assert counts.number("edited", scope="c4_lines", reason="javascript") == 80
    law = " ".join(ingested(edited_run, "law").column("text").to_pylist())
    assert "â€™" not in law and "enable javascript" in law, "c4_lines was asked for web alone"


def test_the_report_says_what_edits_did(edited_run):
    report = json.loads((edited_run / "report.json").read_text())
    edits = {(edit["source"], edit["edit"]): edit for edit in report["edits"]}
    assert set(edits) == {
        (source, edit) for source in ("web", "law") for edit in ("fix_encoding", "normalize_lines")
    } | {("web", "c4_lines")}
    lines = edits["web", "c4_lines"]
    assert lines["documents_emptied"] == 8 and lines["bytes_removed"] > 0
    assert lines["counts"]["lines"] > lines["counts"]["kept"] > 0
    web = next(source for source in report["sources"] if source["source"] == "web")
    assert web["set_aside"] == {"emptied by c4_lines": 8}
    page = (edited_run / "report.html").read_text()
    assert "What edits changed" in page and "<script>alert" not in page


def test_edits_do_not_depend_on_workers(coupage, tmp_path, edited_run, hostile_corpus, base_tokenizer):
    recipe = write_edited(tmp_path / "recipe.yaml", hostile_corpus, base_tokenizer, EDIT)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--workers", 1)
    assert shard_bytes(tmp_path / "run") == shard_bytes(edited_run)


def test_documents_that_edits_empty_are_no_bad_records(coupage, tmp_path, base_tokenizer):
    (tmp_path / "web.jsonl").write_text('{"text": "Menu"}\n' * 9 + '{"text": "This one is a sentence."}\n')
    (tmp_path / "law.jsonl").write_text('{"text": "Menu"}\n{"text": ""}\n')
    edit = "[{use: [c4_lines], sources: [web]}]"
    recipe = write_edited(tmp_path / "recipe.yaml", tmp_path, base_tokenizer, edit)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    ran = new_since({}, tmp_path / "run")
    assert ran["ingest web"].counts.flows["records"].dropped == {Count("emptied", "c4_lines"): 9}
    law = ran["ingest law"].counts.flows["records"]
    assert law.left == 2, "what is empty from the start is left to the rules"


def test_another_edit_ingests_its_sources_again_and_none_leaves_the_shards_alone(
    coupage, tmp_path, run_copy, corpus, base_tokenizer, recipe
):
    edit = "[{use: [c4_lines], sources: [law]}]"
    changed = write_edited(tmp_path / "recipe.yaml", corpus, base_tokenizer, edit)
    states = json.loads(coupage("plan", changed, "--workdir", run_copy, "--json").stdout)["stages"]
    state = {stage["label"]: stage["state"] for stage in states}
    assert (state["ingest web"], state["ingest law"]) == ("cached", "run")
    without = write_edited(tmp_path / "none.yaml", corpus, base_tokenizer, "[]")
    plan = json.loads(coupage("plan", without, "--workdir", run_copy, "--json").stdout)["stages"]
    assert {stage["state"] for stage in plan} == {"cached"}


CONVERSATION = [
    {"role": "user", "content": "My mail, donâ€™t lose it: ann@example.com"},
    {"role": "assistant", "content": "Noted: ann@example.com.\nHome | About"},
]


def test_conversations_are_edited_in_their_messages(coupage, tmp_path, corpus, base_tokenizer):
    for name in ("web", "law"):
        (tmp_path / f"{name}.jsonl").write_bytes((corpus / f"{name}.jsonl").read_bytes())
    (tmp_path / "chat.jsonl").write_text((json.dumps({"messages": CONVERSATION}) + "\n") * 3)
    recipe = write_edited(tmp_path / "recipe.yaml", tmp_path, base_tokenizer, "[fix_encoding, c4_lines]")
    chat = f"  chat: {{reader: files, path: {tmp_path}/chat.jsonl, messages: messages}}\n"
    recipe.write_text(recipe.read_text().replace("part_size", chat + "part_size"))
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    for document in ingested(tmp_path / "run", "chat").to_pylist():
        contents = [message["content"] for message in document["messages"]]
        assert contents == [CONVERSATION[0]["content"].replace("â€™", "’"), CONVERSATION[1]["content"]]
        assert [message["role"] for message in document["messages"]] == ["user", "assistant"]
        assert document["text"] == "\n\n".join(contents)
    counts = new_since({}, tmp_path / "run")["ingest chat"].counts
    assert counts.number("documents_changed", scope="fix_encoding") == 3
    assert counts.number("documents_changed", scope="c4_lines") == 0


def test_masks_reach_the_ids_of_texts_and_conversations(coupage, tmp_path, corpus, base_tokenizer):
    for name in ("web", "law"):
        lines = [json.loads(line) for line in (corpus / f"{name}.jsonl").read_text().splitlines()]
        for record in lines:
            record["text"] += "\nWrite to clerk.smith@court-house.org about the river and the mountain."
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in lines))
    turns = [
        [
            {"role": "user", "content": f"Case {number}: mail bob.jones@mail-server.net for me."},
            {"role": "assistant", "content": f"I wrote to bob.jones@mail-server.net about case {number}."},
        ]
        for number in range(300)
    ]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns))
    recipe = write_edited(tmp_path / "recipe.yaml", tmp_path, base_tokenizer, "[mask_pii]")
    chat = f"  chat: {{reader: files, path: {tmp_path}/chat.jsonl, messages: messages}}\n"
    text = recipe.read_text().replace("part_size", chat + "part_size")
    text = text.replace("{web: 20, law: 80}", "{web: 20, law: 60, chat: 20}")
    recipe.write_text(text + "dedup: {minhash: null}\n")
    run = tmp_path / "run"
    coupage("run", recipe, "--workdir", run)
    counts = new_since({}, run)["ingest chat"].counts
    assert counts.number("edited", scope="mask_pii", reason="emails") == 600
    size, saved = counts.flows["bytes"], len("bob.jones@mail-server.net") - len("<email>")
    assert size.entered - size.left == size.dropped[Count("removed", "mask_pii")] == 600 * saved
    tokenizer = Tokenizer.from_file(str(run / "tokenizer" / "tokenizer.json"))
    rows = datasets.load_from_disk(str(run / "shards" / "stage2"))
    decoded = " ".join(tokenizer.decode(ids, skip_special_tokens=False) for ids in rows["input_ids"])
    assert "mail <email> for me" in decoded and "I wrote to <email>" in decoded
    assert "Write to <email> about" in decoded
    assert "@" not in decoded


def test_edits_reach_what_is_thought_and_called(coupage, tmp_path, corpus, base_tokenizer):
    for name in ("web", "law"):
        (tmp_path / f"{name}.jsonl").write_bytes((corpus / f"{name}.jsonl").read_bytes())
    call = {"type": "function", "function": {"name": "send", "arguments": {"to": "ann.lee@mail-server.net"}}}
    thought = {"role": "assistant", "content": None, "reasoning_content": "To bob.lee@mail-server.net?"}
    asked = {"role": "user", "content": "I am ann.lee@mail-server.net"}
    turns = [asked, {**thought, "tool_calls": [call]}, {"role": "tool", "content": "sent"}]
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    recipe = write_edited(tmp_path / "recipe.yaml", tmp_path, base_tokenizer, "[mask_pii]")
    chat = f"  chat: {{reader: files, path: {tmp_path}/chat.jsonl}}\n"
    recipe.write_text(recipe.read_text().replace("part_size", chat + "part_size"))
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    (document,) = ingested(tmp_path / "run", "chat").to_pylist()
    assert document["messages"][1] == {"role": "assistant", "content": None}
    more = json.loads(document["template_fields"])["messages"][1]
    assert more["reasoning_content"] == "To <email>?"
    assert more["tool_calls"][0]["function"] == {"name": "send", "arguments": {"to": "<email>"}}
    assert document["text"].endswith('\n\nTo <email>?\n\nsend {"to": "<email>"}\n\nsent')
    counts = new_since({}, tmp_path / "run")["ingest chat"].counts
    assert counts.number("edited", scope="mask_pii", reason="emails") == 3


WINDOWS = "\ufeffThe river met the mountain. \r\nThey\0 will meet again.\u2028Soon.\r"
NORMAL = "The river met the mountain.\nThey will meet again.\nSoon.\n"


@pytest.mark.parametrize(
    ("edit", "normal"),
    [
        ("[]", {"web", "law", "chat"}),
        ("[mask_pii, {use: [c4_lines], sources: [law]}]", {"web", "law", "chat"}),
        ("[{normalize_lines: false}]", set()),
        ("[{normalize_lines: false, sources: [law, chat]}]", {"web"}),
        ("[{use: [mask_pii], normalize_lines: false, sources: [web]}]", {"law", "chat"}),
    ],
)
def test_lines_are_normalised_unless_a_recipe_says_otherwise(coupage, tmp_path, base_tokenizer, edit, normal):
    chat = [{"role": "user", "content": WINDOWS}, {"role": "assistant", "content": "Yes. "}]
    for name, record in (
        ("web", {"text": WINDOWS}),
        ("law", {"text": WINDOWS}),
        ("chat", {"messages": chat}),
    ):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record) + "\n")
    recipe = write_edited(tmp_path / "recipe.yaml", tmp_path, base_tokenizer, edit)
    reader = f"  chat: {{reader: files, path: {tmp_path}/chat.jsonl, messages: messages}}\n"
    recipe.write_text(recipe.read_text().replace("part_size", reader + "part_size"))
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    lost = len(WINDOWS.encode()) - len(NORMAL.encode())
    for source in ("web", "law", "chat"):
        (document,) = ingested(tmp_path / "run", source).to_pylist()
        text, answer = (NORMAL, "Yes.") if source in normal else (WINDOWS, "Yes. ")
        if source == "chat":
            assert [message["content"] for message in document["messages"]] == [text, answer]
            assert document["text"] == f"{text}\n\n{answer}"
        elif "c4_lines" not in edit or source != "law":
            assert document["text"] == text
        size = new_since({}, tmp_path / "run")[f"ingest {source}"].counts.flows["bytes"]
        removed = lost + (source == "chat") if source in normal else 0
        assert size.dropped[Count("removed", "normalize_lines")] == removed


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("[fix_encodng]", "Did you mean 'fix_encoding'"),
        ("[{use: [c4_lines], options: {c4_lines.terminal: 1}}]", "Did you mean 'terminal_punctuation'"),
        ("[{use: [c4_lines], options: {c4_lines.terminal_punctuation: 5}}]", "valid boolean"),
        ("[{use: [fix_encoding], options: {c4_lines.terminal_punctuation: true}}]", "no edit in `use`"),
        ("[{use: [c4_lines], sources: [wbe]}]", "no source `wbe`"),
        ("[{uses: [c4_lines]}]", "did you mean `use`"),
        ("[{normalize_line: false}]", "did you mean `normalize_lines`"),
        ("[{normalize_lines: perhaps}]", "true or false is wanted"),
        ("[{normalize_lines: false, sources: [wbe]}]", "no source `wbe`"),
        ("[{use: [mask_pii], options: {mask_pii.kinds: [mails]}}]", "Unknown kinds of personal data: mails"),
    ],
)
def test_wrong_edits_are_refused_with_their_line(coupage, tmp_path, corpus, base_tokenizer, edit, said):
    recipe = write_edited(tmp_path / "recipe.yaml", corpus, base_tokenizer, edit)
    refused = coupage("recipe", "validate", recipe, code=2)
    assert said in refused.stderr and "line 8" in refused.stderr
