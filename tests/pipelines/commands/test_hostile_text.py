"""Text from outside on a terminal, in a pipe and in JSON: shown, never obeyed."""

import errno
import json
import os
import pty
import random
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from mixers.printable import printable
from pipelines.commands.console import PlainConsole, shown_on
from pipelines.evaluation.tables import print_scores
from pipelines.execution.progress import Progress
from tests.pipelines.command_line import captured, command, environment
from tests.pipelines.commands.conftest import write_lines
from tests.pipelines.corpus import RECIPE, document
from trainers import progress as training_progress

HOSTILE = {
    "clear": "\x1b[2J\x1b[H",
    "reset": "\x1bc",
    "title": "\x1b]0;title\x07",
    "clipboard": "\x1b]52;c;aGk=\x07",
    "link": "\x1b]8;;http://example.org\x1b\\here\x1b]8;;\x1b\\",
    "device": "\x1bP1$tx\x1b\\",
    "eight_bit": "\x9b31m\x9d0;x\x9c",
    "turned": "\u202egnp.exe\u2066a\u2069\u200f",
    "lines": "a\u2028b\u2029c\x85d\rerror: not from here",
    "delete": "abc\x7f\x08\x08\x08",
    "markup": "[bold red]loud[/bold red] [link=http://example.org]x[/link] [/] :smile:",
}
NAME = "".join(
    HOSTILE[key] for key in ("reset", "title", "clipboard", "eight_bit", "turned", "lines", "delete")
)
"""A file name with most of them."""
STYLES = re.compile(r"\x1b\[[0-9;]*m")
BARS = re.compile(r"\x1b\[(\?25[lh]|[0-9]*A|2K)")


def check(printed: str) -> None:
    """Nothing but text, line feeds and tabs; and what is markup to rich is there as it was written."""
    text = printed.replace("\r\n", "\n")
    assert printable(text) == text, [c for c in text if printable(c) != c][:5]


def on_a_terminal(*arguments: object, cwd: Path | None = None) -> str:
    """What a command prints on a terminal."""
    parent, child = pty.openpty()
    env = environment(TERM="xterm-256color", COLUMNS="200")
    process = subprocess.Popen(command(*arguments), stdin=child, stdout=child, stderr=child, cwd=cwd, env=env)
    os.close(child)
    printed = b""
    while True:
        try:
            read = os.read(parent, 1 << 16)
        except OSError as error:  # the other end is closed
            assert error.errno == errno.EIO
            break
        printed += read
        if not read:
            break
    os.close(parent)
    process.wait()
    assert b"Traceback" not in printed
    return BARS.sub("", STYLES.sub("", printed.decode()))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, coupage, base_tokenizer) -> Path:
    """A folder with a run whose ids, texts, file names, descriptions and bad records are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = random.Random(2)
    rows = [
        {"id": f"{text}{n}", "text": f"{text} {document(rng, 20)}"}
        for n in range(8)
        for text in HOSTILE.values()
    ]
    write_lines(
        folder / f"{NAME}.jsonl", [*rows, {"id": "copy\x1b[2J", "text": rows[0]["text"]}, {NAME: 1}, 5]
    )
    write_lines(folder / "law.jsonl", [{"id": f"{n}", "text": document(rng, 20)} for n in range(80)])
    recipe = RECIPE.format(corpus=folder, tokenizer=f"base: {base_tokenizer}")
    recipe = recipe.replace(f"{folder}/web.jsonl", json.dumps(str(folder / f"{NAME}.jsonl")))
    recipe = recipe.replace("60k\n    seq", "20k\n    seq").replace("20k\n    seq", "9k\n    seq")
    recipe += f"description: {json.dumps(' '.join(HOSTILE.values()))}\nquarantine: {{max_share: 50%}}\n"
    (folder / "recipe.yaml").write_text(recipe)
    (folder / "wrong.yaml").write_text(recipe + f"{json.dumps(NAME)}: 1\n")
    (folder / "none.yaml").write_text(recipe.replace(".jsonl", ".gone.jsonl"))
    (folder / f"{NAME}.yaml").write_text("seed: [")
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run", cwd=folder)
    return folder


COMMANDS = {
    "inspect": (["inspect", "run", "-n", 200], 0),
    "inspect a duplicate": (["inspect", "run", "--reason", "exact"], 0),
    "inspect an unknown reason": (["inspect", "run", "--reason", NAME], 2),
    "run": (["run", "recipe.yaml", "--workdir", "run"], 0),
    "run without input": (["run", "none.yaml", "--workdir", "other"], 2),
    "plan": (["plan", "recipe.yaml", "--workdir", "run"], 0),
    "plan an unknown key": (["plan", "wrong.yaml"], 2),
    "plan broken YAML": (["plan", f"{NAME}.yaml"], 2),
    "plan with a setting": (["plan", "recipe.yaml", "--set", f"seed={NAME}"], 2),
    "plan a setting": (["plan", "recipe.yaml", "--set", f"{NAME}=1"], 2),
    "recipe show": (["recipe", "show", "recipe.yaml"], 0),
    "recipe show --full": (["recipe", "show", "recipe.yaml", "--full"], 0),
    "recipe validate": (["recipe", "validate", f"{NAME}.yaml"], 2),
    "report": (["report", "run"], 0),
    "report of none": (["report", NAME], 2),
    "verify of none": (["verify", NAME], 2),
    "shards info": (["shards", "info", "run/shards/stage1"], 0),
    "tokenizer report": (["tokenizer", "report", "run/tokenizer", f"{NAME}.jsonl"], 0),
    "annotate": (["annotate", f"{NAME}.jsonl", "-o", "annotated"], 0),
    "dedup of none": (["dedup", f"{NAME}.parquet", "-o", "out"], 2),
    "no command": ([NAME], 2),
    "no option": (["plan", f"--{NAME}"], 2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_pipe(coupage, hostile, name):
    arguments, code = COMMANDS[name]
    done = coupage(*arguments, code=code, cwd=hostile)
    check(done.stdout)
    check(done.stderr)
    assert done.stdout or done.stderr


@pytest.mark.parametrize(
    "name",
    ["inspect", "run", "plan", "plan an unknown key", "recipe show", "tokenizer report", "no option"],
)
def test_on_a_terminal(hostile, name):
    arguments, _ = COMMANDS[name]
    printed = on_a_terminal(*arguments, cwd=hostile)
    assert printed
    check(printed.replace("\r", "") if name == "run" else printed)  # bars are drawn over themselves


def test_markup_is_shown_as_it_was_written(coupage, hostile):
    assert "[/] :smile:" in coupage("inspect", "run", "-n", 200, cwd=hostile).stdout


@pytest.mark.parametrize(
    "arguments", [["inspect", "run", "-n", 200], ["report", "run"], ["plan", "recipe.yaml"]]
)
def test_json_keeps_the_values(coupage, hostile, arguments):
    printed = coupage(*arguments, "--json", cwd=hostile).stdout
    check(printed)
    if arguments[0] == "inspect":
        ids = {each["doc_id"] for each in json.loads(printed)}
        assert {text for text in HOSTILE.values() if f"web/{text}0" not in ids} == set()


def test_the_report_in_files_keeps_the_values(hostile):
    printed = (hostile / "run" / "report.json").read_text()
    check(printed)
    assert any(NAME in bad["file"] for bad in json.loads(printed)["quarantine"])
    check((hostile / "run" / "report.html").read_text())


def test_logs_are_plain(hostile):
    logs = [path.read_text() for path in (hostile / "run" / "logs").rglob("*.log")]
    assert logs
    for log in logs:
        check(log)


def test_bars_and_tables_are_plain():
    name = NAME + HOSTILE["markup"]
    score = {"loss": 1.0, "bits_per_byte": 1.0, "tokens": 1, "interval": None}
    same = {"scores": {"model": score}, "documents": 1, "differences": {}}
    comparison = {
        "groups": {name: same},
        "group_languages": {name: {name: same}},
        "total": same,
        "languages": {name: same},
        "left_out": {name: {"scores": {name: score}, "documents": 1, "not_by": [name]}},
    }
    with captured() as printed:
        print_scores({"model": {"name": name}, "comparison": comparison}, PlainConsole())
        with Progress(shown_on(PlainConsole(stderr=True))) as progress:
            progress.warn(name)
        training_progress.Progress(1, 1, visible=True).note(name)
    for stream in printed:
        check(stream.decode())
    assert b"[link=http://example.org]" in printed[0] and printed[1].count(b"[link=http://example.org]") == 2


def test_file_names_that_are_not_utf8_are_shown(coupage, tmp_path):
    name = os.fsdecode(b"\xff\x1b[2J.yaml")
    (tmp_path / name).write_text("seed: [")
    check(coupage("plan", name, cwd=tmp_path, code=2).stderr)


MARKDOWN = (
    "[a](javascript:alert(1)) ![b](http://example.org/x.png) <b>bold</b> <img src=x> **strong** _em_ `code` "
    "~~gone~~ https://example.org www.example.org | a | b |"
)
MARKUP = {
    *("link_open", "image", "html_inline", "html_block", "em_open", "s_open", "hr"),
    *("bullet_list_open", "ordered_list_open", "blockquote_open", "code_block"),
}
BLOCKS = ["# heading", "- item", "1. item", "> quote", "```", "    code", "---", "===", "| a |\n|---|"]


def test_the_dataset_card_has_no_markup_from_outside(coupage, corpus, base_tokenizer, tmp_path):
    description = "\n\n".join(
        [MARKDOWN, *BLOCKS, "A line\n===\nand\n---\n# no heading", "[x]: http://example.org", "\x1b[2J"]
    )
    recipe = RECIPE.format(corpus=corpus, tokenizer=f"base: {base_tokenizer}")
    recipe = recipe.replace("fields: {id: id}}", f"license: {json.dumps(MARKDOWN)}, fields: {{id: id}}}}", 1)
    (tmp_path / "r.yaml").write_text(recipe + f"description: {json.dumps(description)}\n")
    coupage("run", tmp_path / "r.yaml", "--workdir", tmp_path / "run", "--until", "select")
    coupage("report", tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    check(card)
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front)["license_name"].startswith("licenseref-")
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    inline = [token for each in tokens for token in each.children or ()]
    assert not {token.type for token in [*tokens, *inline]} & (MARKUP - {"bullet_list_open"})
    described = parser.parse(text.partition("## Sources")[0])
    assert not {token.type for token in described} & MARKUP
    headings = [each.content for before, each in pairwise(tokens) if before.type == "heading_open"]
    assert headings == [
        *("small", "Sources", "Licences", "Filtering and deduplication", "Languages", "Personal data"),
        *("Known limits", "Loading", "Lineage"),
    ]
    code = [
        token.content for each in described for token in each.children or () if token.type == "code_inline"
    ]
    assert code == ["recipe.json", "report.html"]
    texts = "".join(token.content for token in inline if token.type == "text")
    assert "[a](javascript:alert(1))" in texts and "<img src=x>" in texts and "**strong**" in texts
    columns = {sum(token.type == "td_open" for token in row) for row in rows_of(tokens)}
    assert columns == {2, 4, 7}


def rows_of(tokens: list) -> list[list]:
    """The tokens of each row of the tables' bodies."""
    starts = [number for number, token in enumerate(tokens) if token.type == "tr_open"]
    ends = [number for number, token in enumerate(tokens) if token.type == "tr_close"]
    rows = [tokens[start:end] for start, end in zip(starts, ends, strict=True)]
    return [row for row in rows if any(token.type == "td_open" for token in row)]


def test_the_report_and_the_card_name_the_licences(coupage, corpus, base_tokenizer, tmp_path):
    recipe = RECIPE.format(corpus=corpus, tokenizer=f"base: {base_tokenizer}")
    (tmp_path / "r.yaml").write_text(recipe.replace("fields:", "license: cc-by-4.0, fields:", 1))
    coupage("run", tmp_path / "r.yaml", "--workdir", tmp_path / "run", "--until", "ingest")
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    assert {each["source"]: each["licence"] for each in report["sources"]} == {
        "web": "CC-BY-4.0",
        "law": None,
    }
    coupage("report", tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    assert "| web | files | web | CC-BY-4.0 |" in card and "| law | files | law | not declared |" in card
    assert "CC-BY-4.0" in (tmp_path / "run" / "report.html").read_text()
