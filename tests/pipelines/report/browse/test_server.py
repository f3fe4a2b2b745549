"""Who is answered by `coupage serve`, and how it ends."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.pipelines.report.browse.conftest import serving


def test_only_who_has_the_address_is_let_in(address):
    base = address.partition("/?")[0]
    for path in ("/", "/documents", "/document?at=0.0.0", "/report", "/?token=", "/?token=wrong"):
        assert httpx.get(base + path).status_code == 403
    assert "SameSite=Strict" in (cookie := httpx.get(address).headers["Set-Cookie"]) and "HttpOnly" in cookie


def test_a_server_of_another_name_is_none(browser, address):
    port = address.partition("/?")[0].rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1:1", f"127.0.0.1.evil.example:{port}", ""):
        assert browser.get("/", headers={"Host": host}).status_code in (400, 421)
    for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
        assert browser.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(browser, method):
    assert browser.request(method, "/documents").status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/report/../recipe.yaml", "/templates/style.css"],
)
def test_no_other_file_is_served(address, browser, path):
    host, port = address.removeprefix("http://").partition("/?")[0].split(":")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with socket.create_connection((host, int(port))) as raw:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Cookie: {cookie}", "Connection: close"]
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")


def test_no_page_can_run_or_load_anything(browser):
    for path in ("/", "/documents", "/document?at=0.0.0", "/nothing"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"].split("; ")
        assert policy[0] == "default-src 'none'" and "form-action 'self'" in policy
        assert not any(word in headers["Content-Security-Policy"] for word in ("script", "unsafe"))
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_several_are_answered_at_once(browser):
    paths = ["/documents?search=river", "/documents?reason=near", "/", "/document?at=0.0.1"] * 3
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(browser.get, paths))
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert all(answers[n].text == answers[n + 4].text for n in range(8))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_interrupted(judged, number):
    with serving(judged) as (server, address):
        assert httpx.get(address).status_code == 200
        server.send_signal(number)
        output, errors = server.communicate(timeout=60)
        assert (server.returncode, errors) == (0, "") and "Traceback" not in output


def test_a_port_that_is_taken_is_told(coupage, judged, address):
    port = address.partition("/?")[0].rpartition(":")[2]
    assert f"port {port}: " in coupage("serve", judged, "--port", port, code=2).stderr
