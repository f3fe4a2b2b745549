"""An HTTP server that serves one content, and has moods: what a path begins with says which."""

import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class HostileServer:
    """Runs on a free port of the loopback interface, in a thread.

    Args:
        content: What each of its files holds.
        certificate: A file with a key and a certificate, to speak TLS with.
        elsewhere: Where the mood `away` sends people.
    """

    def __init__(self, content: bytes, certificate: Path | None = None, elsewhere: str = "") -> None:
        self.content = content
        self.tag = '"first"'
        self.elsewhere = elsewhere
        self.most = 0
        """Bytes of an answer in the mood `cutting`."""
        self.asked: Counter[str] = Counter()
        """Requests by path."""
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(_Handler):
            owner = server

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            self._scheme = "https"

    def __enter__(self) -> "HostileServer":
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self._http.server_port}/{path}"


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up, too."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: HostileServer

    def do_GET(self) -> None:
        path = self.path.strip("/").partition("?")[0]
        self.owner.asked[path] += 1
        self.owner.headers.append({name.lower(): value for name, value in self.headers.items()})
        mood, _, _ = path.partition("/")
        with suppress(ConnectionError, ssl.SSLError):
            getattr(self, f"_{mood}")(self.owner.asked[path])

    def log_message(self, *_: object) -> None:
        pass

    def _whole_or_part(self) -> tuple[int, dict[str, str], bytes]:
        content, size = self.owner.content, len(self.owner.content)
        asked = self.headers.get("range")
        if asked is None:
            return 200, {}, content
        first, last = asked.removeprefix("bytes=").split("-")
        part = content[int(first) : int(last) + 1]
        if not part:
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        return 206, {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{size}"}, part

    def _answer(self, status: int, headers: dict[str, str], body: bytes, promised: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"ETag": self.owner.tag, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def _good(self, time: int) -> None:
        if self.headers.get("if-match", self.owner.tag) != self.owner.tag:
            self._answer(412, {}, b"")
        else:
            self._answer(*self._whole_or_part())

    def _dropping(self, time: int) -> None:
        """Two answers of three end in the middle."""
        status, headers, body = self._whole_or_part()
        if time % 3:
            self._answer(status, headers, body[: len(body) // 2], len(body))
            self._hang_up()
        else:
            self._answer(status, headers, body)

    def _busy(self, time: int) -> None:
        """Of three answers one is 429 and one 503."""
        if time % 3 == 1:
            self._answer(429, {"Retry-After": "0.01"}, b"")
        elif time % 3 == 2:
            self._answer(503, {}, b"")
        else:
            self._good(time)

    def _cutting(self, time: int) -> None:
        """Each answer ends after so many bytes."""
        status, headers, body = self._whole_or_part()
        self._answer(status, headers, body[: self.owner.most], len(body))
        if len(body) > self.owner.most:
            self._hang_up()

    def _silent(self, time: int) -> None:
        """It tells the size, and then sends nothing of what it promises."""
        status, headers, body = self._whole_or_part()
        self._answer(status, headers, body if len(body) == 1 else b"", len(body))
        self._hang_up()

    def _trickling(self, time: int) -> None:
        """Each answer ends after ten bytes."""
        status, headers, body = self._whole_or_part()
        self._answer(status, headers, body[:10], len(body))
        self._hang_up()

    def _beyond(self, time: int) -> None:
        """It sends more than it promises."""
        status, headers, body = self._whole_or_part()
        self._answer(status, headers, body + b"more", len(body))

    def _long(self, time: int) -> None:
        """It says that a part is longer than was asked for."""
        _, headers, body = self._whole_or_part()
        self._answer(206, headers, body + b"more" if len(body) > 1 else body)

    def _other(self, time: int) -> None:
        """It gives another part than was asked for."""
        size = len(self.owner.content)
        if time == 1:
            self._answer(206, {"Content-Range": f"bytes 0-0/{size}"}, self.owner.content[:1])
        else:
            self._answer(206, {"Content-Range": f"bytes 1-{size - 1}/{size}"}, self.owner.content[1:])

    def _grows(self, time: int) -> None:
        """It tells another size each time."""
        self._answer(206, {"Content-Range": f"bytes 0-0/{1000 * time}"}, b"x")

    def _unranged(self, time: int) -> None:
        """It gives the whole file whatever is asked for; the second time not all of it."""
        body = self.owner.content
        self._answer(200, {}, body[: len(body) // 2] if time == 2 else body, len(body))
        if time == 2:
            self._hang_up()

    def _slow(self, time: int) -> None:
        """It sends a byte now and then, for ever."""
        status, headers, body = self._whole_or_part()
        if len(body) == 1:
            self._answer(status, headers, body)
            return
        self._answer(status, headers, b"", len(body))
        for number in range(len(body)):
            self.wfile.write(body[number : number + 1])
            self.wfile.flush()
            _pause()

    def _away(self, time: int) -> None:
        self._answer(302, {"Location": f"{self.owner.elsewhere}?X-Signature=hush"}, b"")

    def _near(self, time: int) -> None:
        self._answer(307, {"Location": "/good/file.jsonl"}, b"")

    def _circle(self, time: int) -> None:
        self._answer(302, {"Location": "/circle/file.jsonl"}, b"")

    def _locked(self, time: int) -> None:
        self._answer(403, {}, b"")

    def _missing(self, time: int) -> None:
        self._answer(404, {}, b"")

    def _sizeless(self, time: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"1\r\nx\r\n0\r\n\r\n")


def _pause() -> None:
    time.sleep(0.02)


def write_certificate(path: Path, until: timedelta, name: str = "127.0.0.1") -> Path:
    """A key and a certificate that signs itself and holds from a year ago `until` then, from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=365))
        .not_valid_after(now + until)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
