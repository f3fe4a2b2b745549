"""A real S3 server on the loopback interface, in a thread."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest


@contextmanager
def object_store() -> Iterator[str]:
    """The server's address; while the block runs the variables of the environment lead there.

    All servers of a process have one memory, which is emptied after each.
    """
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with at(f"http://{host}:{port}"):
            yield os.environ["AWS_ENDPOINT_URL"]
    finally:
        connection = HTTPConnection(host, port)
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200
        server.stop()


@contextmanager
def at(address: str) -> Iterator[None]:
    """While the block runs, the variables of the environment lead to a store at this address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hush-secret-key")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        _forget_connections()
        try:
            yield
        finally:
            _forget_connections()


def _forget_connections() -> None:
    """File systems are kept by fsspec, with the address that they were made with."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def bucket(name: str) -> "object":
    """A file system, with a new bucket."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    system.mkdir(name)
    return system


class BadRoad:
    """A way to a store on which answers get lost in the middle, or come slowly.

    Args:
        address: The store's.
        cut: Of the answers with more than 4 KiB so many of ten end in their middle.
        wait: Seconds before each of them.
        most: Bytes after which every answer ends.
    """

    def __init__(self, address: str, cut: int = 0, wait: float = 0, most: int | None = None) -> None:
        self.cut = 0
        """Answers that were cut."""
        self.asked: Counter[str] = Counter()
        """How often each path was."""
        self.large = 0
        """Answers with more than 4 KiB."""
        road, store = self, urlsplit(address).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                road.asked[f"{self.command} {urlsplit(self.path).path}"] += 1
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = HTTPConnection(store)
                connection.request(self.command, self.path, sent, dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
                whole = len(body)
                if whole > 4096:
                    road.large += 1
                    time.sleep(wait)
                    if road.large % 10 < cut:
                        road.cut += 1
                        body = body[: whole // 2]
                        self.close_connection = True
                if most is not None and self.command == "GET" and answer.status < 300 and whole > most:
                    road.cut += 1
                    body = body[:most]
                    self.close_connection = True
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("content-length") if self.command == "HEAD" else str(whole)
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(body)
                connection.close()

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "BadRoad":
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
