import os
import signal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.documents import pdf as pdf_reader
from pipelines.sources.documents.pages import joined_pages
from pipelines.sources.documents.pdf import Child
from pipelines.sources.documents.records import NoDocument

from .making import assembled, pdf

PAGE = ["The first line of this page is a long one and it", "goes on. And this is the end."]


def test_a_paper_is_one_document(read):
    reading = read({"a.pdf": pdf([PAGE, ["Another page of the same paper."]], "A title")})
    (document,) = reading.documents
    assert document["text"] == (
        "The first line of this page is a long one and it goes on. And this is the end.\n\n"
        "Another page of the same paper."
    )
    assert orjson.loads(document["metadata"]) == {"title": "A title", "pages": 2}


def test_papers_that_cannot_be_read_are_set_aside_with_the_reason(read):
    encrypted = assembled(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [] /Count 0 >>",
            f"<< /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >>",
        ],
        f"/Encrypt 3 0 R /ID [<{'43' * 16}> <{'43' * 16}>]",
    )
    files = {
        "broken.pdf": b"%PDF-1.4\nnonsense",
        "empty.pdf": pdf([[]]),
        "encrypted.pdf": encrypted,
        "html.pdf": b"<html>not found</html>",
        "good.pdf": pdf([PAGE]),
    }
    reading = read(files)
    assert len(reading.texts) == 1
    assert [(file, reason) for file, _, reason, _ in reading.quarantine] == [
        ("broken.pdf", "unreadable file"),
        ("empty.pdf", "no text in the document"),
        ("encrypted.pdf", "encrypted"),
        ("html.pdf", "unreadable file"),
    ]


POISON = """
import os, signal, time
asked, answers = open(0, "rb"), open(1, "wb")
while len(size := asked.read(8)) == 8:
    content = asked.read(int.from_bytes(size, "little"))
    if content == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if content == b"hang":
        time.sleep(600)
    answer = b'{"pages": ["fine"], "unreadable": 0, "described": {}}'
    answers.write(len(answer).to_bytes(8, "little") + answer)
    answers.flush()
"""


@pytest.fixture
def child(tmp_path):
    (tmp_path / "library.py").write_text(POISON)
    child = Child(str(tmp_path / "library.py"), seconds=2)
    yield child
    child.stop()


@pytest.mark.parametrize(("content", "why"), [(b"crash", "died of it (-11)"), (b"hang", "within 2 seconds")])
def test_a_file_that_kills_the_library_is_set_aside_and_the_next_is_read(child, content, why):
    for _ in range(2):
        assert child.ask(b"good")["pages"] == ["fine"]
        with pytest.raises(NoDocument, match=f".*{why.replace('(', '.').replace(')', '.')}"):
            child.ask(content)
    assert child.ask(b"good")["pages"] == ["fine"]


def test_a_library_that_died_between_two_files_is_started_again(child):
    child.ask(b"good")
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    assert child.ask(b"good")["pages"] == ["fine"]


def test_nothing_of_the_process_is_left(child):
    child.ask(b"good")
    pid = child._process.pid
    child.stop()
    assert not os.path.exists(f"/proc/{pid}")


HEADER, FOOTER = "Journal of Examples, vol. {}", "page {} of 9"


def test_what_stands_on_every_page_is_left_out():
    pages = [
        "\r\n".join(
            [HEADER.format(n), f"This is the text of page number {n} and it is long.", FOOTER.format(n)]
        )
        for n in range(1, 6)
    ]
    text = joined_pages(pages)
    assert "Journal" not in text and "of 9" not in text
    assert text.count("This is the text") == 5


def test_headers_that_count_on_with_the_pages_are_left_out():
    headers = ["1 CHAPTER ONE", "1.1. ROOMS 2", "3 CHAPTER ONE", "1.2. HOUSES 4", "5 CHAPTER ONE"]
    animals = ["lions", "bears", "storks", "ants", "frogs"]
    text = joined_pages(
        [f"{header}\n7 {each} here\nand trees" for header, each in zip(headers, animals, strict=True)]
    )
    assert "CHAPTER" not in text and "ROOMS" not in text
    assert all(f"7 {animal} here" in text for animal in animals)


def test_the_same_line_within_pages_stays():
    page = "\n".join(["one", "two", "refrain of the song", "four", "five"])
    assert joined_pages([page.replace("one", word) for word in ("a", "b", "c")]).count("refrain") == 3


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ["a long line that ends in hyphen-", "ation of words as they are set"],
            "a long line that ends in hyphenation of words as they are set",
        ),
        (["a well-known word and a well-", "known word"], "a well-known word and a well-known word"),
        (["soft\u00ad", "ware is here"], "software is here"),
        (["Слово пере\ufffe", "носится здесь"], "Слово переносится здесь"),
        (
            ["The years 1990-", "1995 were good for all of them"],
            "The years 1990-1995 were good for all of them",
        ),
        (
            ["A line that is as long as the others are.", "short", "B"],
            "A line that is as long as the others are. short\nB",
        ),
        (
            ["What follows is a list of several things:", "• one", "• two"],
            "What follows is a list of several things:\n• one\n• two",
        ),
        (
            [
                "A line of a broad table or a formula that is longer than all that is text",
                "text of a column is set narrower, so that its",
                "lines go on where they end in a sentence.",
                "Next.",
            ],
            "A line of a broad table or a formula that is longer than all that is text "
            "text of a column is set narrower, so that its lines go on where they end in a sentence.\nNext.",
        ),
        (
            [
                "first line that is as long as others, hyphen-",
                "ated here.",
                "Next paragraph is here again for you",
            ],
            "first line that is as long as others, hyphenated here.\nNext paragraph is here again for you",
        ),
        (
            ["Introduction . . . . . . . . . . . . . 1", "Structure . . . . . . . . . . . . . . . 12"],
            "Introduction . . . . . . . . . . . . . 1\nStructure . . . . . . . . . . . . . . . 12",
        ),
        (
            ["This is version 0.21 of a specification.", "1.2. What is this specification about then?"],
            "This is version 0.21 of a specification.\n1.2. What is this specification about then?",
        ),
    ],
)
def test_lines_become_paragraphs(lines, text):
    assert joined_pages(["\n".join(lines)]) == text


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=200), max_size=6))
@settings(max_examples=200, deadline=None)
def test_joining_loses_no_letter_within_a_page_or_two(pages):
    kept = [each for each in "".join(joined_pages(pages[:2])) if each.isalnum()]
    assert kept == [each for each in "".join(pages[:2]) if each.isalnum()]


def test_the_limits_are_those_that_are_documented():
    assert pdf_reader.SECONDS == 300
