"""A judged run with hostile documents, and a server of it that is asked over HTTP."""

import json
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.pipelines.command_line import command, environment
from tests.pipelines.corpus import document, write_corpus

HOSTILE = [
    {"id": "a/b?c=\"d\"&e='%41'#+<i>", "text": "<script>alert(1)</script><img src=x onerror=alert(1)>"},
    {"id": "</title><script>alert(2)</script>", "text": "{{ 7 * 7 }} {% raw %} </div></body> &lt;b&gt;"},
    {"id": "right\u202eleft", "text": "a\u202eb\u2066c\x1b[2Jd\x07e"},
    {"id": "long", "text": "w" * 1_000_000},
    {"id": "../../etc/passwd", "text": "javascript:alert(3) \" onmouseover=alert(4) '"},
]
ITEM = {
    "q": "Which river runs past the seven mills of the old town of Marlow and on into the northern sea?",
    "a": "the slow green river Wenlow, which freezes over in the month of January",
}


def write_lines(path: Path, records: list[dict]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture(scope="session")
def judged(tmp_path_factory, coupage) -> Path:
    """A run whose documents are judged: duplicates, a leak, conversations, hostile documents."""
    folder = tmp_path_factory.mktemp("browsed")
    write_corpus(folder, documents=160)
    rng = random.Random(4)
    leak = f"{document(rng, 8)}\n{ITEM['q']}\n{ITEM['a']}\n{document(rng, 8)}"
    write_lines(folder / "odd.jsonl", [*HOSTILE, {"id": "leak", "text": leak}])
    write_lines(folder / "exam.jsonl", [ITEM])
    talk = [
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "<b>Hi.</b>", "reasoning_content": "Hm."},
    ]
    write_lines(folder / "talk.jsonl", [{"id": "t", "messages": talk}])
    (folder / "recipe.yaml").write_text(f"""\
name: browsed
sources:
  web: {{reader: files, path: {folder}/web.jsonl, fields: {{id: id}}}}
  law: {{reader: files, path: {folder}/law.jsonl, fields: {{id: id}}}}
  odd: {{reader: files, path: {folder}/odd.jsonl, fields: {{id: id}}}}
  talk: {{reader: files, path: {folder}/talk.jsonl, messages: messages}}
part_size: 60k
curate: {{rules: [{{use: [gopher_quality], sources: [web]}}]}}
decontaminate:
  against: {{exam: {{path: {folder}/exam.jsonl, question: q, answer: a}}}}
tokenizer: {{train: {{vocabulary_size: 600}}}}
mixtures: {{stage1: {{tokens: 1k, weights: {{web: 1}}}}}}
""")
    coupage("run", folder / "recipe.yaml", "--workdir", folder / "run", "--until", "select")
    return folder / "run"


@contextmanager
def serving(run: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server of a run in a process of its own, and the address that it printed."""
    server = subprocess.Popen(
        command("serve", run, "--port", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield server, server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)


@pytest.fixture(scope="session")
def address(judged) -> Iterator[str]:
    with serving(judged) as (_, printed):
        yield printed


@pytest.fixture(scope="session")
def browser(address) -> Iterator[httpx.Client]:
    """A client that was let in."""
    with httpx.Client(base_url=address.partition("/?")[0], timeout=120) as client:
        assert client.get(address).status_code == 200
        yield client


def links_to_documents(page: str) -> list[str]:
    """The places of the documents on a page."""
    return re.findall(r'<p><a href="/document\?at=([0-9.]+)">', page)


def next_page(page: str) -> str | None:
    found = re.search(r'href="([^"]*)" rel="next"', page)
    return found and found[1].replace("&amp;", "&")


def visited(browser: httpx.Client, **query: object) -> list[str]:
    """The places on all pages of a list, one after another."""
    answer = browser.get("/documents", params=query)
    places: list[str] = []
    while True:
        assert answer.status_code == 200, answer.text
        places += links_to_documents(answer.text)
        if (following := next_page(answer.text)) is None:
            return places
        answer = browser.get(following)
