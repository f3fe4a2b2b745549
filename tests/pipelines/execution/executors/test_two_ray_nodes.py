"""Ray over two nodes: real raylets on this machine, each with workers of its own; one of them is killed."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from pipelines.execution.executors.base import run_task
from pipelines.execution.executors.config import ExecutorSettings
from pipelines.execution.executors.registry import make_executor
from pipelines.execution.output import Task, TaskOutput
from pipelines.execution.run_stages import run_stages
from pipelines.execution.schedule import Schedule
from tests.pipelines.conftest import ROOT
from tests.pipelines.execution.test_killed import Warnings
from tests.pipelines.execution.tiny_stages import Tiny

pytest.importorskip("ray", reason="Ray is not installed: pip install 'coupage[ray]'")
NODE = "second"


@dataclass(frozen=True, kw_only=True)
class Patient(Tiny):
    """Tells on which node each task runs, and waits there the first time until the node is gone."""

    name: ClassVar[str] = "patient"

    def run_task(self, workdir: Path, task: Task, output: TaskOutput) -> None:
        import ray

        node = ray.get_runtime_context().get_node_id()
        seen = workdir / f"seen-{node}-{self.scope}-{task['number']}"
        seen.touch()
        while node == (workdir / NODE).read_text():
            time.sleep(0.1)
        with output.file(f"{task['number']}.txt") as path:
            path.write_text(f"{self.scope} {task['number']}")


@pytest.fixture
def two_nodes(monkeypatch):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield second
    cluster.shutdown()


def kill_when_it_works(node, workdir: Path) -> None:
    """Kill the raylet of `node` and its workers, as soon as one of them is in a task."""
    while not list(workdir.glob(f"seen-{node.node_id}-*")):
        time.sleep(0.1)
    node.kill_raylet(check_alive=False)


def test_a_killed_node_is_survived(two_nodes, tmp_path):
    (tmp_path / NODE).write_text(two_nodes.node_id)
    stages = [Patient(scope=scope, count=2) for scope in ("a", "b")]
    stages.append(Patient(scope="c", before=tuple(stages), count=2))
    killer = threading.Thread(target=kill_when_it_works, args=(two_nodes, tmp_path), daemon=True)
    killer.start()
    progress = Warnings()
    with make_executor("ray", ExecutorSettings(), None) as executor:
        run_stages(stages, tmp_path, executor, progress)
    killer.join()
    assert progress.said and all("Ray lost task" in line for line in progress.said)
    for stage in stages:
        files = sorted(path.read_text() for path in stage.folder(tmp_path).glob("*.txt"))
        assert files == [f"{stage.scope} 0", f"{stage.scope} 1"]


def test_both_nodes_work_and_killed_workers_are_replaced(two_nodes, tmp_path):
    stages = [Tiny(scope=str(n), count=3, dies=1 if n == 0 else 0) for n in range(3)]
    stages.append(Tiny(scope="all", before=tuple(stages)))
    progress = Warnings()
    with make_executor("ray", ExecutorSettings(), None) as executor:
        run_stages(stages, tmp_path / "ray", executor, progress)
    assert ["`tiny 0`" in line for line in progress.said] == [True]
    run_here(stages, tmp_path / "here")
    (own, other) = ([stage.manifest(tmp_path / name).content for stage in stages] for name in ("ray", "here"))
    assert own == other


def run_here(stages, workdir: Path) -> None:
    """In this process, with what each task tried before: none of them dies."""
    workdir.mkdir()
    for stage in stages:
        for number in range(stage.count):
            (workdir / f"{stage.slug}-{number}-done").write_text("x")
    schedule = Schedule(stages, workdir, Warnings())
    while taken := schedule.take():
        run_task(taken[0].stage, workdir, taken[0].task)
        schedule.done(taken[0])
