"""Every command in a process of its own, as a shell sees it: its exit code, and what it prints where."""

import json

import pytest

from mixers.shards import Shards
from pipelines.recipe.find import shipped_recipes
from tests.pipelines.commands.conftest import write_lines


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["run", "wrong.yaml"], "wrong.yaml:line 1"),
        (["plan", "wrong.yaml"], "wrong.yaml:line 1"),
        (["recipe", "show", "wrong.yaml", "--full"], "wrong.yaml:line 1"),
        (["recipe", "validate", "wrong.yaml"], "wrong.yaml:line 1"),
        (["recipe", "new", "wrong.yaml"], "wrong.yaml"),
        (["report", "empty"], "empty"),
        (["inspect", "empty"], "empty"),
        (["verify", "empty"], "empty"),
        (["train", "empty"], "empty"),
        (["evaluate", "empty"], "empty"),
        (["annotate", "gone.jsonl", "-o", "out"], "gone.jsonl"),
        (["dedup", "gone.jsonl", "-o", "out"], "gone.jsonl"),
        (["tokenizer", "report", "empty", "good.jsonl"], "empty"),
        (["tokenizer", "train", "gone.jsonl", "-o", "out"], "gone.jsonl"),
        (["tokenizer", "extend", "empty", "good.jsonl", "-o", "out", "--tokens", "1"], "empty"),
        (["shards", "info", "empty"], "empty"),
        (["shards", "export", "empty", "-o", "out", "--format", "jsonl"], "empty"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_wrong_input_ends_with_2_and_is_named_on_standard_error(coupage_process, tmp_path, arguments, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.yaml").write_text("nme: mine\n")
    write_lines(tmp_path / "good.jsonl", [{"text": "x"}])
    failed = coupage_process(*arguments, cwd=tmp_path, code=2)
    assert failed.stderr.startswith("error: ") and place in failed.stderr
    assert "Traceback" not in failed.stderr and not failed.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "good.jsonl", "wrong.yaml"]


def test_json_is_all_that_is_printed_on_standard_output(coupage_process, shards):
    listed = json.loads(coupage_process("recipe", "list", "--json").stdout)
    assert listed.keys() == shipped_recipes().keys()
    info = json.loads(coupage_process("shards", "info", shards, "--json").stdout)
    assert info["rows"] == len(Shards.open(shards))
    assert json.loads(coupage_process("recipe", "schema").stdout)["properties"].keys() >= {"sources"}
