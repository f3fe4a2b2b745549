"""Runs a server as the leader of a process group that ends as a whole, whoever of it ends or is killed.

Servers start processes of their own, which a killed parent would leave behind on the GPU. The guard ends the
group when the server ends, and when the process that started the guard is gone. It needs the standard library
alone: `python guard.py PROGRAM ARGUMENT ...`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

GRACE = 10.0
"""Seconds that a server has to end by itself."""
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the kernel for a SIGTERM to this process when its parent ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def guard(command: Sequence[str], parent: int) -> None:
    """Run the command until it ends, or until this process is asked to; then end the whole group.

    Args:
        command: The server.
        parent: The process with which to end.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    end_with_parent()
    server: subprocess.Popen[bytes] | None = None
    try:
        if os.getppid() == parent:  # which may have ended before the kernel was asked
            server = subprocess.Popen(command, preexec_fn=end_with_parent)
            logging.info("the server ended, %s", _status(server.wait()))
    except OSError as error:
        logging.error("%s cannot be run: %s", command[0], error.strerror)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server:
            _end(server)
        os.killpg(0, signal.SIGKILL)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        logging.warning("the server did not end within %g s and is killed", GRACE)


def _status(code: int) -> str:
    return f"status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


if __name__ == "__main__":
    logging.basicConfig(format="coupage: %(asctime)s %(message)s", level=logging.INFO)
    guard(sys.argv[2:], int(sys.argv[1]))
