"""Servers of our own: shared, watched, and gone when nobody wants them. What is served is a fake."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.errors import UserError, WorkError
from pipelines.sources.endpoint import EndpointClient
from pipelines.synthesis.serving.server import Serve, patience, served, stop_server
from tests.pipelines.command_line import environment
from tests.pipelines.synthesis import fake_vllm

HOLDER = """\
import sys, time
from pathlib import Path
from pipelines.synthesis.serving.server import Serve, served

with served(Serve.model_validate_json(sys.argv[1]), Path(sys.argv[2])) as endpoint:
    print(endpoint.base_url, flush=True)
    time.sleep(600)
"""


class World:
    """A fake vLLM, the state of its servers, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "vllm"
        self.program.write_text(f"#!{sys.executable}\n{Path(fake_vllm.__file__).read_text()}")
        self.program.chmod(0o755)
        self.logs = folder / "logs"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()

    def config(self, **more) -> Serve:
        return Serve(model="some/model", command=str(self.program), **more)

    def calls(self) -> list[dict]:
        calls = self.program.with_name(fake_vllm.CALLS)
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    def alive(self) -> list[int]:
        """All processes of servers that still run."""
        pids = [call[name] for call in self.calls() for name in ("pid", "engine")]
        return [pid for pid in pids if is_alive(pid)]

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.logs.glob("vllm-*.log")))

    def hold(self, config: Serve) -> tuple[subprocess.Popen, str]:
        """A process that holds the server, and the address it was given."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, config.model_dump_json(), str(self.logs)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        return process, process.stdout.readline().strip()


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path)
    monkeypatch.setenv("TMPDIR", str(world.temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield world
    for pid in world.alive():
        os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_until(true, seconds: float = 60) -> None:
    """So that a fault is a failed test, not one that hangs."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(endpoint, config: Serve) -> str:
    return EndpointClient(endpoint, patience(config)).chat([{"role": "user", "content": "Who are you?"}])


def test_a_server_answers_and_is_gone_when_it_is_stopped(world):
    config = world.config(concurrency=3, timeout=9, price={"input": 1, "output": 2}, guided=False)
    with served(config, world.logs) as endpoint:
        assert ask(endpoint, config).endswith("some/model")
        assert (endpoint.concurrency, endpoint.timeout, endpoint.guided) == (3, 9, False)
        assert endpoint.price == config.price
        assert len(world.alive()) == 2
    assert stop_server(config)
    assert not world.alive()
    assert stop_server(config), "also where there is nothing to stop"


def test_arguments_are_those_of_vllm_serve(world):
    config = world.config(
        tensor_parallel=2,
        data_parallel=4,
        speculative="ngram",
        max_length=4096,
        options={
            "gpu_memory_utilization": 0.5,
            "enforce-eager": True,
            "enable_prefix_caching": False,
            "seed": -1,
        },
    )
    with served(config, world.logs):
        pass
    stop_server(config)
    (call,) = world.calls()
    *words, host, address, port, number = call["arguments"]
    assert words == [
        "serve",
        "some/model",
        "--served-model-name=some/model",
        "--disable-uvicorn-access-log",
        "--tensor-parallel-size=2",
        "--data-parallel-size=4",
        "--max-model-len=4096",
        '--speculative-config={"method":"ngram","num_speculative_tokens":5,"prompt_lookup_max":4}',
        "--gpu-memory-utilization=0.5",
        "--enforce-eager",
        "--no-enable-prefix-caching",
        "--seed=-1",
    ]
    assert (host, address, port) == ("--host", "127.0.0.1", "--port")
    assert int(number) > 0


@pytest.mark.parametrize(
    "name", ["port", "api_key", "served-model-name", "tensor_parallel_size", "--seed", ""]
)
def test_options_that_are_given_otherwise_are_refused(name):
    with pytest.raises(ValidationError):
        Serve(model="some/model", options={name: "1"})


def test_a_model_is_no_option():
    with pytest.raises(ValidationError):
        Serve(model="--trust-remote-code")


def test_its_key_is_known_to_nobody_else(world):
    config = world.config()
    with served(config, world.logs) as endpoint:
        key = os.environ[endpoint.key]
        with pytest.raises(WorkError, match="401"):
            EndpointClient(endpoint.model_copy(update={"key": None})).chat([])
        (call,) = world.calls()
        assert call["environment"][fake_vllm.VARIABLE] == key
        assert not any(key in word for word in call["arguments"])
        state = [path for path in world.temporary.rglob("*") if path.is_file() and key in path.read_text()]
        assert [stat.S_IMODE(path.stat().st_mode) for path in state] == [0o600]
    stop_server(config)
    assert key not in world.log()
    with served(config, world.logs) as endpoint:
        assert os.environ[endpoint.key] != key, "each server has its own"
    stop_server(config)


def test_a_server_has_the_threads_that_a_task_has_not(world, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    config = world.config()
    with served(config, world.logs):
        pass
    stop_server(config)
    (call,) = world.calls()
    assert "OMP_NUM_THREADS" not in call["environment"]
    assert call["environment"]["OPENBLAS_NUM_THREADS"] == "3", "somebody has set that"


def test_processes_share_a_server(world):
    config = world.config()
    with ThreadPoolExecutor(3) as pool:
        holders, addresses = zip(*pool.map(world.hold, [config] * 3), strict=True)
    assert len(set(addresses)) == 1
    with served(config, world.logs) as endpoint:
        assert endpoint.base_url in addresses
        for holder in holders:
            holder.kill()
            holder.wait()
        assert not stop_server(config), "it is in use here"
        assert ask(endpoint, config)
    assert len(world.calls()) == 1
    assert stop_server(config)


def test_the_next_task_finds_the_server_of_the_one_before(world):
    config = world.config()
    with served(config, world.logs) as first:
        pass
    with served(config.model_copy(update={"concurrency": 7}), world.logs) as second:
        assert (second.base_url, second.concurrency) == (first.base_url, 7)
    stop_server(config)
    assert len(world.calls()) == 1


def test_what_is_served_otherwise_has_another_server(world, monkeypatch):
    one, other = world.config(), world.config(max_length=99)
    with served(one, world.logs) as here, served(other, world.logs) as there:
        assert here.base_url != there.base_url
        assert ask(here, one) != ask(there, other)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        with served(one, world.logs) as apart:
            assert apart.base_url not in (here.base_url, there.base_url)
        assert stop_server(one)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert stop_server(one) and stop_server(other)
    assert not world.alive()


def test_a_server_that_dies_comes_back_at_its_address(world):
    config = world.config()
    with served(config, world.logs) as endpoint:
        first = ask(endpoint, config)
        os.kill(world.calls()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: not is_alive(world.calls()[0]["engine"]))
        assert ask(endpoint, config) != first
    assert stop_server(config)
    assert "killed by SIGKILL" in world.log()
    assert "starts again in 1 s" in world.log()


def test_a_server_that_died_is_not_started_for_nobody(world):
    config = world.config()
    with served(config, world.logs):
        os.kill(world.calls()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: "starts again in 1 s" in world.log())
    assert stop_server(config)
    assert not world.alive()
    assert "nobody wants it any more" in world.log() and "Traceback" not in world.log()


def test_a_guard_that_dies_leaves_nothing_behind(world):
    config = world.config()
    with served(config, world.logs) as endpoint:
        (first,) = world.calls()
        os.kill(parent(first["pid"]), signal.SIGKILL)
        assert ask(endpoint, config)
        assert not is_alive(first["pid"]) and not is_alive(first["engine"])
    assert stop_server(config)


def test_a_server_ends_with_its_watcher_and_the_next_one_starts_another(world):
    config = world.config()
    with served(config, world.logs):
        watcher = parent(parent(world.calls()[0]["pid"]))
        os.kill(watcher, signal.SIGKILL)
        wait_until(lambda: not world.alive())
        with served(config, world.logs) as endpoint:
            assert ask(endpoint, config)
    assert stop_server(config)
    assert len(world.calls()) == 2


def test_a_server_ends_soon_after_its_holder_was_killed(world):
    holder, _ = world.hold(world.config())
    assert world.alive()
    holder.kill()
    holder.wait()
    wait_until(lambda: not world.alive())
    assert "nobody wants it any more" in world.log()


def test_a_server_ends_that_nobody_waits_for_any_more(world):
    config = world.config(options={"never_ready": True})
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, config.model_dump_json(), str(world.logs)], env=environment()
    )
    wait_until(world.alive)
    holder.kill()
    holder.wait()
    assert stop_server(config)
    assert not world.alive()


def test_a_server_that_ends_at_once_shows_its_last_words(world):
    config = world.config(options={"fails": "ValueError: no such \x1b[31mmodel"})
    for _ in range(2):
        with (
            pytest.raises(WorkError, match="it ended before it was ready") as caught,
            served(config, world.logs),
        ):
            pass
        assert "ValueError: no such \N{SYMBOL FOR ESCAPE}[31mmodel" in str(caught.value)
        assert "status 1" in str(caught.value)
        assert Path(caught.value.file).parent == world.logs
    assert len(world.calls()) == 2, "the next run tries again"
    assert not world.alive()


def test_all_who_wait_hear_of_the_failure(world):
    config = world.config(options={"fails": "out of memory"})

    def fails(_):
        with pytest.raises(WorkError, match="out of memory"), served(config, world.logs):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fails, range(4)))


def test_a_server_that_is_never_ready_is_given_up(world):
    config = world.config(start_within=1, options={"never_ready": True})
    with pytest.raises(WorkError, match="not ready within 1 s"), served(config, world.logs):
        pass
    assert not world.alive()


def test_a_server_that_dies_again_and_again_is_given_up(world):
    config = world.config(options={"fails": "out of memory", "fails_after": 1})
    with served(config, world.logs):
        os.kill(world.calls()[0]["pid"], signal.SIGKILL)
        with (
            pytest.raises(WorkError, match=r"it ended before it was ready, 4 times"),
            served(config, world.logs),
        ):
            pass
    assert len(world.calls()) == 4
    assert not world.alive()


def test_a_program_that_is_not_there(world):
    config = world.config().model_copy(update={"command": "no-such-vllm"})
    with pytest.raises(UserError, match="no program `no-such-vllm`") as caught, served(config, world.logs):
        pass
    assert "pip install vllm" in caught.value.hint


def test_a_program_that_cannot_be_run(world):
    world.program.write_text("#!/no/such/python\n")
    with pytest.raises(WorkError, match="cannot be run: No such file"), served(world.config(), world.logs):
        pass


@pytest.mark.parametrize("planted", ["open", "link"])
def test_no_state_is_taken_from_other_users(world, planted):
    place = world.temporary / f"coupage-{os.getuid()}"
    if planted == "link":
        place.symlink_to(world.temporary)
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(UserError, match="open to other users"), served(world.config(), world.logs):
        pass
    assert not world.calls()


def test_state_that_a_killed_watcher_left_misleads_nobody(world):
    config = world.config()
    with served(config, world.logs):
        os.kill(parent(parent(world.calls()[0]["pid"])), signal.SIGKILL)
    wait_until(lambda: not world.alive())
    assert stop_server(config)
    with served(config, world.logs) as endpoint:
        assert ask(endpoint, config)
    assert stop_server(config)
    shutil.rmtree(world.temporary)
