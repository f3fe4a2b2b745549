"""Watches one server for all processes that want it: starts it, starts it again, and stops it after them.

What they share is a folder:

- `lease`, which every process that wants the server locks for as long (shared);
- `watcher`, which the watcher locks for as long as it lives;
- `state.json`: how far the server is, its address and its key;
- `stop`, which asks to stop at once; the watcher takes it away if somebody still wants the server.

Locks end with their processes, however these end. The watcher is a process of its own, in a session of its
own, so that it outlives the one that starts it. It needs the standard library alone.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import http.client
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

LEASE = "lease"
WATCHER = "watcher"
STATE = "state.json"
STOP = "stop"
KEY_VARIABLE = "VLLM_API_KEY"
"""Where vLLM looks for the key that its clients must show."""

LINGER = 10.0
"""Seconds that a server stays when nobody wants it any more, for the next one who does."""
RESTARTS = (1.0, 2.0, 4.0)
"""Seconds before each new start of a server that ended."""
STEADY = 600.0
"""Seconds after which a server that runs counts as one that never ended."""
POLL = 0.2
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class State:
    """What the watcher says about its server."""

    status: Literal["starting", "ready", "failed"]
    log: str
    port: int
    key: str
    why: str = ""
    """Why it failed."""

    def write(self, folder: Path) -> None:
        """Put it where clients look; nobody else can read it."""
        new = folder / f"{STATE}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        new.replace(folder / STATE)

    @classmethod
    def read(cls, folder: Path) -> State | None:
        """What the watcher said last."""
        try:
            return cls(**json.loads((folder / STATE).read_text()))
        except FileNotFoundError:
            return None


def try_lock(file: IO[str]) -> bool:
    """Lock a file for this process alone, if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def answers(port: int) -> bool:
    """Whether the server says that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Server:
    """A server that runs under a guard, with all processes that it starts."""

    def __init__(self, command: Sequence[str], key: str) -> None:
        guard = str(Path(__file__).with_name("guard.py"))
        self._guard = subprocess.Popen(
            [sys.executable, "-P", guard, str(os.getpid()), *command],
            env=os.environ | {KEY_VARIABLE: key},
            process_group=0,
        )

    def ended(self) -> bool:
        """Whether it ended; its process group keeps its number until `stop`."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._guard.pid, options) is not None

    def stop(self) -> None:
        """End all its processes and wait until they are gone."""
        if not self.ended():
            self._guard.terminate()
            os.waitid(os.P_PID, self._guard.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(self._guard.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:  # those that lost their parent are this process's children
                os.waitpid(-self._guard.pid, 0)
        self._guard.returncode = 0


class _Watcher:
    """The loop that starts, restarts and stops."""

    def __init__(self, folder: Path, log: str, start_within: float, command: Sequence[str]) -> None:
        port = _free_port()
        self._folder = folder
        self._start_within = start_within
        self._command = [*command, "--host", "127.0.0.1", "--port", str(port)]
        self._state = State("starting", log, port, secrets.token_urlsafe(32))
        self._lease = (folder / LEASE).open("a")
        self._wanted = time.monotonic()
        """When somebody last wanted the server."""

    def run(self) -> None:
        """Serve until nobody wants it any more, or until it fails."""
        try:
            why = self._serve()
        except _UnwantedError:
            logging.info("the server has stopped: nobody wants it any more")
            (self._folder / STATE).unlink()
            return
        except SystemExit:
            why = "its watcher was told to end"
        logging.error("the server is given up: %s", why)
        State("failed", self._state.log, self._state.port, "", why).write(self._folder)

    def _serve(self) -> str:
        """Why it failed. Raises _UnwantedError where nobody wants it any more."""
        restarts = list(RESTARTS)
        while True:
            self._set("starting")
            server = _Server(self._command, self._state.key)
            began = time.monotonic()
            try:
                why = self._wait_until_ready(server)
                if not why:
                    self._set("ready")
                    logging.info("the server is ready after %.0f s", time.monotonic() - began)
                    ready = time.monotonic()
                    why = self._wait_until_ended(server)
                    if time.monotonic() - ready > STEADY:
                        restarts = list(RESTARTS)
                elif len(restarts) == len(RESTARTS):
                    return why
            finally:
                server.stop()
            if not restarts:
                return f"{why}, {len(RESTARTS) + 1} times"
            logging.warning("the server: %s; starts again in %g s", why, restarts[0])
            self._pause(restarts.pop(0))

    def _wait_until_ready(self, server: _Server) -> str:
        deadline = time.monotonic() + self._start_within
        while not answers(self._state.port):
            if server.ended():
                return "it ended before it was ready"
            if time.monotonic() > deadline:
                return f"it was not ready within {self._start_within:g} s"
            self._pause(POLL)
        return ""

    def _wait_until_ended(self, server: _Server) -> str:
        while not server.ended():
            self._pause(POLL)
        return "it ended"

    def _pause(self, seconds: float) -> None:
        """Sleep. Raises _UnwantedError when nobody wants the server, and lets nobody want it any more."""
        end = time.monotonic() + seconds
        while True:
            if not try_lock(self._lease):
                self._wanted = time.monotonic()
                (self._folder / STOP).unlink(missing_ok=True)
            elif (self._folder / STOP).exists() or time.monotonic() - self._wanted > LINGER:
                raise _UnwantedError
            else:
                fcntl.flock(self._lease, fcntl.LOCK_UN)
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, POLL))

    def _set(self, status: Literal["starting", "ready"]) -> None:
        state = self._state
        State(status, state.log, state.port, state.key).write(self._folder)


class _UnwantedError(Exception):
    """Raised when nobody wants the server any more."""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    """Watch in a process that nobody waits for; the one that was called ends at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--start-within", type=float, required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if os.fork():
        os._exit(0)
    logging.basicConfig(format="coupage: %(asctime)s %(message)s", level=logging.INFO)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    _Watcher(given.folder, given.log, given.start_within, given.command).run()


if __name__ == "__main__":
    main()
