"""A source that grows: what has been read and measured of it is taken over."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.corpus import document


def write_recipe(folder: Path, **keys: object) -> Path:
    source = {"reader": "files", "path": f"{folder}/texts", "fields": {"id": "id"}}
    recipe = {
        "name": "growing",
        "part_size": "40k",
        "sources": {"web": source},
        "curate": {"rules": [{"use": ["gopher_quality"]}]},
        "dedup": {"minhash": {"bands": 4, "rows": 4, "verify": 0.8}},
        "mixtures": {"stage1": {"tokens": "8k", "sequence_length": 128, "weights": {"web": 1}}},
        "held_out": {"share": 0},
        **keys,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


def write_file(folder: Path, name: str, seed: int, documents: int = 20) -> None:
    rng = random.Random(seed)
    lines = (json.dumps({"id": f"{name}-{n}", "text": document(rng, 24)}) for n in range(documents))
    path = folder / "texts" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines))


@pytest.fixture
def growing(tmp_path) -> Path:
    for number in range(4):
        write_file(tmp_path, f"{number}.jsonl", number)
    return tmp_path


def files_of(run: Path, stage: str) -> Iterator[tuple[str, bytes]]:
    """The names and bytes of the files of the newest output of a stage."""
    folders = [path.parent for path in run.glob(f"stages/{stage}-*/manifest.json")]
    folder = max(folders, key=lambda path: (path / "manifest.json").stat().st_mtime_ns)
    for path in sorted(folder.glob("*.parquet")):
        yield path.name, path.read_bytes()


def linked(run: Path, stage: str) -> list[str]:
    """Those files of the newest output of a stage that are also an earlier one's."""
    folders = [path.parent for path in run.glob(f"stages/{stage}-*/manifest.json")]
    folder = max(folders, key=lambda path: (path / "manifest.json").stat().st_mtime_ns)
    return sorted(path.name for path in folder.glob("*.parquet") if path.stat().st_nlink > 1)


STAGES = ("ingest-web", "annotate-web-hashes", "annotate-web-minhash", "annotate-web-gopher_quality")


@pytest.mark.parametrize("new", ["9.jsonl", "-1.jsonl"], ids=["behind the others", "before the others"])
def test_only_what_is_new_is_read_and_measured(growing, coupage, new):
    recipe, run = write_recipe(growing), growing / "run"
    coupage("run", recipe, "--workdir", run, "--until", "select")
    write_file(growing, new, 99)
    coupage("run", recipe, "--workdir", run, "--until", "select")
    coupage("run", recipe, "--workdir", growing / "fresh", "--until", "select")
    for stage in STAGES:
        assert list(files_of(run, stage)) == list(files_of(growing / "fresh", stage)), stage
        every = [name for name, _ in files_of(run, stage)]
        number = max(every)[:5] if new == "9.jsonl" else "00000"
        assert linked(run, stage) == [name for name in every if not name.startswith(number)], stage
    assert list(files_of(run, "select-documents")) == list(files_of(growing / "fresh", "select-documents"))


def test_a_file_that_has_changed_is_read_again(growing, coupage):
    recipe, run = write_recipe(growing), growing / "run"
    coupage("run", recipe, "--workdir", run, "--until", "annotate")
    write_file(growing, "1.jsonl", 98)
    coupage("run", recipe, "--workdir", run, "--until", "annotate")
    coupage("run", recipe, "--workdir", growing / "fresh", "--until", "annotate")
    assert list(files_of(run, "ingest-web")) == list(files_of(growing / "fresh", "ingest-web"))
    every = [name for name, _ in files_of(run, "ingest-web")]
    assert linked(run, "ingest-web") == [name for name in every if not name.startswith("00001")]


def test_another_setting_takes_nothing_over(growing, coupage):
    run = growing / "run"
    coupage("run", write_recipe(growing), "--workdir", run, "--until", "ingest")
    write_file(growing, "9.jsonl", 99)
    edited = write_recipe(growing, curate={"edit": [{"use": ["mask_pii"]}]})
    coupage("run", edited, "--workdir", run, "--until", "ingest")
    assert not linked(run, "ingest-web")


def test_what_is_damaged_is_not_taken_over(growing, coupage):
    recipe, run = write_recipe(growing), growing / "run"
    coupage("run", recipe, "--workdir", run, "--until", "ingest")
    damaged = min(run.glob("stages/ingest-web-*/00001-*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-9] + b"PARQUET1!")
    write_file(growing, "9.jsonl", 99)
    coupage("run", recipe, "--workdir", run, "--until", "ingest")
    coupage("run", recipe, "--workdir", growing / "fresh", "--until", "ingest")
    assert list(files_of(run, "ingest-web")) == list(files_of(growing / "fresh", "ingest-web"))
    every = [name for name, _ in files_of(run, "ingest-web")]
    assert linked(run, "ingest-web") == [name for name in every if name[:5] not in ("00001", "00004")]
