import gzip

import orjson
import pytest

from .making import epub

SAID = (
    "<dc:title>Война и мир</dc:title><dc:creator>Лев Толстой</dc:creator><dc:language>ru-RU</dc:language>"
    "<dc:rights>CC0-1.0</dc:rights>"
)


def test_a_book_is_one_document_in_the_order_of_its_spine(read):
    chapters = {
        "b.xhtml": "<h1>Two</h1><p>Second.</p>",
        "a.xhtml": "<h1>One</h1><p>First.</p>",
        "c.xhtml": "<p>x</p>",
    }
    reading = read({"book.epub": epub(chapters, ["a.xhtml", "b.xhtml"], SAID)})
    (document,) = reading.documents
    assert document["text"] == "# One\n\nFirst.\n\n# Two\n\nSecond."
    assert document["language"] == "ru" and document["license"] == "CC0-1.0"
    assert orjson.loads(document["metadata"]) == {"title": "Война и мир", "author": "Лев Толстой"}
    assert document["doc_id"] == "s/book.epub:0"


def test_a_link_to_a_licence_goes_before_words_about_rights(read):
    said = (
        "<dc:rights>This work is shared with the public.</dc:rights>"
        '<link refines="#image" rel="cc:license" href="https://creativecommons.org/licenses/by-nc/2.0/"/>'
        '<link rel="cc:license" href="https://creativecommons.org/licenses/by-sa/3.0/"/>'
    )
    (document,) = read({"a.epub": epub({"a": "<p>x</p>"}, said=said)}).documents
    assert document["license"] == "CC-BY-SA-3.0"


def test_without_a_language_of_its_own_a_book_has_that_of_the_source(read):
    (document,) = read({"a.epub": epub({"a": "<p>x</p>"})}, language="en", license="mit").documents
    assert document["language"] == "en" and document["license"] == "MIT"


def test_books_are_read_compressed_and_from_archives(read):
    from ..archives.packing import tarred, zipped

    book = epub({"a.xhtml": "<p>text</p>"})
    files = {
        "a.epub.gz": gzip.compress(book),
        "b.zip": zipped([("x.epub", book)]),
        "c.tgz": tarred([("y.epub", book)], ".tgz"),
    }
    reading = read(files)
    assert reading.texts == ["text"] * 3 and reading.quarantine == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>one\n  two</p><p>three</p>", "one two\n\nthree"),
        ("<h2>A <em>b</em></h2><div>c<br/>d</div>", "## A b\n\nc\nd"),
        ("<ul><li>one</li><li><p>two</p></li></ul><p>x</p>", "- one\n- two\n\nx"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a | b\n\n1 | 2"),
        ("<pre>def f():\n    return 1</pre>", "def f():\n    return 1"),
        ("<p>a&nbsp;b &mdash; c&#8212;d &amp; e</p>", "a\u00a0b — c—d & e"),
        ("<p>x<a id='1'/>y</p><script>no()</script><nav>no</nav><p>z</p>", "xy\n\nz"),
        ("<p>漢<ruby>字<rt>kan</rt></ruby>。</p>", "漢字。"),
        ("<p>unclosed <b>bold", "unclosed bold"),
        (
            "<p>goes <span xmlns:epub='http://www.idpf.org/2007/ops' epub:type='pagebreak'>169</span>on</p>"
            "<div role='doc-pagebreak'>170</div><p>here</p>",
            "goes on\n\nhere",
        ),
        (
            "<p>Let <m:math xmlns:m='http://www.w3.org/1998/Math/MathML'><m:msup><m:mi>x</m:mi><m:mn>2</m:mn>"
            "</m:msup></m:math> be.</p>",
            "Let $x^2$ be.",
        ),
        (
            "<p>So <math display='block' alttext='no text'><mi>a</mi><mo>&lt;</mo><mi>b</mi></math> is.</p>",
            "So\n\n$$a<b$$\n\nis.",
        ),
    ],
)
def test_what_is_seen_of_a_chapter(read, body, text):
    assert read({"a.epub": epub({"a.xhtml": body})}).texts == [text]


def test_nothing_from_outside_and_no_entity_gets_into_a_book(read, tmp_path):
    (tmp_path / "secret").write_text("secret")
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    chapter = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "file://{tmp_path}/secret">'
        f'<!ENTITY l0 "lol">{lol}]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>kept &x; &l29;</p></body></html>'
    )
    (text,) = read({"a.epub": epub({"a.xhtml": chapter})}, path="a.epub").texts
    assert text.startswith("kept") and "secret" not in text and "lol" not in text and len(text) < 100


def test_a_deep_chapter_is_no_trouble(read):
    reading = read(
        {"a.epub": epub({"a.xhtml": "<div>" * 5000 + "x" + "</div>" * 5000, "b.xhtml": "<p>y</p>"})}
    )
    assert len(reading.texts) + len(reading.quarantine) == 1


ENCRYPTION = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData xmlns='
    '"http://www.w3.org/2001/04/xmlenc#"><CipherData><CipherReference URI="{}"/></CipherData></EncryptedData>'
    "</encryption>"
)


def test_books_that_cannot_be_read_are_set_aside_with_the_reason(read):
    good = epub({"a.xhtml": "<p>good</p>"})
    files = {
        "encrypted.epub": epub(
            {"a.xhtml": "x"}, **{"META-INF/encryption.xml": ENCRYPTION.format("OEBPS/a.xhtml")}
        ),
        "empty.epub": epub({"a.xhtml": "<img src='x.png'/>"}),
        "fonts.epub": epub(
            {"a.xhtml": "kept"}, **{"META-INF/encryption.xml": ENCRYPTION.format("OEBPS/f.otf")}
        ),
        "html.epub": b"<html></html>",
        "other.epub": epub({}, **{"META-INF/container.xml": "<container/>"}),
        "truncated.epub": good[:-30],
    }
    reading = read(files)
    assert reading.texts == ["kept"]
    assert [(file, reason) for file, _, reason, _ in reading.quarantine] == [
        ("empty.epub", "no text in the document"),
        ("encrypted.epub", "encrypted"),
        ("html.epub", "corrupt zip"),
        ("other.epub", "unreadable file"),
        ("truncated.epub", "corrupt zip"),
    ]
    assert reading.set_aside.lost_bytes == sum(len(files[row[0]]) for row in reading.quarantine)


def test_a_book_that_is_a_bomb(read, monkeypatch):
    from pipelines.sources import compressed

    monkeypatch.setattr(compressed, "FREE_BYTES", 1 << 20)
    reading = read({"a.epub": epub({"a.xhtml": "<p>" + "x" * (20 << 20) + "</p>"})})
    assert reading.texts == []
    assert [row[2] for row in reading.quarantine] == ["archive that becomes too large"]
