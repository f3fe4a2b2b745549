"""The process in which pages are extracted: `python -m pipelines.sources.web.worker`.

It is ended by the kernel when a page takes more processor time than it may, whatever library it is in.

Frames are a length of 8 bytes and so many bytes. It says `READY`, and then answers each frame of pages, which
are a list in JSON, page by page.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import IO

import orjson

READY = b"ready"


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None where the other side has ended."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    data = stream.read(size)
    return data if len(data) == size else None


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Send a frame."""
    stream.write(len(data).to_bytes(8, "little"))
    stream.write(data)
    stream.flush()


def main() -> None:
    """Extract pages until there are no more."""
    from pipelines.sources.web.extractors.registry import EXTRACTORS

    settings = orjson.loads(sys.argv[1])
    frames, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    extractor, keep = EXTRACTORS[settings["extractor"]], settings["keep"]
    extractor.text("<html><body><p>What is imported late is imported now.</p></body></html>", keep)
    resource.setrlimit(resource.RLIMIT_AS, (settings["memory"], settings["memory"]))
    write_frame(answers, READY)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    while (frame := read_frame(frames)) is not None:
        for html in orjson.loads(frame):
            signal.setitimer(signal.ITIMER_PROF, settings["seconds"])
            try:
                answer = b"t" + extractor.text(html, keep).encode("utf-8", "replace")
            except Exception as error:
                answer = b"e" + type(error).__name__.encode()
            signal.setitimer(signal.ITIMER_PROF, 0)
            write_frame(answers, answer)


if __name__ == "__main__":
    main()
