import gzip
import json
import os
import subprocess
import sys
import time

import pytest

from pipelines.errors import UserError, WorkError
from pipelines.sources.base import Reason
from pipelines.sources.files import FilesConfig
from pipelines.sources.web.options import Pages
from pipelines.sources.web.workers import Worker

from ..conftest import Reading
from ..model_server import ModelServer, Reply, says
from .archives import gzipped, html, page, record, response

WHOLE = {"pages": {"extractor": "whole_page"}}
SLOW_PAGE = "<p>" + "a<br>" * 100_000
"""Takes trafilatura and readability many seconds: some of what they do grows with the square of a page."""


def test_a_file_of_html_is_one_document(read):
    reading = read(
        {"a.html": html("One."), "b/c.HTM.gz": gzip.compress(html("Two.")), "d.xhtml": b""},
        **WHOLE,
    )
    assert [text.split(" It")[0] for text in reading.texts] == ["One.", "Two."]
    assert reading.ids == ["s/a.html:0", "s/b/c.HTM.gz:0"]
    assert json.loads(reading.documents[0]["metadata"])["title"] == "T"


def test_files_of_html_that_are_no_pages(read):
    options = {"pages": {"extractor": "whole_page", "largest": 1_000}}
    reading = read(
        {"a.html": b"<p>" + b"x" * 1_000, "b.html": b"<html></html>", "c.html.gz": b"\x1f\x8b\x08junk"},
        **options,
    )
    assert not reading.documents and reading.set_aside.no_documents == {"page without text": 1}
    assert [reason for _, reason in reading.reasons] == ["record too large", "corrupt gzip"]


def test_replaced_characters_are_told(read):
    reading = read({"a.html": html("One.").replace(b"One", b"O\xffe") + b"<p>" + "ж".encode() * 99}, **WHOLE)
    assert json.loads(reading.documents[0]["metadata"])["replaced_characters"] == 1


def test_the_identity_names_our_version_and_the_libraries(tmp_path):
    (tmp_path / "a.html").write_bytes(html("One."))
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "x"}')

    def identity(path: str, **pages: str) -> dict:
        return FilesConfig(reader="files", path=path, pages=pages).build("s", tmp_path).identity()

    assert set(identity("a.html")["pages"]) == {"version", "trafilatura", "jusText", "lxml"}
    assert identity("a.html") != identity("a.html", extractor="resiliparse")
    assert "pages" not in identity("b.jsonl")


@pytest.mark.parametrize("extractor", ["trafilatura", "readability"])
def test_a_slow_page_is_given_up_and_the_next_goes_on(extractor):
    pytest.importorskip("lxml_html_clean")
    pages = Pages(extractor=extractor, seconds=0.3)
    worker = Worker(pages)
    try:
        texts = list(worker.texts([html("One.").decode(), SLOW_PAGE, html("Two.").decode()]))
    finally:
        worker.close()
    assert texts[1] is Reason.SLOW_PAGE
    assert texts[0].startswith("One.") and texts[2].startswith("Two.")


def test_a_page_that_ends_the_process_is_set_aside():
    worker = Worker(Pages(extractor="whole_page", memory=500_000_000))
    try:
        texts = list(worker.texts([html("One.").decode(), "<p>x</p>" * 1_500_000, html("Two.").decode()]))
    finally:
        worker.close()
    assert texts[1] is Reason.EXTRACTOR_FAILED
    assert texts[0].startswith("One.") and texts[2].startswith("Two.")


def test_a_slow_page_of_an_archive_is_set_aside_with_its_place(read):
    pytest.importorskip("lxml_html_clean")
    records = [page("One."), record("response", response(SLOW_PAGE.encode())), page("Two.")]
    reading = read({"a.warc.gz": gzipped(records)}, pages={"seconds": 0.3})
    assert [text.split(" It")[0] for text in reading.texts] == ["One.", "Two."]
    assert reading.reasons == [(f"byte {len(gzipped(records[:1]))}", "the extractor took too long")]


def test_the_process_of_extraction_ends_with_its_parent():
    code = (
        "from pipelines.sources.web.workers import Worker\n"
        "from pipelines.sources.web.options import Pages\n"
        "worker = Worker(Pages(extractor='whole_page'))\n"
        "print(list(worker.texts(['<p>x</p>'])), worker._process.pid, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    path = os.pathsep.join(each for each in sys.path if each)
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    ).stdout
    assert said.startswith("['x']")
    process = int(said.split()[-1])
    for _ in range(1_000):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        with open(f"/proc/{process}/stat") as stat:
            if stat.read().split()[2] == "Z":
                return
        time.sleep(0.02)
    raise AssertionError("it goes on")


def asking(base_url: str, **more: object) -> dict:
    return {"pages": {"extractor": "endpoint", "endpoint": {"base_url": base_url, "model": "m", **more}}}


def test_a_model_behind_an_endpoint_finds_the_text(read, monkeypatch):
    monkeypatch.setenv("PAGES_KEY", "secret")
    body = b"<style>s{}</style><script>alert(1)</script><!-- c --><p onclick=x>One.</p><pre>a\nb</pre>"

    def answer(request) -> Reply:
        question = request.body["messages"][0]["content"]
        return says(f"# Found\n\n{'<p>One.</p>' in question} {'alert' in question}")

    with ModelServer(answer) as server:
        reading = read(
            {"a.warc": record("response", response(body)) + page("x")},
            **asking(server.url, key="PAGES_KEY", prompt="Read {html}!"),
        )
    assert reading.texts == ["# Found\n\nTrue False", "# Found\n\nFalse False"]
    first = server.requests[0]
    assert first.headers["authorization"] == "Bearer secret" and first.body["temperature"] == 0
    asked = sorted(request.body["messages"][0]["content"] for request in server.requests)
    assert all(question.startswith("Read <body>") and "onclick" not in question for question in asked)


def test_a_preview_asks_no_model(tmp_path):
    (tmp_path / "a.html").write_bytes(html("One."))
    config = FilesConfig(reader="files", path="a.html", **asking("http://127.0.0.1:9/v1"))
    assert config.build("s", tmp_path).preview().documents.num_rows == 1


def test_pages_that_a_model_does_not_read_are_set_aside(read):
    def answer(request) -> Reply:
        question = request.body["messages"][0]["content"]
        if "Refused" in question:
            return Reply(400, b"no")
        return says("cut", "length") if "Long" in question else says("" if "Silent" in question else "Text.")

    records = [page("Refused."), page("Long."), page("Good."), page("Silent."), page("word " * 2_000)]
    with ModelServer(answer) as server:
        reading = read({"a.warc": b"".join(records)}, **asking(server.url, input_tokens=1_000))
    assert reading.texts == ["Text."]
    assert [reason for _, reason in reading.reasons] == [*["the model gave no text"] * 3, "record too large"]


def test_a_server_that_is_not_there_stops_the_work(read):
    with ModelServer(lambda request: Reply(404, b"")) as server:
        url = server.url
        with pytest.raises(WorkError, match="404"):
            read({"a.html": html("One.")}, **asking(url))


def test_the_key_must_be_there(read, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(UserError, match="NO_SUCH_KEY"):
        read({"a.html": html("One.")}, **asking("http://localhost:1/v1", key="NO_SUCH_KEY"))


@pytest.mark.parametrize(
    "options",
    [
        {"extractor": "nonsense"},
        {"extractor": "endpoint"},
        {"endpoint": {"base_url": "http://localhost/v1", "model": "m"}},
        {"seconds": 0},
        {"keep": ["pictures"]},
        {"extractor": "endpoint", "endpoint": {"base_url": "http://x/v1", "model": "m", "prompt": "no page"}},
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options):
    with pytest.raises(ValueError):
        FilesConfig(reader="files", path="a.html", pages=options)


def test_a_preview_reads_the_first_pages_of_an_archive(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(gzipped(page(f"Page {number}.") for number in range(50)))
    preview = FilesConfig(reader="files", path="a.warc.gz", **WHOLE).build("s", tmp_path).preview()
    assert preview.documents.num_rows == 50
    assert Reading(FilesConfig(reader="files", path="a.warc.gz", **WHOLE).build("s", tmp_path)).documents
