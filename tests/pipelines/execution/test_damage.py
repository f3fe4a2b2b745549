"""Damaged, torn and foreign files of a run: made again to the same bytes, or named; never passed on."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.execution.executors import base
from pipelines.execution.seal import check_run
from pipelines.execution.stage import Stage
from pipelines.execution.stage_folder import reopen
from tests.pipelines import command_line
from tests.pipelines.commands.test_run import manifests, new_since, shard_bytes


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def stage_folder(workdir: Path, slug: str) -> Path:
    (found,) = workdir.glob(f"stages/{slug}-????????????")
    return found


def again(coupage, recipe, workdir) -> str:
    done = coupage("run", recipe, "--workdir", workdir)
    assert list(check_run(workdir)) == []
    return done.stderr


@pytest.mark.parametrize(
    "slug, pattern",
    [
        ("ingest-web", "*.parquet"),
        ("annotate-web-hashes", "*.parquet"),
        ("annotate-law-language", "*.parquet"),
        ("preference-documents", "documents.arrow"),
        ("candidates-documents", "pairs.arrow"),
        ("select-documents", "web/*.parquet"),
        ("tokenizer", "tokenizer/tokenizer.json"),
        ("tokenize-web", "*.arrow"),
        ("mix-stage1", "*.arrow"),
    ],
)
def test_a_flipped_bit_in_what_later_stages_read_never_reaches_a_shard(
    coupage, recipe, run_copy, slug, pattern
):
    before = shard_bytes(run_copy)
    damaged = stage_folder(run_copy, slug)
    part = sorted(damaged.glob(pattern))[0]
    flip(part)
    for folder in run_copy.glob("stages/*"):
        if damaged.name in _inputs(folder):
            shutil.rmtree(folder)
    stderr = again(coupage, recipe, run_copy)
    assert f"{part}: has changed" in stderr
    assert shard_bytes(run_copy) == before


def _inputs(folder: Path) -> list[str]:
    inputs = json.loads((folder / "manifest.json").read_bytes())["inputs"]
    return [record["folder"] for record in inputs.values()]


def test_shards_and_tokenizer_are_checked_though_nothing_runs(coupage, recipe, run_copy):
    before = shard_bytes(run_copy)
    flip(next(run_copy.glob("stages/shards-stage2-*/dataset/data-*.arrow")))
    flip(next(run_copy.glob("stages/tokenizer-*/tokenizer/tokenizer.json")))
    known = manifests(run_copy)
    assert again(coupage, recipe, run_copy).count("made again") == 2
    assert shard_bytes(run_copy) == before
    assert not new_since(known, run_copy)  # the same stages, in the same folders


def test_advice_ends_in_right_bytes(coupage, recipe, run_copy):
    before = shard_bytes(run_copy)
    flip(next(run_copy.glob("stages/ingest-law-*/*.parquet")))
    advice = coupage("verify", run_copy, code=1).stderr.partition("rm -r ")[2].split()
    assert [Path(word).name.rpartition("-")[0] for word in advice] == ["ingest-law"]
    shutil.rmtree(advice[0])
    again(coupage, recipe, run_copy)
    assert shard_bytes(run_copy) == before


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _braces(path: Path) -> None:
    path.write_bytes(b"{}")


def _claims_nothing(path: Path) -> None:
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"files": [], "counts": {}}))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [_empty, _cut, _braces, _claims_nothing, Path.unlink])
def test_torn_receipts_are_done_again(coupage, recipe, run_copy, harm: Callable[[Path], None]):
    before = shard_bytes(run_copy)
    folder = stage_folder(run_copy, "ingest-web")
    reopen(folder)
    harm(sorted(folder.glob("receipts/*.json"))[0])
    again(coupage, recipe, run_copy)
    assert shard_bytes(run_copy) == before


@pytest.mark.parametrize("harm", [_empty, _cut, flip, Path.unlink])
def test_missing_and_damaged_parts_of_tasks_that_were_done_are_done_again(
    coupage, recipe, run_copy, harm: Callable[[Path], None]
):
    before = shard_bytes(run_copy)
    for slug in ("ingest-web", "annotate-law-minhash", "tokenize-law"):
        folder = stage_folder(run_copy, slug)
        reopen(folder)
        harm(sorted([*folder.glob("*.parquet"), *folder.glob("*.arrow")])[0])
    again(coupage, recipe, run_copy)
    assert shard_bytes(run_copy) == before


def _no_tasks(path: Path) -> None:
    path.write_bytes(b"[]")


def _fewer_rows(path: Path) -> None:
    content = json.loads(path.read_bytes())
    content["tasks"][0]["units"][0]["rows"] = 3
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("harm", [_empty, _cut, _braces, _no_tasks, _fewer_rows, Path.unlink])
def test_a_torn_or_edited_list_of_tasks_is_made_again(coupage, recipe, run_copy, harm):
    before = shard_bytes(run_copy)
    folder = stage_folder(run_copy, "ingest-web")
    reopen(folder)
    harm(folder / "tasks.json")
    again(coupage, recipe, run_copy)
    assert shard_bytes(run_copy) == before


def test_what_a_killed_run_left_behind_may_be_a_folder(coupage, recipe, run_copy):
    folder = stage_folder(run_copy, "ingest-web")
    reopen(folder)
    (folder / ".writing-left").mkdir()
    (folder / "99999-000.parquet").write_bytes(b"of a task that is not in the list")
    again(coupage, recipe, run_copy)


def test_stages_read_only_what_they_name_as_input(coupage, recipe, tmp_path, monkeypatch):
    """Otherwise other bytes there would not make them run again."""
    reading: list[Stage] = []
    strange: set[str] = set()
    own_path, own_task = Stage.path, base.run_task

    def path(self: Stage, workdir: Path, name: str) -> Path:
        if reading and self not in (reading[-1], *reading[-1].inputs):
            strange.add(f"{reading[-1].label} reads {self.label}")
        return own_path(self, workdir, name)

    def run_task(stage: Stage, workdir: Path, number: int) -> None:
        members = getattr(stage, "members", None)
        reading.append(members[0] if members else stage)
        own_task(stage, workdir, number)
        reading.pop()

    monkeypatch.setattr(Stage, "path", path)
    monkeypatch.setattr(command_line, "run_task", run_task)
    coupage("run", recipe, "--workdir", tmp_path / "run")
    assert strange == set()


# ------------------------------------------------------------------ results under their lasting names


def test_verify_sees_results_that_are_copies_missing_or_linked_elsewhere(coupage, recipe, run_copy):
    shards = run_copy / "shards"
    target = os.readlink(shards / "stage1")
    (shards / "stage1").unlink()
    assert "stage1: is missing" in coupage("verify", run_copy, code=1).stderr
    (shards / "stage1").symlink_to(os.readlink(shards / "stage2"))
    assert "shards/stage1/" in coupage("verify", run_copy, code=1).stderr
    assert "stage1" in coupage("train", run_copy, "--stage", "stage1", code=1).stderr
    (shards / "stage1").unlink()
    shutil.copytree((shards / target).resolve(), shards / "stage1")
    coupage("verify", run_copy)
    flip(next((shards / "stage1").glob("data-*.arrow")))
    assert "stage1/data-" in coupage("verify", run_copy, code=1).stderr
    assert "has changed" in coupage("train", run_copy, "--stage", "stage1", code=2).stderr
    again(coupage, recipe, run_copy)
    assert (shards / "stage1").is_symlink()


def test_a_run_copied_with_links_followed_goes_on(coupage, recipe, finished, tmp_path):
    copied = shutil.copytree(finished, tmp_path / "copied")
    coupage("verify", copied)
    again(coupage, recipe, copied)
    assert not (copied / "shards" / "stage1").is_symlink()
    coupage("run", recipe, "--workdir", copied, "--set", "mixtures.stage1.tokens=30k")
    coupage("verify", copied)


def test_the_users_own_files_stay(coupage, recipe, run_copy):
    (run_copy / "shards" / "notes.txt").write_text("mine")
    (run_copy / "shards" / "export").mkdir()
    (run_copy / "shards" / "elsewhere").symlink_to("/tmp")
    again(coupage, recipe, run_copy)
    assert {"notes.txt", "export", "elsewhere"} <= {path.name for path in (run_copy / "shards").iterdir()}


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "shards/stage1", "tokenizer"])
def test_what_stands_in_the_way_is_said_before_anything_is_done(coupage, recipe, tmp_path, name):
    mine = tmp_path / "run" / name
    mine.parent.mkdir(parents=True)
    if "." in name:
        mine.write_text("mine")
    else:
        mine.mkdir()
        (mine / "mine.txt").write_text("mine")
    refused = coupage("run", recipe, "--workdir", tmp_path / "run", code=2)
    assert str(mine) in refused.stderr
    assert not (tmp_path / "run" / "stages").exists()


# ------------------------------------------------------------------ a finished run stays finished


def files_below(workdir: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(workdir.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        ("--until", "selct"),
        ("--set", "seeds=3"),
        ("--set", "sources.web.path=/nonexistent/web.jsonl"),
        ("--set", "mixtures.stage1.weights.nothing=3"),
        ("--executor", "nowhere"),
    ],
)
def test_a_refused_run_changes_nothing(coupage, recipe, run_copy, words):
    before = files_below(run_copy)
    coupage("run", recipe, "--workdir", run_copy, *words, code=2)
    assert files_below(run_copy) == before


def test_a_refused_run_leaves_no_folder(coupage, recipe, tmp_path):
    coupage("run", recipe, "--workdir", tmp_path / "new", "--until", "selct", code=2)
    assert not (tmp_path / "new").exists()


def test_a_run_that_stops_early_leaves_the_finished_one(coupage, recipe, run_copy):
    before = shard_bytes(run_copy)
    report = json.loads((run_copy / "report.json").read_text())
    coupage("run", recipe, "--workdir", run_copy, "--set", "seed=4", "--until", "ingest")
    coupage("verify", run_copy)
    coupage("inspect", run_copy, "-n", 1)
    assert json.loads(coupage("report", run_copy, "--json").stdout)["seed"] == report["seed"]
    assert shard_bytes(run_copy) == before


def test_clean_removes_what_no_run_uses(coupage, recipe, run_copy):
    own = {path.name for path in run_copy.glob("stages/*")}
    coupage("run", recipe, "--workdir", run_copy, "--set", "seed=4", "--until", "select")
    tried = {path.name for path in run_copy.glob("stages/*")} - own
    assert tried
    coupage("clean", run_copy)  # they are of the latest attempt
    assert tried <= {path.name for path in run_copy.glob("stages/*")}
    coupage("run", recipe, "--workdir", run_copy)
    listed = json.loads(coupage("clean", run_copy, "--dry-run", "--json").stdout)
    assert {Path(row["folder"]).name for row in listed} == tried
    coupage("clean", run_copy)
    assert {path.name for path in run_copy.glob("stages/*")} == own
    coupage("verify", run_copy)


@pytest.mark.parametrize("damaged", ["stages/shards-stage1-*/manifest.json", "run.json"])
def test_a_copied_run_whose_records_are_damaged_goes_on(coupage, recipe, finished, tmp_path, damaged):
    copied = shutil.copytree(finished, tmp_path / "copied")
    flip(next(copied.glob(damaged)))
    again(coupage, recipe, copied)
    assert shard_bytes(copied) == shard_bytes(finished)


def test_results_stand_for_stages_of_this_run_though_an_earlier_one_gave_the_same_bytes(
    coupage, recipe, run_copy
):
    coupage("run", recipe, "--workdir", run_copy, "--set", "seed=4")  # another select, the same tokenizer
    coupage("clean", run_copy)
    coupage("verify", run_copy)
    assert (run_copy / "tokenizer" / "tokenizer.json").is_file()
