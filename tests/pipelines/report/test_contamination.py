"""What the report and `inspect --contaminated` say of items of benchmarks in documents: counted by hand."""

import json
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contamination.index import build_index
from filters.contamination.items import ITEMS
from pipelines.report.common_words import ngram_at
from pipelines.report.matched_words import SHOWN_BYTES, hashes_of, in_pieces, words_in
from tests.pipelines.corpus import document
from tests.pipelines.planted import (
    AGAINST,
    exam,
    inside,
    with_answer,
    write_documents,
    write_recipe,
    write_records,
)

HOSTILE = "<img src=x onerror=alert(1)> **bold** \x1b[31mred"
COMMON = "Everyone knew a retired clockmaker named Ambrose12 in that town."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six documents with an item and its answer, one of the training split; four with a question alone.

    One more, whose id is taken, has an item with its answer. In `law` a phrase of an item is common.
    """
    folder, rng, items = tmp_path_factory.mktemp("planted"), random.Random(1), exam()
    items[1]["question"] = f"{HOSTILE} {items[1]['question']}"
    write_records(folder / "exam.jsonl", [*items, {"id": "empty", "question": " ", "answer": "1"}])
    web = [inside(with_answer(items[number]), rng) for number in (0, 1, 2, 3, 25)]
    web += [inside(items[number]["question"], rng) for number in (4, 5, 6, 7)]
    web += [document(rng, 40) for _ in range(30)]
    web.append(web[0])
    records = [{"id": str(number), "text": text} for number, text in enumerate(web)]
    write_records(folder / "web.jsonl", [*records, {"id": "20", "text": inside(with_answer(items[8]), rng)}])
    write_documents(folder / "law.jsonl", [inside(COMMON, rng) for _ in range(25)])
    return folder


@pytest.fixture(scope="module")
def run(coupage, folder):
    workdir = folder / "run"
    coupage("run", write_recipe(folder), "--workdir", workdir, "--until", "select")
    return workdir


@pytest.fixture(scope="module")
def report(coupage, run):
    coupage("report", run)
    return json.loads((run / "report.json").read_text())


def test_items_are_counted_by_kind_with_the_training_split_apart(report):
    (benchmark,) = report["contamination"]["benchmarks"]
    assert (benchmark["items"], benchmark["items_alike"]) == (30, 1)
    assert sum(benchmark["set_aside"].values()) == 1
    assert benchmark["splits"] == [
        {
            "split": "test",
            "items": 20,
            "found": {"answer": 5, "question": 4, "passage": 0, "template": 0},
        },
        # The last item says the same as the first, which was found.
        {
            "split": "training",
            "items": 10,
            "found": {"answer": 2, "question": 0, "passage": 0, "template": 0},
        },
    ]


def test_documents_are_counted_as_select_dropped_them(report):
    found = {source["source"]: source for source in report["contamination"]["sources"]}
    funnels = {source["source"]: source for source in report["sources"]}
    for name, source in found.items():
        reasons = funnels[name]["dropped"]
        assert source["dropped"] == sum(n for r, n in reasons.items() if r.startswith("contamination."))
        assert source["dropped"] == sum(each["dropped"] for each in source["benchmarks"])
        assert source["documents"] == funnels[name]["documents"]
    assert found["web"]["dropped"] == 6 and found["law"]["dropped"] == 0
    # That of which the id is taken is dropped for that.
    assert found["web"]["with_a_dropping_match"] == 7
    assert (found["web"]["flagged"], found["web"]["flagged_kept"], found["web"]["allowed"]) == (4, 4, 0)


def test_common_n_grams_are_listed_in_their_words(report):
    common = {s["source"]: s["common_ngrams"] for s in report["contamination"]["sources"]}
    assert common["web"]["common"] == 0 and common["law"]["counted_documents"] == 25
    top = {each["words"]: each["documents"] for each in common["law"]["top"]}
    assert top["a retired clockmaker named Ambrose12"] == 25


def test_hostile_text_is_no_markup(report, run):
    shown = [match for match in report["contamination"]["matches"] if match["item_id"] == "q1"]
    assert shown and HOSTILE.split("\x1b")[0].strip() in "".join(
        piece["text"] for piece in shown[0]["item"][0]["pieces"]
    )
    page = (run / "report.html").read_text()
    assert "&lt;<mark>img src=x onerror=alert(1)&gt; **bold**" in page and "\x1b" not in page
    assert "<img" not in page


def test_the_card_says_what_was_looked_for_and_what_is_left(report, run):
    card = (run / "README.md").read_text()
    sentence = (
        "66 documents were compared with exam (30 items); dropped: 6; "
        "left in the data with a flagged match: 4."
    )
    assert sentence == report["contamination"]["in_words"]
    assert sentence in card and "| exam | training | 10 | 2 | 0 | 0 | 0 |" in card


@pytest.fixture(scope="module")
def look(coupage, run):
    def inspect(*arguments: object) -> list[dict]:
        return json.loads(coupage("inspect", run, "--contaminated", *arguments, "--json").stdout)

    return inspect


def test_matches_are_shown_beside_their_items(look):
    (first, *_) = look("exam", "-n", 1)
    assert (first["doc_id"], first["verdict"]) == ("web/0", "dropped: contamination.exam")
    (match,) = first["matches"]
    assert (match["item_id"], match["kind"], match["done"], match["split"]) == (
        "q0",
        "answer",
        "dropped",
        "test",
    )
    marked = {
        part["field"]: "".join(piece["text"] for piece in part["pieces"] if piece["matched"])
        for part in match["item"]
    }
    assert "How many apples does Anna still carry home that evening" in marked["question"]
    excerpt = "".join(piece["text"] for piece in match["excerpt"] if piece["matched"])
    assert excerpt.startswith("Anna carries 11 apples") and "8 apples remain" in excerpt


def test_the_most_harmful_are_shown_first_and_all_can_be_asked_for(look):
    kinds = [document["matches"][0]["kind"] for document in look("-n", 100)]
    assert kinds == ["answer"] * 7 + ["question"] * 4
    assert [document["doc_id"] for document in look("--kind", "question")] == [
        f"web/{number}" for number in (5, 6, 7, 8)
    ]
    assert {document["verdict"] for document in look("--kept", "-n", 100)} == {"kept"}
    assert look("--source", "law") == []


def test_a_person_sees_item_and_excerpt(coupage, run):
    shown = coupage("inspect", run, "--contaminated", "exam", "-n", 2).stdout
    assert "exam q1 (test): answer by words" in shown and "\x1b" not in shown
    assert "has exam q0: answer by words" in coupage("inspect", run, "--reason", "contamination").stdout


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--contaminated", "exm"], "there is no benchmark `exm`", "Did you mean `exam`?"),
        (["--contaminated", "--kind", "anser"], "there is no kind of match `anser`", "`answer`"),
        (["--contaminated", "--source", "wed"], "there is no source `wed`", "`web`"),
        (["--contaminated", "--random", "0"], "--random does not go with --contaminated", "--kept"),
        (["exam"], "`exam` goes with --contaminated", "Give --contaminated"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(coupage, run, arguments, message, hint):
    told = coupage("inspect", run, *arguments, code=2).stderr
    assert message in told and hint in told


def test_a_run_without_benchmarks_says_so(coupage, finished):
    told = coupage("inspect", finished, "--contaminated", code=2).stderr
    assert "compared with no benchmark" in told and "decontaminate.against" in told
    assert json.loads(coupage("report", finished, "--json").stdout)["contamination"] is None


def test_what_is_cut_is_counted_where_it_was_found(coupage, tmp_path):
    items, rng = exam(), random.Random(2)
    write_records(tmp_path / "exam.jsonl", items)
    twice = f"{inside(with_answer(items[1]), rng)}\n{inside(with_answer(items[2]), rng)}"
    texts = [inside(with_answer(items[0]), rng), twice, with_answer(items[3])]
    texts += [inside(items[4]["question"], rng), *(document(rng, 40) for _ in range(20))]
    talk = [
        {"role": "user", "content": items[5]["question"]},
        {"role": "assistant", "content": items[5]["answer"]},
    ]
    write_documents(tmp_path / "web.jsonl", texts)
    write_records(tmp_path / "law.jsonl", [{"id": "0", "messages": talk}])
    recipe = write_recipe(tmp_path, f"{AGAINST}\n  action: {{answer: cut}}")
    recipe.write_text(
        recipe.read_text().replace(
            "path: law.jsonl, fields: {id: id}", "path: law.jsonl, messages: messages, fields: {id: id}"
        )
    )
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "select")
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    found = {source["source"]: source for source in report["contamination"]["sources"]}
    web, law = found["web"], found["law"]
    assert (web["documents"], web["cut"], web["spans_cut"], web["emptied"]) == (24, 3, 4, 1)
    assert (web["dropped"], web["flagged_kept"]) == (0, 1)
    # Nothing is cut out of a conversation: it is dropped.
    assert (law["dropped"], law["cut"], law["spans_cut"]) == (1, 0, 0)
    (benchmark,) = report["contamination"]["benchmarks"]
    assert benchmark["splits"][0]["found"] == {"answer": 5, "question": 1, "passage": 0, "template": 0}
    shown = json.loads(coupage("inspect", tmp_path / "run", "--contaminated", "-n", 100, "--json").stdout)
    done = Counter(match["done"] for document in shown for match in document["matches"])
    assert done == {"cut": 4, "dropped": 1, "flagged": 1}
    verdicts = {each["doc_id"]: each["verdict"] for each in shown}
    assert verdicts["web/2"] == "dropped: nothing was left of it" and verdicts["web/0"] == "kept"


WORDS = st.lists(
    st.sampled_from("the harbour Reise 12 дорога 東 a's 3.5 ½ x_y — … \n".split(" ")), min_size=1
)
TEXTS = st.one_of(WORDS.map(" ".join), st.text(st.characters(codec="utf-8"), max_size=80))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(TEXTS, st.lists(st.one_of(TEXTS, st.none()), max_size=4), WORDS, st.sampled_from([1, 90])),
        min_size=1,
        max_size=3,
    )
)
def test_every_word_of_the_index_is_found_again_in_its_item(made):
    rows = [
        {
            "benchmark": "exam",
            "item_id": str(number),
            "passage": " ".join(words * times),
            "question": question,
            "choices": choices,
        }
        for number, (question, choices, words, times) in enumerate(made)
    ]
    items = pa.Table.from_pylist(rows, schema=ITEMS)
    index = build_index(items)
    words = index.words
    for unit in range(0, len(words.units), 7):
        item, said = ngram_at(unit, index, items)
        sequence = np.searchsorted(words.first, unit, side="right") - 1
        assert item == words.item[sequence]
        end = min(unit + words.size[sequence], words.first[sequence + 1])
        assert words_in(said)["hash"].tolist()[:1] == words.units[unit:end].tolist()[:1]


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_pieces_are_the_text_and_their_words_those_of_the_other(text, other):
    pieces = in_pieces(text, hashes_of(other))
    assert "".join(piece["text"] for piece in pieces) == text
    known = set(hashes_of(other).tolist())
    matched = sum(hashed in known for hashed in words_in(text)["hash"].tolist())
    assert bool(matched) == any(piece["matched"] for piece in pieces)


def test_of_a_long_text_the_place_with_the_match_is_shown():
    rng = random.Random(1)
    text = f"{document(rng, 400)} Ambrose the clockmaker sells lanterns {document(rng, 400)}"
    pieces = in_pieces(text, hashes_of("Ambrose clockmaker sells lanterns"))
    shown = "".join(piece["text"] for piece in pieces)
    assert "Ambrose the clockmaker sells lanterns" in shown
    assert shown.startswith("…") and shown.endswith("…") and len(shown) <= SHOWN_BYTES + 2
