"""Files of HTTP servers: read on where a connection broke, and refused where a server cannot be trusted."""

import base64
import io
import random
import traceback
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Quarantine
from pipelines.sources.files import FilesConfig
from pipelines.sources.remote import file as remote_file
from pipelines.sources.remote import http
from pipelines.sources.remote.file import open_remote, remote_state
from tests.pipelines.sources.remote.hostile_server import HostileServer, write_certificate

CONTENT = random.Random(3).randbytes(200_000)


@pytest.fixture
def server():
    with HostileServer(CONTENT) as running:
        yield running


@pytest.mark.parametrize("mood", ["good", "dropping", "busy", "unranged", "near", "beyond"])
def test_a_file_is_read_whole_whatever_its_server_goes_through(server, mood):
    with open_remote(server.url(f"{mood}/file.jsonl")) as file:
        assert file.read() == CONTENT


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 210_000), st.integers(0, 150_000)), max_size=8))
def test_it_is_read_like_a_local_file(server, steps):
    """Through connections that break, in steps of a seek and a read."""
    here = io.BytesIO(CONTENT)
    with open_remote(server.url("dropping/file.jsonl")) as there:
        for offset, size in steps:
            assert there.seek(offset) == here.seek(offset)
            assert there.read(size) == here.read(size)
            assert there.tell() == here.tell()
        assert there.seek(-3, io.SEEK_END) == here.seek(-3, io.SEEK_END)
        assert there.read() == here.read()


@settings(max_examples=25, deadline=None)
@given(size=st.integers(0, 300_000), most=st.integers(1000, 40_000), steps=st.integers(0, 3))
def test_a_server_that_cuts_every_answer_is_read_on_where_it_cut(size, most, steps):
    content = random.Random(size).randbytes(size)
    with HostileServer(content) as server, open_remote(server.url("cutting/file.jsonl")) as file:
        server.most = most
        file.seek(size * steps // 4)
        assert file.read() == content[size * steps // 4 :]
        asked = sum(server.asked.values())
    assert asked < 20 + 2 * size / most, "each answer brings something"


def test_what_was_read_is_not_asked_for_again_after_a_drop(server, monkeypatch):
    monkeypatch.setattr(remote_file, "FIRST_BYTES", 1000)
    monkeypatch.setattr(remote_file, "MOST_BYTES", 10_000)
    with open_remote(server.url("dropping/file.jsonl")) as file:
        assert file.read() == CONTENT
    asked = [headers["range"].removeprefix("bytes=").split("-") for headers in server.headers]
    assert sum(int(last) - int(first) + 1 for first, last in asked) < 4 * len(CONTENT)
    assert max(int(last) - int(first) + 1 for first, last in asked) <= 10_000


@pytest.mark.parametrize(
    ("mood", "error", "words"),
    [
        ("silent", WorkError, "after 4 attempts: .*bytes"),
        ("trickling", WorkError, "after 4 attempts: .*bytes"),
        ("long", WorkError, "promised 65,536 bytes and sends more"),
        ("other", WorkError, "was asked for the bytes 0-65535 and gave 1-"),
        ("grows", WorkError, "said that there are 1,000 bytes, and now that there are 2,000"),
        ("away", UserError, "redirects to http://localhost.*, which was not named"),
        ("circle", WorkError, "redirects without end"),
        ("sizeless", UserError, "does not tell its size"),
        ("locked", PermissionError, "403"),
        ("missing", FileNotFoundError, "no such file"),
    ],
)
def test_a_server_that_cannot_be_trusted_is_refused_and_named(server, mood, error, words):
    url = server.url(f"{mood}/file.jsonl")
    server.elsewhere = server.url("good/file.jsonl", host="localhost")
    with pytest.raises(error, match=words) as raised, open_remote(url) as file:
        file.read()
    assert url in str(raised.value)
    assert "hush" not in "".join(traceback.format_exception(raised.value))
    assert "good/file.jsonl" not in server.asked


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server, monkeypatch):
    monkeypatch.setattr(http, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(http, "LEAST_RATE", 10_000)
    with (
        pytest.raises(WorkError, match=r"after 4 attempts: the server sent \d+ bytes"),
        open_remote(server.url("slow/file.jsonl")) as file,
    ):
        file.read()


def test_a_file_that_changes_is_not_pieced_together(server, monkeypatch):
    monkeypatch.setattr(remote_file, "MOST_BYTES", 10_000)
    url = server.url("good/file.jsonl")
    version = remote_state(url).tag
    with open_remote(url, version) as file:
        file.read(1000)
        server.tag = '"second"'
        with pytest.raises(WorkError, match="changed while it was read"):
            file.read()
    with pytest.raises(WorkError, match="changed while it was read"):
        open_remote(url, version)


def test_a_file_that_changes_while_a_connection_breaks_is_seen(server, monkeypatch):
    monkeypatch.setattr(remote_file, "MOST_BYTES", 10_000)
    with open_remote(server.url("dropping/file.jsonl")) as file:
        file.read(1)
        server.tag = '"second"'
        with pytest.raises(WorkError, match="changed while it was read"):
            file.read()


@pytest.mark.parametrize(
    ("until", "is_trusted", "words"),
    [
        (timedelta(days=-1), True, "certificate has expired"),
        (timedelta(days=1), False, "self-signed certificate"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(tmp_path, monkeypatch, until, is_trusted, words):
    certificate = write_certificate(tmp_path / "server.pem", until)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        HostileServer(CONTENT, certificate) as server,
        pytest.raises(UserError, match=f"certificate is refused: {words}") as raised,
    ):
        open_remote(server.url("good/file.jsonl"))
    assert "SSL_CERT_FILE" in raised.value.hint


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(tmp_path, monkeypatch):
    certificate = write_certificate(tmp_path / "server.pem", timedelta(days=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with HostileServer(CONTENT, certificate) as server:
        with open_remote(server.url("good/file.jsonl")) as file:
            assert file.read() == CONTENT
        server.elsewhere = server.url("good/file.jsonl").replace("https", "http")
        with pytest.raises(UserError, match="redirects to http:"):
            open_remote(server.url("away/file.jsonl"))


def test_the_end_of_a_file_is_fetched_once(server):
    url = server.url("good/file.parquet")
    for _ in range(3):
        with open_remote(url) as file:
            file.seek(-1000, io.SEEK_END)
            assert file.read() == CONTENT[-1000:]
    asked = [headers["range"] for headers in server.headers]
    assert len([each for each in asked if each != "bytes=0-0"]) == 1
    server.content, server.tag = CONTENT[::-1], '"second"'
    with open_remote(url) as file:
        file.seek(-1000, io.SEEK_END)
        assert file.read() == CONTENT[::-1][-1000:]


def test_a_source_is_one_file_of_a_server(server, tmp_path, monkeypatch):
    server.content = b'{"text": "one"}\n{"text": "two"}\n'
    monkeypatch.setenv("SIGNATURE", "hush")
    url = server.url("dropping/my%20file.jsonl?x-signature=${SIGNATURE}")
    source = FilesConfig(reader="files", path=url).build("s", tmp_path)
    (unit,) = source.units(1000)
    tables = list(source.read(unit, Quarantine()))
    assert [table.column("doc_id").to_pylist() for table in tables] == [
        ["s/my file.jsonl:0", "s/my file.jsonl:1"]
    ]
    assert "hush" not in f"{source} {source.identity()} {unit} {source.files}"
    server.tag = '"second"'
    with pytest.raises(WorkError, match="changed while it was read"):
        list(source.read(unit, Quarantine()))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("good/", "do not list their files"),
        ("good/*.jsonl", "do not list their files"),
        ("missing/a.jsonl", "no file matches"),
    ],
)
def test_a_folder_of_a_server_is_refused(server, tmp_path, address, words):
    with pytest.raises(UserError, match=words):
        FilesConfig(reader="files", path=server.url(address)).build("s", tmp_path).units(1000)


def test_logins_come_from_the_environment_and_from_the_users_file(server, tmp_path, monkeypatch):
    def sent(url: str) -> str:
        with open_remote(url) as file:
            assert file.read() == CONTENT
        kind, _, login = server.headers[-1]["authorization"].partition(" ")
        assert kind == "Basic"
        return base64.b64decode(login).decode()

    url = server.url("near/file.jsonl")
    logins = tmp_path / "netrc"
    logins.write_text("machine 127.0.0.1 login me password from-the-file\n")
    logins.chmod(0o600)
    monkeypatch.setenv("NETRC", str(logins))
    assert sent(url) == "me:from-the-file"
    monkeypatch.setenv("WHO", "me")
    monkeypatch.setenv("HUSH", "from-a-variable")
    assert sent(url.replace("127", "${WHO}:${HUSH}@127")) == "me:from-a-variable"
    with pytest.raises(PermissionError) as raised:
        open_remote(server.url("locked/file.jsonl").replace("127", "${WHO}:${HUSH}@127"))
    assert "from-a-variable" not in "".join(traceback.format_exception(raised.value))
    logins.write_text("machine")
    with pytest.raises(UserError, match="file of logins cannot be read"):
        open_remote(url)
