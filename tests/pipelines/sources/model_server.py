"""A small server that speaks as much of OpenAI's protocol as chats and embeddings take."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict


class Reply(NamedTuple):
    """What a server sends back."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


DROP = Reply(status=0)
"""The connection is closed without an answer."""


def says(text: str | None, finish_reason: str = "stop") -> Reply:
    """The answer of a chat."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Reply(body=json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def lists(*names: str) -> Reply:
    """The answer with the models that there are."""
    data = [{"object": "model", "id": name} for name in names]
    return Reply(body=json.dumps({"object": "list", "data": data}).encode())


def embeds(vectors: list[list[float]]) -> Reply:
    """The answer with embeddings, the last first: the protocol has an index for the order."""
    data = [{"object": "embedding", "index": i, "embedding": list(v)} for i, v in enumerate(vectors)]
    return Reply(body=json.dumps({"object": "list", "data": data[::-1]}).encode())


class ModelServer:
    """Answers each request by a function, on a free port of the loopback interface."""

    def __init__(self, answer: Callable[[Request], Reply], models: Reply | None = None) -> None:
        """`models` answers to GET /models; without it the server knows no GET."""
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.models = models
        self.looked = 0
        """Requests for the list of models."""
        self._answer = answer
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def reply(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._answer(request)
        finally:
            with self._lock:
                self._at_once -= 1


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            server.looked += 1
            self.send(server.models or Reply(501))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.reply(Request(self.path, headers, body))
            if reply.status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            with suppress(OSError):  # a client that waits no longer
                self.send(reply)

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    return Handler
