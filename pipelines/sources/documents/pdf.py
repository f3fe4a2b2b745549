"""PDF: the text layer, page by page, with lines joined to paragraphs.

PDFium runs in a process of its own (`pdf_child.py`). A file that kills it, or keeps it busy for too long, is
set aside, and the next file gets a new process.
"""

from __future__ import annotations

import atexit
import json
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

from pipelines.errors import UserError
from pipelines.sources.base import Reason
from pipelines.sources.documents import pdf_child
from pipelines.sources.documents.pages import joined_pages
from pipelines.sources.documents.records import NoDocument

SECONDS = 300
"""PDFium reads 100 pages a second and more; what takes longer than this is made to take for ever."""

MIN_LETTERS = 20
"""A document with fewer letters is images of pages."""

_REASONS = {"encrypted": Reason.ENCRYPTED, "broken": Reason.UNREADABLE, "large": Reason.TOO_LARGE}
_DESCRIBED = {"Title": "title", "Author": "author", "Subject": "subject", "CreationDate": "created"}


def parse_pdf(content: bytes) -> dict[str, Any]:
    """Text and description of a PDF.

    Raises:
        NoDocument: It is encrypted, broken, has no text, or takes too much time or memory.
        UserError: The library that reads PDFs is not installed.
    """
    found = _child().ask(content)
    if "error" in found:
        raise NoDocument(_REASONS[found["error"]], found["why"])
    text = joined_pages(found["pages"])
    if sum(map(str.isalpha, text)) < MIN_LETTERS:
        raise NoDocument(Reason.NO_TEXT_LAYER, f"{len(found['pages']):,} pages, perhaps images of text")
    described = {name: found["described"].get(key) for key, name in _DESCRIBED.items()}
    described["pages"] = len(found["pages"])
    described["unreadable_pages"] = found["unreadable"]
    return {"text": text} | {name: value for name, value in described.items() if value}


class Child:
    """The process, started when it is first asked, and again after it died."""

    def __init__(self, script: str = pdf_child.__file__, seconds: float = SECONDS) -> None:
        self._script = script
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, content: bytes) -> dict[str, Any]:
        """What is in a PDF. Raises NoDocument where the process dies of it or takes too long."""
        process = self._running()
        try:
            _pipe(process.stdin).write(len(content).to_bytes(8, "little") + content)
            _pipe(process.stdin).flush()
            deadline = time.monotonic() + self._seconds
            size = int.from_bytes(self._read(8, deadline), "little")
            return cast(dict[str, Any], json.loads(self._read(size, deadline)))
        except TimeoutError as error:
            self.stop()
            why = f"it was not read within {self._seconds:g} seconds"
            raise NoDocument(Reason.UNREADABLE, why) from error
        except (OSError, EOFError) as error:
            code = self.stop()
            raise NoDocument(Reason.UNREADABLE, f"the library that reads PDFs died of it ({code})") from error

    def stop(self) -> int | None:
        """End the process and tell how it ended."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not written yet is not needed any more
                _pipe(pipe).close()
        return process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            command = [sys.executable, "-I", str(Path(self._script))]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process is not None, "it was asked"
        pipe = _pipe(self._process.stdout)
        pieces = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while len(pieces) < size:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = cast(Any, pipe).read1(size - len(pieces))
                if not piece:
                    raise EOFError
                pieces += piece
        return bytes(pieces)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "it was asked for"
    return pipe


_children: list[Child] = []


def _child() -> Child:
    """The process of this worker."""
    if not _children:
        if find_spec("pypdfium2") is None:
            raise UserError("PDFs are read with pypdfium2", hint="pip install 'coupage[documents]'")
        _children.append(Child())
        atexit.register(_children[0].stop)
    return _children[0]
