"""A small server that speaks as much of the hub's protocol as reading a dataset takes."""

import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlparse


@dataclass
class Dataset:
    """A dataset with its commits; `main` is where its branch points.

    Of a `gated` one everybody sees which files there are, and nobody gets them.
    """

    main: str
    commits: dict[str, dict[str, bytes]]
    gated: bool = False


class HubServer:
    """Serves datasets, each `owner/name`, on a free port of the loopback interface.

    With `drop_after` set, an answer with more bytes of a file breaks off there the first time it is asked
    for: the connection is closed. With `cut_after` each of them does, each time.

    With `storage` set, the address of another server of this kind, files are redirected to that.
    """

    def __init__(self, dataset: str, commit: str, files: dict[str, bytes], gated: bool = False) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.add(dataset, commit, files, gated)
        self.requests: list[str] = []
        self.drop_after: int | None = None
        self.dropped: set[str] = set()
        self.cut_after: int | None = None
        self.cut = 0
        self.storage = ""
        self.tokens: set[str | None] = set()
        """What those who asked for files showed."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def add(self, dataset: str, commit: str, files: dict[str, bytes], gated: bool = False) -> None:
        """Serve another dataset, or move the branch of one to another commit; the old one stays."""
        commits = self.datasets[dataset].commits if dataset in self.datasets else {}
        self.datasets[dataset] = Dataset(commit, commits | {commit: files}, gated)

    def files(self, dataset: str, revision: str | None) -> dict[str, bytes] | None:
        """The files at a revision, None if there is none."""
        found = self.datasets[dataset]
        return found.commits.get(found.main if revision in (None, "main") else revision)

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict]:
        prefix = f"{folder}/" if folder else ""
        inside = [name for name in sorted(files) if name.startswith(prefix)]
        here = [name for name in inside if recursive or "/" not in name.removeprefix(prefix)]
        folders = {
            prefix + name.removeprefix(prefix).split("/")[0]
            for name in inside
            if "/" in name.removeprefix(prefix)
        }
        return [
            *({"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in sorted(folders)),
            *({"type": "file", "oid": "1" * 40, "size": len(files[path]), "path": path} for path in here),
        ]


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        body = b""

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self.answer()

        def answer(self) -> None:
            parsed = urlparse(self.path)
            path = unquote(parsed.path)
            hub.requests.append(f"{self.command} {self.path}")
            if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self.file(*match.groups())
            elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                self.revision(match[1], match[2], lambda files: self.described(match[1], match[2], files))
            elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/tree/([^/]+)(?:/(.+))?", path):
                recursive = "recursive=true" in parsed.query.lower()
                self.revision(
                    match[1], match[2], lambda files: hub.tree(files, (match[3] or "").rstrip("/"), recursive)
                )
            elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/([^/]+)", path):
                asked = json.loads(self.body)["paths"]
                self.revision(
                    match[1],
                    match[2],
                    lambda files: [each for each in hub.tree(files, "", True) if each["path"] in asked],
                )
            else:
                self.error(404, "RepoNotFound")

        def described(self, dataset: str, revision: str | None, files: dict[str, bytes]) -> dict:
            commit = hub.datasets[dataset].main if revision in (None, "main") else revision
            return {"id": dataset, "sha": commit, "siblings": [{"rfilename": name} for name in files]}

        def revision(self, dataset: str, revision: str | None, value: Callable[[dict], object]) -> None:
            if dataset not in hub.datasets:
                return self.error(404, "RepoNotFound")
            files = hub.files(dataset, revision)
            if files is None:
                return self.error(404, "RevisionNotFound")
            self.send(200, json.dumps(value(files)).encode(), {"content-type": "application/json"})

        def file(self, dataset: str, revision: str, name: str) -> None:
            files = hub.files(dataset, revision) if dataset in hub.datasets else None
            if files is None:
                return self.error(404, "RevisionNotFound")
            if name not in files:
                return self.error(404, "EntryNotFound")
            if hub.datasets[dataset].gated and not name.endswith(".md"):
                return self.error(403, "GatedRepo")
            hub.tokens.add(self.headers.get("authorization"))
            content = files[name]
            commit = hub.datasets[dataset].main if revision == "main" else revision
            etag = hashlib.sha256(content).hexdigest()
            headers = {"etag": f'"{etag}"', "x-repo-commit": commit, "accept-ranges": "bytes"}
            if hub.storage and not name.endswith(".md"):
                return self.send(302, b"", headers | {"location": hub.storage + self.path})
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", "")):
                start, end = int(match[1]), int(match[2] or len(content) - 1)
                if start >= len(content):
                    return self.send(416, b"", {"content-range": f"bytes */{len(content)}"})
                end = min(end, len(content) - 1)
                headers["content-range"] = f"bytes {start}-{end}/{len(content)}"
                return self.send(206, content[start : end + 1], headers, hub.drop_after)
            self.send(200, content, headers, hub.drop_after)

        def error(self, status: int, code: str) -> None:
            self.send(status, b"{}", {"x-error-code": code, "x-error-message": code})

        def send(
            self, status: int, body: bytes, headers: dict[str, str], drop_after: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            asked = f"{self.path} {self.headers.get('range')}"
            if drop_after is not None and len(body) > drop_after and asked not in hub.dropped:
                hub.dropped.add(asked)
                body = body[:drop_after]
                self.close_connection = True
            if hub.cut_after is not None and "/resolve/" in self.path and len(body) > hub.cut_after:
                hub.cut += 1
                body = body[: hub.cut_after]
                self.close_connection = True
            self.wfile.write(body)

    return Handler
