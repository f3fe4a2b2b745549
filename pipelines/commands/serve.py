"""`coupage serve`."""

from __future__ import annotations

import asyncio
import html
import socket
import tempfile
from pathlib import Path

from pipelines.commands.console import PlainConsole
from pipelines.commands.open_run import open_latest
from pipelines.errors import UserError

PORT = 8765
TRIED = 100
"""Ports from there on that are tried, where none is asked for."""


def serve_run(folder: Path, port: int | None, is_opened: bool) -> None:
    """Show the documents of a run in a browser, until Ctrl-C."""
    from pipelines.report.browse.access import Access
    from pipelines.report.browse.corpus import Corpus
    from pipelines.report.browse.server import serve

    corpus = Corpus.open(open_latest(folder).graph, folder)
    console = PlainConsole()
    with _listening(port) as listening, tempfile.TemporaryDirectory(prefix="coupage-") as own_folder:
        access = Access(listening.getsockname()[1])

        def ready() -> None:
            console.print(access.address, soft_wrap=True)
            console.print(
                "Whoever has this address can read the documents from this machine. Ctrl-C ends it."
            )
            if is_opened:
                _open_in_browser(access.address, Path(own_folder))

        asyncio.run(serve(corpus, access, listening, ready))


def _listening(port: int | None) -> socket.socket:
    """A socket that only this machine reaches."""
    for number in range(PORT, PORT + TRIED) if port is None else [port]:
        try:
            return socket.create_server(("127.0.0.1", number))
        except OSError as error:
            reason = error.strerror
    raise UserError(f"port {number}: {reason}", hint="Give another --port, or 0 for one that is free.")


def _open_in_browser(address: str, folder: Path) -> None:
    """Open the address by way of a file that nobody else reads: all see what a program is called with."""
    import webbrowser

    path = folder / "open.html"
    path.write_text(f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">')
    webbrowser.open(path.as_uri())
