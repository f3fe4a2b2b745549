"""A real Slurm of this machine alone: slurmctld, slurmd and munged, where they are installed."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.pipelines.commands.test_run import shard_bytes
from tests.pipelines.conftest import ROOT, command, environment
from tests.pipelines.execution.executors.real_slurm import is_installed, real_slurm
from tests.pipelines.execution.executors.test_any_executor import run
from tests.pipelines.execution.schedules import files_of, run_in_turn
from tests.pipelines.execution.test_killed import Deadly
from tests.pipelines.execution.tiny_stages import Joined, Tiny

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="no Slurm can be started here: needs root, slurmctld, slurmd and munge"
)
OWN = ("--executor", "slurm", "--set", "executor.slurm.memory_gb=1", "--set", "executor.slurm.sbatch={}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with real_slurm(tmp_path_factory.mktemp("slurm")) as configuration:
        yield configuration


@pytest.fixture(autouse=True)
def at_home(cluster, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(cluster))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def asked(*words: str) -> list[str]:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


def wait_for(what):
    until = time.monotonic() + 120
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found


def running() -> list[str]:
    return asked("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i")


def processes(of: Path) -> list[int]:
    """The processes of elements that do tasks of a stage whose folder of logs is below `of`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"launch_pickled_pipeline\0{of}" in path.read_text():
                found.append(int(path.parent.name))
    return found


def kill_an_element(workdir: Path) -> None:
    """Kill the process of an element of the pass over the source, as the kernel does when memory runs out."""
    os.kill(wait_for(lambda: processes(workdir / "logs" / "pass-web-"))[0], signal.SIGKILL)


def test_the_same_bytes_with_an_element_killed_in_the_middle(coupage, recipe, finished, tmp_path):
    workdir = tmp_path / "run"
    killer = threading.Thread(target=kill_an_element, args=(workdir,), daemon=True)
    killer.start()
    done = coupage("run", recipe, "--workdir", workdir, *OWN)
    killer.join()
    assert "ended without a result" in done.stderr and "submitted again" in done.stderr
    assert shard_bytes(workdir) == shard_bytes(finished)
    coupage("verify", workdir)


def test_a_killed_coordinator_is_resumed(coupage, recipe, finished, tmp_path):
    workdir, until = tmp_path / "run", ("--until", "select")
    first = subprocess.Popen(
        command("run", recipe, "--workdir", workdir, *OWN, *until),
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    (job,) = wait_for(lambda: list(workdir.glob("logs/pass-web-*/*/job")))
    first.send_signal(signal.SIGKILL)
    first.wait()
    number = job.read_text()
    coupage("run", recipe, "--workdir", workdir, *OWN, *until)
    assert not job.exists() and not [row for row in running() if row.startswith(f"{number}_")]
    own, other = files_of(workdir), files_of(finished)
    assert own and own.items() <= other.items()


def test_elements_that_kill_themselves_are_submitted_again(tmp_path):
    said = run("slurm", Deadly(scope="", deaths=2), tmp_path)
    assert len(said) == 2 and all("submitted again" in line for line in said)


def test_arrays_of_several_stages_run_together(tmp_path):
    roots = [Tiny(scope=str(n), count=2) for n in range(2)]
    stages = [*roots, *(Joined(scope=f"j{n}", before=(roots[0],), count=2) for n in range(2))]
    run("slurm", stages, tmp_path / "slurm")
    run_in_turn(stages, tmp_path / "turn")
    assert files_of(tmp_path / "slurm") == files_of(tmp_path / "turn")
    arrays = [sorted((tmp_path / "slurm" / "logs").glob(f"tiny-{n}-*/0001")) for n in range(2)]
    assert all(arrays)
