"""A small server that speaks as much of the hub's protocol as reading a dataset takes."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlparse


class HubServer:
    """Serves one dataset, `owner/name`, at one commit, on a free port of the loopback interface.

    Of a `gated` one everybody sees which files there are, and nobody gets them.
    """

    def __init__(self, dataset: str, commit: str, files: dict[str, bytes], gated: bool = False) -> None:
        self.gated = gated
        self.dataset = dataset
        self.commit = commit
        self.files = files
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def tree(self, folder: str, recursive: bool) -> list[dict]:
        prefix = f"{folder}/" if folder else ""
        inside = [name for name in sorted(self.files) if name.startswith(prefix)]
        files = [name for name in inside if recursive or "/" not in name.removeprefix(prefix)]
        folders = {
            prefix + name.removeprefix(prefix).split("/")[0]
            for name in inside
            if "/" in name.removeprefix(prefix)
        }
        return [
            *({"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in sorted(folders)),
            *(
                {"type": "file", "oid": "1" * 40, "size": len(self.files[path]), "path": path}
                for path in files
            ),
        ]


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.answer()

        def answer(self) -> None:
            parsed = urlparse(self.path)
            path = unquote(parsed.path)
            hub.requests.append(f"{self.command} {self.path}")
            if match := re.fullmatch(rf"/datasets/{hub.dataset}/resolve/([^/]+)/(.+)", path):
                self.file(*match.groups())
            elif match := re.fullmatch(rf"/api/datasets/{hub.dataset}(?:/revision/([^/]+))?", path):
                siblings = [{"rfilename": name} for name in hub.files]
                self.revision(match[1], {"id": hub.dataset, "sha": hub.commit, "siblings": siblings})
            elif match := re.fullmatch(rf"/api/datasets/{hub.dataset}/tree/([^/]+)(?:/(.+))?", path):
                recursive = "recursive=true" in parsed.query.lower()
                self.revision(match[1], hub.tree(match[2] or "", recursive))
            else:
                self.error(404, "RepoNotFound")

        def revision(self, revision: str | None, value: object) -> None:
            if revision not in (None, "main", hub.commit):
                return self.error(404, "RevisionNotFound")
            self.send(200, json.dumps(value).encode(), {"content-type": "application/json"})

        def file(self, revision: str, name: str) -> None:
            if revision not in ("main", hub.commit):
                return self.error(404, "RevisionNotFound")
            if name not in hub.files:
                return self.error(404, "EntryNotFound")
            if hub.gated and not name.endswith(".md"):
                return self.error(403, "GatedRepo")
            content = hub.files[name]
            headers = {"etag": f'"{len(content)}"', "x-repo-commit": hub.commit, "accept-ranges": "bytes"}
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", "")):
                start, end = int(match[1]), int(match[2] or len(content) - 1)
                headers["content-range"] = f"bytes {start}-{end}/{len(content)}"
                return self.send(206, content[start : end + 1], headers)
            self.send(200, content, headers)

        def error(self, status: int, code: str) -> None:
            self.send(status, b"{}", {"x-error-code": code, "x-error-message": code})

        def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
