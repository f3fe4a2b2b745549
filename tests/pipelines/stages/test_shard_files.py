"""The rows of a stage are the same however they are divided into files."""

import shutil

import pyarrow as pa

from pipelines.execution.progress import Progress
from pipelines.execution.run_stages import run_stages
from pipelines.graph.build import build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.load import load_recipe
from pipelines.stages import mix
from tests.pipelines.command_line import run_tasks_here


def data_files(folder):
    return [pa.ipc.open_stream(path).read_all() for path in sorted(folder.glob("data-*.arrow"))]


class Here:
    """An executor without workers."""

    run = run_tasks_here


def run_again(stage, workdir):
    """Run a stage anew in this process."""
    shutil.rmtree(stage.folder(workdir))
    run_stages([stage], workdir, Here(), Progress())


def test_rows_do_not_depend_on_the_size_of_files(recipe, run_copy, monkeypatch):
    graph = build_graph(load_recipe(str(recipe)), LiveInputs.for_run(recipe.parent, run_copy))
    planned, written = graph.mixes["stage1"], graph.shards["stage1"]
    before = data_files(written.dataset(run_copy))
    segments = planned.batches(run_copy, mix.SEGMENTS).read_all()
    assert len(before) == 1

    monkeypatch.setattr(mix, "TOKENS_A_BATCH", 4096)
    run_again(planned, run_copy)
    run_again(written, run_copy)
    after = data_files(written.dataset(run_copy))
    assert len(after) > 3
    assert pa.concat_tables(after).combine_chunks().equals(before[0].combine_chunks())
    assert planned.batches(run_copy, mix.SEGMENTS).read_all().equals(segments)
    assert not list(run_copy.rglob(".writing-*"))
