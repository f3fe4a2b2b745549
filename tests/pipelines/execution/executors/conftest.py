import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipelines.conftest import ROOT, coupage
from tests.pipelines.corpus import write_corpus

__all__ = ["coupage"]

COMMANDS = Path(__file__).parent / "slurm_commands"

# Few tasks, because each element of an array is a fresh process.
RECIPE = """\
name: small
seed: 3
sources:
  web: {{reader: files, path: {corpus}/web.jsonl, fields: {{id: id}}}}
part_size: 200k
dedup: {{minhash: null}}
held_out: {{share: 0}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures:
  stage1: {{tokens: 20k, sequence_length: 256, weights: {{web: 1}}}}
executor:
  slurm: {{poll_seconds: 0.2, sbatch: {{account: winery}}}}
"""


@dataclass(frozen=True)
class Cluster:
    """The stand-in for a Slurm cluster."""

    home: Path

    def environment(self) -> dict[str, str]:
        return {"SLURM_STAND_IN": str(self.home), "PATH": f"{COMMANDS}:{os.environ['PATH']}"}

    def calls(self, name: str) -> list[str]:
        path = self.home / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.split()[0] == name]

    def jobs(self) -> list[str]:
        return sorted(path.name for path in self.home.iterdir() if path.is_dir())

    def states(self, job: str) -> list[str]:
        """How its elements stand, in order."""
        elements = sorted(
            (path for path in (self.home / job).iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
        )
        return [path.read_text().partition("|")[0] for path in elements]

    def full(self, yes: bool) -> None:
        """Start nothing while it is full."""
        path = self.home / "full"
        path.touch() if yes else path.unlink()


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    home = tmp_path / "cluster"
    home.mkdir()
    cluster = Cluster(home)
    for name, value in cluster.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield cluster
    for job in cluster.jobs():
        subprocess.run(["scancel", job], check=True)


@pytest.fixture(scope="session")
def ray_cluster():
    """A Ray cluster that was there before, of two nodes of one core each."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'coupage[ray]'")
    from ray.cluster_utils import Cluster as RayCluster

    cluster = RayCluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def ray(ray_cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(params=["slurm", "ray"])
def executor(request) -> str:
    """The name of an executor that has a cluster to work on."""
    request.getfixturevalue(request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def recipe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    write_corpus(folder / "corpus", documents=120)
    path = folder / "small.yaml"
    path.write_text(RECIPE.format(corpus=folder / "corpus"))
    return path


@pytest.fixture(scope="session")
def finished(tmp_path_factory, coupage, recipe) -> Path:
    """A run on local workers."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    coupage("run", recipe, "--workdir", workdir, "--workers", 2)
    return workdir


@pytest.fixture
def run_copy(tmp_path, finished) -> Path:
    return shutil.copytree(finished, tmp_path / "run", symlinks=True)
