"""`coupage verify` finds any changed, missing or strange file of a finished run."""

import json
import random
from pathlib import Path

from pipelines.execution.seal import check_run
from tests.pipelines.commands.test_run import shard_bytes


def files_of(workdir: Path) -> list[Path]:
    """The files of a run but for what no command reads: the lock and the logs."""
    found = (path for path in sorted(workdir.rglob("*")) if path.is_file())
    return [path for path in found if path.name != ".lock" and path.suffix != ".log"]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_sound_run_is_sound(coupage, finished):
    assert "right" in coupage("verify", finished).stdout
    assert json.loads(coupage("verify", finished, "--json").stdout) == []


def test_one_flipped_byte_in_any_file_is_found(run_copy):
    rng = random.Random(6)
    files = [path for path in files_of(run_copy) if path.stat().st_size]
    assert len(files) > 60
    by_kind = {path.suffix + path.parent.parent.name: path for path in files}
    for path in {*by_kind.values(), *rng.sample(files, 20)}:
        place = rng.randrange(path.stat().st_size)
        flip(path, place)
        assert any(damage.file.resolve() == path.resolve() for damage in check_run(run_copy)), path
        flip(path, place)
    assert list(check_run(run_copy)) == []


def test_missing_and_strange_files_are_found(coupage_process, run_copy):
    part = next(run_copy.glob("stages/ingest-web-*/*.parquet"))
    part.unlink()
    (part.parent / "stranger.txt").write_text("x")
    failed = coupage_process("verify", run_copy, code=1)
    assert f"{part}: is missing" in failed.stderr
    assert "stranger.txt: is not in the manifest" in failed.stderr


def test_a_damaged_manifest_is_not_taken_for_a_finished_stage(coupage, recipe, run_copy):
    before = shard_bytes(run_copy)
    manifest = next(run_copy.glob("stages/select-*/manifest.json"))
    flip(manifest, 40)
    again = coupage("run", recipe, "--workdir", run_copy)
    assert f"{manifest}: " in again.stderr and "made again" in again.stderr
    assert shard_bytes(run_copy) == before
    assert list(check_run(run_copy)) == []


def test_a_folder_without_a_run_is_refused(coupage, tmp_path):
    assert "not the folder of a run" in coupage("verify", tmp_path, code=2).stderr
