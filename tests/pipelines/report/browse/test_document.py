"""The page of a document: text, verdict, evidence; hostile ones are inert."""

import html
import re
from html.parser import HTMLParser

import pytest

from mixers.printable import printable
from tests.pipelines.report.browse.conftest import HOSTILE, links_to_documents, visited


def page_of(browser, doc_id: str) -> str:
    """The page of the document with that id, which the list finds."""
    (place,) = visited(browser, doc_id=doc_id)
    answer = browser.get("/document", params={"at": place})
    assert answer.status_code == 200
    return answer.text


def shown_text(page: str) -> str:
    return html.unescape("".join(re.findall(r'<div class="text">(.*?)</div>', page, re.S)))


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_documents_are_text(browser, hostile):
    page = page_of(browser, f"odd/{hostile['id']}")
    assert shown_text(page) == printable(hostile["text"])[:20_000]
    assert html.unescape(re.search("<h1>(.*)</h1>", page)[1]) == "odd/" + printable(hostile["id"])
    for shown in (page, browser.get("/documents", params={"source": "odd"}).text):
        tags = Tags(shown)
        assert tags.names.isdisjoint({"script", "img", "i", "iframe", "object", "link", "svg", "base"})
        assert not any(name.startswith("on") or name in ("src", "style") for name in tags.attributes)
        assert all(link.startswith("/") for link in tags.links)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u2028]", shown)


class Tags(HTMLParser):
    """The tags of a page, their attributes, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "action")]


def test_a_long_text_is_shown_page_by_page(browser):
    (place,) = visited(browser, doc_id="odd/long")
    pages = [browser.get("/document", params={"at": place, "page": n}).text for n in range(1, 51)]
    assert "".join(map(shown_text, pages)) == "w" * 1_000_000
    assert "page 50 of 50" in pages[-1] and "More text" not in pages[-1] and max(map(len, pages)) < 60_000
    assert browser.get("/document", params={"at": place, "page": 51}).status_code == 400


def test_a_conversation_is_shown_as_turns(browser):
    page = page_of(browser, "talk/t")
    labels = re.findall(r"<b>(user|assistant|assistant thinks)</b>", page)
    assert labels == ["user", "assistant thinks", "assistant"] and "&lt;b&gt;Hi.&lt;/b&gt;" in page
    plain = re.search(r'<a href="([^"]*as=text)">', page)[1].replace("&amp;", "&")
    assert "Hello?" in shown_text(browser.get(plain).text)


def test_the_rule_that_dropped_a_document_is_beside_its_value(browser):
    place = visited(browser, reason="gopher_quality.min_words")[0]
    page = browser.get("/document", params={"at": place}).text
    assert re.search(r"non_symbol_words is \d+, under 50", page)
    assert '<div class="failed">gopher_quality.min_words: at least 50 (failed)</div>' in page


def test_a_duplicate_leads_to_what_was_kept_and_back(browser):
    place = visited(browser, reason="near")[0]
    page = browser.get("/document", params={"at": place}).text
    kept_link = re.search(r'kept instead</th><td><a href="([^"]*)">([^<]*)</a>, similarity 0\.', page)
    (kept,) = links_to_documents(browser.get(kept_link[1]).text)
    kept_page = browser.get("/document", params={"at": kept}).text
    assert f"<h1>{kept_link[2]}</h1>" in kept_page and "<b>kept</b>" in kept_page
    back = re.search(r'<a href="([^"]*)">those that were dropped</a>', kept_page)[1]
    assert place in links_to_documents(browser.get(back).text)


def test_what_a_document_has_of_a_benchmark_is_marked(browser):
    page = page_of(browser, "odd/leak")
    assert "dropped: contamination.exam" in page and "Items of benchmarks" in page
    assert "seven mills" in " ".join(re.findall("<mark>(.*?)</mark>", page, re.S))


def test_documents_are_beside_each_other(browser):
    first = browser.get("/document", params={"at": "0.0.0"}).text
    assert 'rel="prev"' not in first
    second = re.search(r'href="([^"]*)" rel="next"', first)[1]
    assert 'href="/document?at=0.0.0" rel="prev"' in browser.get(second).text
    assert browser.get("/document", params={"at": "9.0.0"}).status_code == 400
