"""A model that is served here: `vllm serve`, one server for all processes of a node that want the same."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field, field_validator

from mixers.printable import printable
from pipelines.errors import UserError, WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.settings import STRICT
from pipelines.sources.endpoint_session import Patience
from pipelines.synthesis.model import ModelEndpoint, Price
from pipelines.synthesis.serving import watch
from pipelines.synthesis.serving.watch import LEASE, POLL, STOP, WATCHER, State, answers, try_lock

Option = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_.-]*$")]
"""The name of an option of `vllm serve`, without its dashes."""

SPECULATIVE = {
    "ngram": {"method": "ngram", "num_speculative_tokens": 5, "prompt_lookup_max": 4},
    "suffix": {"method": "suffix"},
}
"""What vLLM's `--speculative-config` takes (vllm/config/speculative.py, 0.32)."""
QUIET = "--disable-uvicorn-access-log"
"""Otherwise the log has a line for each of millions of requests."""
OWN_OPTIONS = {
    "api-key": "a key is made for each server",
    "data-parallel-size": "say `data_parallel`",
    "host": "the server is for this machine alone",
    "max-model-len": "say `max_length`",
    "model": "say `model`",
    "port": "a free port is taken",
    "served-model-name": "it is `model`",
    "speculative-config": "say `speculative`",
    "tensor-parallel-size": "say `tensor_parallel`",
    "uds": "the server listens at an address",
}
"""Options of `vllm serve` that are given otherwise, and how."""
APART = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")
"""Variables of the environment: processes that differ in one have no server in common."""
STARTS = 3
"""How often a watcher is started that is killed before its server is ready."""
LOG_LINES = 12
"""Lines from the end of a server's log that an error shows."""
_ERROR = re.compile(r"^(?:.*?\] +)?([A-Za-z.]+(?:Error|Exception): .*)", re.MULTILINE)


class Serve(BaseModel):
    """A language model that is served here by vLLM, for as long as it is needed."""

    model_config = STRICT

    model: str = Field(pattern=r"^[^-]", description="A model of the Hugging Face hub, or a model's folder.")
    folder: Path | None = Field(
        None, description="The folder of its weights, where `model` is only a name; null: `model` says it."
    )
    tensor_parallel: int = Field(1, ge=1, description="GPUs that share one copy of the model.")
    data_parallel: int = Field(1, ge=1, description="Copies of the model on a node.")
    speculative: Literal["ngram", "suffix"] | None = Field(
        None,
        description="Guess tokens and check several at once: `ngram` from the prompt, `suffix` from earlier "
        "answers too (needs arctic-inference beside vLLM).",
    )
    max_length: int | None = Field(
        None, ge=1, description="Tokens of a question with its answer; null: what the model can."
    )
    options: dict[Option, bool | int | float | str] = Field(
        default_factory=dict,
        description="Further options of `vllm serve` by name: {gpu_memory_utilization: 0.85}.",
    )
    command: str = Field("vllm", min_length=1, description="vLLM's program, in an environment of its own.")
    nodes: int = Field(
        1, ge=1, description="Tasks that share the work; on a cluster each has a server on its node."
    )
    concurrency: int = Field(256, ge=1, description="Requests at the same time.")
    timeout: float = Field(600, gt=0, description="Seconds that an answer may take.")
    start_within: float = Field(1800, gt=0, description="Seconds that the server may take to be ready.")
    price: Price | None = Field(None, description="What a million tokens cost; null: nothing is said of it.")
    guided: bool = Field(True, description="Whether the server is asked to keep to JSON schemas.")

    @field_validator("options")
    @classmethod
    def _leaves_ours_alone(cls, options: dict[str, object]) -> dict[str, object]:
        for name in options:
            if reason := OWN_OPTIONS.get(_dashed(name)):
                raise ValueError(f"`{name}` is no option here: {reason}")
        return options

    def arguments(self) -> list[str]:
        """The arguments of vLLM's program, without the address to listen at."""
        words = ["serve", str(self.folder or self.model), f"--served-model-name={self.model}", QUIET]
        words.append(f"--tensor-parallel-size={self.tensor_parallel}")
        words.append(f"--data-parallel-size={self.data_parallel}")
        if self.max_length is not None:
            words.append(f"--max-model-len={self.max_length}")
        if self.speculative:
            words.append(f"--speculative-config={orjson.dumps(SPECULATIVE[self.speculative]).decode()}")
        for name, value in self.options.items():
            if isinstance(value, bool):
                words.append(f"--{_dashed(name)}" if value else f"--no-{_dashed(name)}")
            else:
                words.append(f"--{_dashed(name)}={value}")
        return words


@contextmanager
def served(config: Serve, logs: Path) -> Iterator[ModelEndpoint]:
    """A server that is ready, shared with the other processes of this user that want the same.

    It stays for some seconds after the last of them, for the next; see `stop_server`.

    Args:
        config: The model and how it is served.
        logs: The folder for the log of a server that is started now.

    Raises:
        UserError: vLLM is not there.
        WorkError: The server does not start.
    """
    folder = _folder(config)
    with (folder / LEASE).open("a") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        state = _ready_state(config, folder, logs)
        variable = f"COUPAGE_SERVER_KEY_{folder.name.upper()}"
        os.environ[variable] = state.key
        yield ModelEndpoint(
            base_url=f"http://127.0.0.1:{state.port}/v1",
            model=config.model,
            key=variable,
            concurrency=config.concurrency,
            timeout=config.timeout,
            price=config.price,
            guided=config.guided,
        )


def stop_server(config: Serve) -> bool:
    """Stop a server that nobody wants any more and wait until it is gone, and its GPU's memory free.

    Returns whether it is gone: a server that somebody still wants goes on.
    """
    folder = _folder(config)
    stop = folder / STOP
    with (folder / WATCHER).open("a") as watcher:
        if try_lock(watcher):
            return True
        stop.touch()
        while stop.exists():
            if try_lock(watcher):
                return True
            time.sleep(POLL)
    return False


def patience(config: Serve) -> Patience:
    """How long clients wait for a server of ours: as long as it may take to be started again."""
    patient = Patience(first_wait=0.5, longest_wait=15)
    return patient._replace(tries=patient.tries + int(config.start_within / patient.longest_wait))


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _folder(config: Serve) -> Path:
    """What all who want this server share, made if it is not there."""
    identity = [
        program(config),
        config.arguments(),
        socket.gethostname(),
        [os.environ.get(name) for name in APART],
    ]
    folder = _private_folder() / fingerprint(identity)[:12]
    folder.mkdir(exist_ok=True)
    return folder


def program(config: Serve) -> str:
    """The path of vLLM's program. Raises UserError where there is none."""
    path = shutil.which(os.path.expanduser(config.command))
    if path is None:
        raise UserError(
            f"there is no program `{config.command}`",
            place="serve.command",
            hint="Install vLLM in an environment of its own (python -m venv vllm; vllm/bin/pip install vllm) "
            "and name its program, such as /path/to/vllm/bin/vllm; docs/synthesis.md says more.",
        )
    return os.path.abspath(path)


def _private_folder() -> Path:
    """A folder of this user alone. Raises UserError where somebody else could write into it."""
    folder = Path(tempfile.gettempdir(), f"coupage-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UserError(
            "the folder for the state of servers is open to other users",
            file=str(folder),
            hint=f"Remove it, or chmod 700 {folder} if it is yours, or set TMPDIR to a folder of your own.",
        )
    return folder


def _ready_state(config: Serve, folder: Path, logs: Path) -> State:
    """What the watcher says of a server that is ready. Starts what is not there. Raises WorkError."""
    before = State.read(folder)
    for start in range(STARTS + 1):
        with (folder / WATCHER).open("a") as watcher:
            while not try_lock(watcher):
                state = State.read(folder)
                if state and state.status == "ready" and answers(state.port):
                    return state
                time.sleep(POLL)
            state = State.read(folder)
            if state and state.status == "failed" and state != before:
                raise _failure(state)
            if start < STARTS:
                _start_watcher(config, folder, logs, watcher.fileno())
    raise WorkError(
        f"the process that watches the server was killed {STARTS} times",
        hint=f"Look for what kills processes here, such as a limit of memory; logs are in {logs}.",
    )


def _start_watcher(config: Serve, folder: Path, logs: Path, lock: int) -> None:
    """Start the watcher, which takes over the lock."""
    for name in (STOP, watch.STATE):
        (folder / name).unlink(missing_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    path = logs.resolve() / f"vllm-{socket.gethostname()}-{datetime.now():%Y%m%d-%H%M%S}.log"
    options = ["--folder", str(folder), "--log", str(path), "--start-within", str(config.start_within)]
    command = [program(config), *config.arguments()]
    with path.open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", watch.__file__, *options, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            env=_environment(),
            start_new_session=True,
            check=True,
        )


def _environment() -> dict[str, str]:
    """The environment of a server: without the limits of a task's, which has one thread."""
    from pipelines.execution.executors.base import ONE_THREAD

    return {name: value for name, value in os.environ.items() if ONE_THREAD.get(name) != value}


def _failure(state: State) -> WorkError:
    """Why a server was given up, with the first error of its log, mostly the cause, and the last lines."""
    log = printable(Path(state.log).read_text("utf-8", "replace"))
    first = _ERROR.search(log)
    shown = [*([first[1], "..."] if first else []), *log.splitlines()[-LOG_LINES:]]
    return WorkError(
        f"the server gave up: {state.why}",
        file=state.log,
        hint="\n    ".join(["Its log says:", *shown]),
    )
