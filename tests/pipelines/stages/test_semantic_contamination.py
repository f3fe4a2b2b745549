"""The semantic path of contamination: passages, screen, candidates, and judges of every quality."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contamination.items import ITEMS
from pipelines.errors import WorkError
from pipelines.sources.embedders import EndpointEmbedder
from pipelines.sources.endpoint import Endpoint, EndpointClient, Patience
from pipelines.stages.contamination.item_texts import item_views, judged_texts
from pipelines.stages.contamination.judge import Judge, Judgement, parse_judgement
from pipelines.stages.contamination.passages import (
    as_texts,
    find_passages,
    find_words,
    passage_texts,
    passages_of_size,
)
from pipelines.stages.contamination.screen import Screen
from pipelines.stages.contamination.semantic import (
    SEMANTIC,
    PassageCounts,
    Reference,
    candidate_texts,
    candidates,
    find_candidates,
    judge_candidates,
    threshold_at,
)
from tests.pipelines.sources.model_server import DROP, ModelServer, Reply, Request, embeds, says

QUICK = Patience(tries=2, first_wait=0.01, longest_wait=0.01)
ROOT = Path(__file__).parents[3]

# Passages


def passages_of(texts: list[str], size: int) -> list[list[tuple[int, int]]]:
    """Start and end of the passages of each text."""
    column = as_texts(texts)
    words = find_words(column)
    found = passages_of_size(column, words, size)
    assert passage_texts(column, found) == [
        texts[row][start:end] for row, start, end in zip(found.row, found.start, found.end, strict=True)
    ]
    spans: list[list[tuple[int, int]]] = [[] for _ in texts]
    for row, start, end in zip(found.row.tolist(), found.start.tolist(), found.end.tolist(), strict=True):
        spans[row].append((start, end))
    return spans


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab .!?\n。？中文ёЖ“—İ0_")) | st.text(), max_size=6), st.integers(2, 9)
)
def test_passages_cover_a_document_and_overlap(texts, size):
    words = find_words(as_texts(texts))
    counts = np.diff(np.searchsorted(words.starts, words.documents))
    for text, spans, count in zip(texts, passages_of(texts, size), counts, strict=True):
        assert bool(spans) == bool(count)
        if spans:
            assert spans[0][0] == 0 and spans[-1][1] == len(text)
            assert all(start < end for start, end in spans)
            for (a, b), (c, d) in pairwise(spans):
                assert a < c < b < d


@settings(deadline=None)
@given(st.lists(st.sampled_from(["word", "слово", "中", "it's", "a_b", "42", "İ", "“quoted”"]), max_size=30))
def test_words_are_runs_of_letters_and_single_ideographs(parts):
    words = find_words(as_texts([" ".join(parts)]))
    expected = {"it's": ["it", "s"], "“quoted”": ["quoted"], "İ": ["İ"]}
    flat = [word for part in parts for word in expected.get(part, [part])]
    found = [words.data[a:b].tobytes().decode() for a, b in zip(words.starts, words.ends, strict=True)]
    assert found == flat


def test_a_document_is_read_apart_from_its_neighbours():
    texts = ["one two", "three", "", "四五", "six"]
    words = find_words(as_texts(texts))
    assert len(words.starts) == 6
    assert [len(spans) for spans in passages_of(texts, 4)] == [1, 1, 0, 1, 1]


def test_passages_start_and_end_between_sentences():
    text = "".join(f"This is the sentence with number {number}. " for number in range(100))
    [spans] = passages_of([text], 50)
    assert len(spans) > 10
    assert all(text[:start].endswith((".", "")) and text[:end].rstrip().endswith(".") for start, end in spans)
    assert all(text[start:end].strip().startswith("This is") for start, end in spans)


@pytest.mark.parametrize("words", ["word " * 1000, "字" * 1000, "word\n" * 1000, "Да. " * 1000])
def test_passages_have_about_the_size_that_was_asked_for(words):
    [spans] = passages_of([words], 128)
    length = len(words) / 1000
    assert all(64 <= (end - start) / length <= 192 for start, end in spans)
    assert 14 <= len(spans) <= 16


def test_documents_are_read_in_short_and_long_passages_and_short_ones_once():
    texts = as_texts(["word " * 1000, "word " * 10])
    words = find_words(texts)
    found = find_passages(texts, words)
    lengths = (found.end - found.start)[found.row == 0] / 5
    assert np.sum(lengths <= 48) > 55 and np.sum(lengths >= 64) > 13
    assert (found.row == 1).sum() == 1


@pytest.mark.parametrize("cut", [slice(2, 5), slice(0, 3), slice(3, 3)])
def test_slices_and_chunks_of_a_column_are_read_as_whole_columns(cut):
    texts = ["Ärger one. " * 9, "", "二三。" * 40, "four İ " * 70, "five"]
    whole = as_texts(texts[cut])
    column = as_texts(texts)
    start, stop = cut.start, cut.stop
    chunked = pa.chunked_array([column[:2], column[2:]]).slice(start, stop - start)
    for other in (column.slice(start, stop - start), chunked):
        expected = find_passages(whole, find_words(whole))
        found = find_passages(other, find_words(other))
        assert all((a == b).all() for a, b in zip(found, expected, strict=True))
        assert passage_texts(other, found) == passage_texts(whole, expected)


# Items


def items(*rows: dict) -> pa.Table:
    empty = dict.fromkeys(ITEMS.names) | {"benchmark": "b", "split": "test"}
    return pa.Table.from_pylist([empty | {"item_id": str(i)} | row for i, row in enumerate(rows)], ITEMS)


def test_an_item_is_compared_by_question_and_answer_and_a_long_one_by_what_it_asks():
    passage = "The river flows through many towns and its banks were settled early. " * 8
    asked = "Which of the towns on the river was settled first?"
    views = item_views(
        items(
            {"question": "Who wrote it?", "answer": "Ann"},
            {"question": f"{passage}\n{asked}", "answer": "Oldtown"},
            {"question": f"{passage}\nWho? Where? When?"},
            {"passage": "Only a passage."},
            {"solution": "print(1)"},
        )
    )
    by_item = [[t for i, t in zip(views.item, views.text, strict=True) if i == n] for n in range(5)]
    assert by_item[0] == ["Who wrote it?", "Who wrote it?\nAnn"]
    assert by_item[1][2:] == [asked, f"{asked}\nOldtown"] and len(by_item[1]) == 4
    assert by_item[2][1].endswith("settled early. Who? Where? When?") and len(by_item[2][1].split()) == 15
    assert by_item[3:] == [["Only a passage."], ["print(1)"]]


def test_a_judge_reads_all_parts_of_an_item():
    row = {"passage": "P", "question": "Q", "choices": ["one", "two"], "answer": "two", "solution": "S"}
    assert judged_texts(items(row, {"question": "Q"})) == [
        "Passage: P\nQuestion: Q\nChoices: one; two\nAnswer: two\nSolution: S",
        "Question: Q",
    ]


# Screen

QUESTIONS = [
    "By what means did the United States take possession of the Oregon Territory?",
    "Which treaty ended the war between Mexico and its northern neighbour?",
    "How many apples does Natalia sell at the market in April and May?",
    "What is the derivative of the logarithm of a quadratic polynomial?",
]
ORDINARY = [
    f"It was the {n}th day and we went out with the others to see what there was to be seen of it."
    for n in range(50)
]
REPHRASED = "In which way was the Oregon Territory acquired by the United States?"
GERMAN = "Auf welche Weise haben die Vereinigten Staaten das Gebiet im Nordwesten erworben?"
CHINESE = "美国是通过什么手段取得俄勒冈领土的？"


def passed(texts: list[str], translations: bool) -> list[bool]:
    screen = Screen.of(as_texts(QUESTIONS), as_texts(ORDINARY))
    column = as_texts(texts)
    words = find_words(column)
    return screen.passed(words, find_passages(column, words), translations).tolist()


def test_the_screen_leaves_what_shares_rare_words():
    assert passed([REPHRASED, ORDINARY[0], REPHRASED.upper(), GERMAN, CHINESE], translations=False) == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_the_screen_lets_other_languages_through_where_translations_are_looked_for():
    text = (
        "That is what the people of the town did in the years of the war and of the famine that it brought."
    )
    assert passed([REPHRASED, text, GERMAN, CHINESE], translations=True) == [True, False, True, True]


def test_endings_and_case_outside_ascii_do_not_matter():
    screen = Screen.of(as_texts(["Сколько яблоневых деревьев посадили школьники?"]), as_texts(["и вот так"]))
    column = as_texts(["ПОСАДИЛИ ШКОЛЬНИКАМИ ЯБЛОНЕВЫЕ", "совсем другой рассказ о море"])
    words = find_words(column)
    assert screen.passed(words, find_passages(column, words), False).tolist() == [True, False]


def test_an_empty_batch_passes_nothing():
    assert passed([], True) == passed([""], True) == []


# Candidates


def reference(view_items: list[int], vectors: np.ndarray) -> Reference:
    screen = Screen.of(as_texts(["a"]), as_texts([]))
    return Reference(np.array(view_items), vectors, screen)


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(1, 12), st.integers(1, 4), st.integers(-1, 2), st.integers(0, 99))
def test_candidates_are_those_of_comparing_each_with_each(count, views, top_k, threshold, seed):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (count, 3)).astype(np.float32)
    others = generator.integers(-1, 2, (views, 3)).astype(np.float32)
    owners = sorted(generator.integers(0, 2 * views, views).tolist())
    expected = []
    for number, vector in enumerate(vectors):
        best: dict[int, float] = {}
        for owner, other in zip(owners, others, strict=True):
            best[owner] = max(best.get(owner, -9), float(vector @ other))
        near = sorted((-score, item) for item, score in best.items() if score >= threshold)[:top_k]
        expected += [(number, item, -score) for score, item in near]
    found = candidates(vectors, reference(owners, others), threshold, top_k)
    assert sorted(zip(*(part.tolist() for part in found), strict=True)) == sorted(expected)


def test_the_threshold_is_what_a_share_of_the_vectors_reaches():
    generator = np.random.default_rng(3)
    vectors = generator.normal(size=(1000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    known = reference([0, 0, 1], vectors[:3])
    found, _, _ = candidates(vectors, known, threshold_at(0.02, vectors, known), top_k=1)
    assert len(found) == pytest.approx(20, abs=1)


# From documents to judgements, with servers


def bag_of_words(request: Request) -> Reply:
    """Vectors in which texts are near that share words: honest, and cheap."""
    vectors = np.full((len(request.body["input"]), 256), 1e-3)
    for vector, text in zip(vectors, request.body["input"], strict=True):
        for word in text.lower().replace("?", " ").replace(".", " ").split():
            vector[zlib.crc32(word.encode()) % 256] += len(word) > 3
    return embeds(vectors.tolist())


def client(server: ModelServer, **settings) -> EndpointClient:
    return EndpointClient(Endpoint(base_url=server.url, model="m", **settings), QUICK)


def search(texts: list[str], threshold: float = 0.4, **settings):
    with ModelServer(bag_of_words) as server:
        embedder = EndpointEmbedder(client(server))
        known = Reference.build(items(*({"question": q} for q in QUESTIONS)), embedder, as_texts(ORDINARY))
        counts = PassageCounts()
        found = find_candidates(as_texts(texts), known, embedder, threshold, counts, **settings)
    return found, known, counts


def test_an_item_in_other_words_is_found_where_it_stands():
    story = " ".join(ORDINARY)
    text = f"{story} {REPHRASED} {story}"
    found, _, counts = search(["", story, text], threshold=0.2)
    assert found.schema == SEMANTIC
    [row] = found.to_pylist()
    assert (row["row"], row["item"], row["mechanism"]) == (2, 0, "semantic")
    assert row["judged"] is None and row["why"] is None
    assert REPHRASED in text[row["start"] : row["end"]]
    assert 0 < counts.embedded < counts.passages / 4 and counts.candidates == 1


def test_nothing_near_is_an_empty_table():
    for texts in ([], [""], ORDINARY):
        found, _, counts = search(texts)
        assert found.schema == SEMANTIC and found.num_rows == counts.candidates == 0


CHOSEN = [
    f"Which treaty ended the war of {year} between Mexico and its neighbour?" for year in range(1800, 1860)
]


def truth(passage: str) -> bool:
    return int(passage.split("war of ")[1][:4]) % 2 == 0


def wrong(passage: str, share: float) -> bool:
    """Whether a judge of this quality is wrong about a passage: always the same."""
    return zlib.crc32(passage.encode()) % 1000 < 1000 * share


def judge_of_quality(share: float) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        passage = request.body["messages"][-1]["content"].split("<passage>\n")[1].split("\n</passage>")[0]
        same = truth(passage) != wrong(passage, share)
        return says(json.dumps({"same": same, "why": f"seen {passage[:9]}"}))

    return answer


def judged_by(answer: Callable[[Request], Reply], ledger: Path, found, known, **settings):
    """The judged rows, the judge, and the passages that the server was asked about and answered."""
    with ModelServer(answer) as server:
        judge = Judge(client(server, **settings), ledger)
        passages = candidate_texts(found, as_texts(CHOSEN))
        items = ["item"] * len(QUESTIONS)
        rows = judge_candidates(found, passages, items, judge).to_pylist()
    return rows, judge, server


@pytest.fixture(scope="module")
def treaties():
    found, known, _ = search(CHOSEN, top_k=1)
    assert found["row"].to_pylist() == list(range(len(CHOSEN)))
    return found, known


@pytest.mark.parametrize("share", [0, 0.2, 1])
def test_what_a_judge_says_is_what_is_in_the_rows(tmp_path, treaties, share):
    rows, judge, server = judged_by(judge_of_quality(share), tmp_path / "ledger.jsonl", *treaties)
    for row, text in zip(rows, CHOSEN, strict=True):
        assert row["judged"] is (truth(text) != wrong(text, share))
        assert row["why"] == f"seen {text[:9]}"
    assert len(server.requests) == len(CHOSEN) == judge.counts.asked
    assert [row["score"] for row in rows] == treaties[0]["score"].to_pylist()


def test_a_second_run_asks_nothing(tmp_path, treaties):
    ledger = tmp_path / "ledger.jsonl"
    first, _, _ = judged_by(judge_of_quality(0.1), ledger, *treaties)
    again, judge, server = judged_by(lambda request: DROP, ledger, *treaties)
    assert again == first and not server.requests
    assert (judge.counts.known, judge.counts.asked, judge.counts.failed) == (len(CHOSEN), 0, 0)


def test_a_judge_that_dies_loses_nothing_and_repeats_no_call(tmp_path, treaties):
    ledger = tmp_path / "ledger.jsonl"
    good = judge_of_quality(0.1)
    asked: list[str] = []
    lock = threading.Lock()

    def dying(request: Request) -> Reply:
        with lock:
            if len(asked) >= 25:
                return DROP
            asked.append(request.body["messages"][-1]["content"])
        return good(request)

    rows, judge, _ = judged_by(dying, ledger, *treaties, concurrency=4)
    assert len(rows) == len(CHOSEN)
    assert sum(row["judged"] is not None for row in rows) == 25 == judge.counts.asked
    assert judge.counts.failed == len(CHOSEN) - 25
    assert "the connection failed" in str(judge.trouble)
    assert all(row["score"] > 0 for row in rows)
    rows, judge, server = judged_by(good, ledger, *treaties)
    assert [row["judged"] for row in rows] == [truth(text) != wrong(text, 0.1) for text in CHOSEN]
    later = [request.body["messages"][-1]["content"] for request in server.requests]
    assert len(later) == len(CHOSEN) - 25 and not set(later) & set(asked)


def test_a_killed_run_repeats_only_calls_under_way(tmp_path, treaties):
    """What was answered is in the file; the answer of the one call at the time may be lost."""
    ledger = tmp_path / "ledger.jsonl"
    code = """
        import sys
        from pathlib import Path
        from pipelines.sources.endpoint import Endpoint, EndpointClient
        from pipelines.stages.contamination.judge import Judge
        client = EndpointClient(Endpoint(base_url=sys.argv[1], model="m", concurrency=1))
        Judge(client, Path(sys.argv[2])).judge([("item", f"war of {year}") for year in range(1800, 1860)])
    """
    answered: list[str] = []
    child: list[subprocess.Popen] = []
    good = judge_of_quality(0)

    def answer(request: Request) -> Reply:
        if len(answered) == 20:
            child[0].send_signal(signal.SIGKILL)
            child[0].wait()
            return DROP
        answered.append(request.body["messages"][-1]["content"])
        return good(request)

    with ModelServer(answer) as server:
        command = [sys.executable, "-c", textwrap.dedent(code), server.url, str(ledger)]
        child.append(subprocess.Popen(command, cwd=ROOT))
        assert child[0].wait(120) == -signal.SIGKILL
    with ModelServer(good) as server:
        judge = Judge(client(server), ledger)
        judged = judge.judge([("item", f"war of {year}") for year in range(1800, 1860)])
    assert [judgement.same for judgement in judged if judgement] == [y % 2 == 0 for y in range(1800, 1860)]
    later = {request.body["messages"][-1]["content"] for request in server.requests}
    assert len(answered) == 20 and 40 <= len(later) <= 41
    assert later & set(answered) <= {answered[-1]}


def test_a_torn_line_costs_its_own_judgement_alone(tmp_path, treaties):
    ledger = tmp_path / "ledger.jsonl"
    judged_by(judge_of_quality(0), ledger, *treaties)
    ledger.write_bytes(ledger.read_bytes()[:-20])
    for calls in (1, 0):
        rows, _, server = judged_by(judge_of_quality(0), ledger, *treaties)
        assert [row["judged"] for row in rows] == [truth(text) for text in CHOSEN]
        assert len(server.requests) == calls


def test_the_same_pair_is_asked_once_and_another_model_or_text_anew(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    with ModelServer(lambda request: says('{"same": true, "why": "x"}')) as server:
        judge = Judge(client(server), ledger)
        assert judge.judge([("i", "p")] * 5 + [("i", "q"), ("j", "p")]) == [Judgement(True, "x")] * 7
        assert (len(server.requests), judge.counts.asked, judge.counts.known) == (3, 3, 4)
        other = EndpointClient(Endpoint(base_url=server.url, model="other"), QUICK)
        Judge(other, ledger).judge([("i", "p")])
        assert len(server.requests) == 4


def test_answers_without_a_judgement_are_counted_and_asked_again_next_time(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    for _ in range(2):
        with ModelServer(lambda request: says("I would rather not say.")) as server:
            judge = Judge(client(server), ledger)
            assert judge.judge([("i", "p"), ("i", "q")]) == [None, None]
            assert judge.counts.unreadable == len(server.requests) == 2


def test_a_refused_pair_fails_alone(tmp_path):
    def answer(request: Request) -> Reply:
        if "too long" in request.body["messages"][-1]["content"]:
            return Reply(400, b"context length exceeded")
        return says('{"same": false, "why": ""}')

    with ModelServer(answer) as server:
        judge = Judge(client(server), tmp_path / "ledger.jsonl")
        said = judge.judge([("i", "a"), ("i", "too long"), ("i", "b")])
    assert said == [Judgement(False, ""), None, Judgement(False, "")]
    assert judge.counts.failed == 1 and "context length" in str(judge.trouble)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    places = {tmp_path: "read", tmp_path / "file" / "ledger.jsonl": "stored"}
    for path, what in places.items():
        with (
            ModelServer(judge_of_quality(0)) as server,
            pytest.raises(WorkError, match=f"judgements cannot be {what}") as caught,
        ):
            Judge(client(server), path).judge([("i", "war of 1800")])
        assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ('{"same": true, "why": "same task"}', True),
        ('```json\n{"same": false, "why": "other numbers"}\n```', False),
        ('Let me see: {x}. My answer is {"same": true}', True),
        ('<think>{"same": true} or not?</think>{"same": false, "why": "no"}', False),
        ('{"same": "True", "why": "text"}', True),
        ('{"same": false}\nNo, wait.\n{"same": true}', True),
        ('{"why": "a\nline", "same": true}', True),
        ('{"why": "they say {same}", "same": false}', False),
        ('{"same": true, "why": "a half \\ud83d"}', True),
        ('{"same": 1}', None),
        ('{"same": null}', None),
        ('{"result": {"same": true}}', None),
        ("yes", None),
        ("", None),
        ('<think>{"same": true}', None),
        ('{"same": tr', None),
        ("{" * 5000, None),
    ],
)
def test_judgements_are_read_out_of_what_models_write(tmp_path, answer, same):
    judgement = parse_judgement(answer)
    assert (judgement and judgement.same) is same
    with ModelServer(lambda request: says(answer)) as server:
        ledger = tmp_path / "ledger.jsonl"
        said = Judge(client(server), ledger).judge([("i", "p")])
        again = Judge(client(server), ledger).judge([("i", "p")])
    assert [one and one.same for one in said] == [one and one.same for one in again] == [same]


@settings(deadline=None)
@given(st.text(), st.booleans(), st.text())
def test_a_judgement_is_read_whatever_its_reason(before, same, why):
    if "{" not in before and "<think>" not in before + why:
        assert parse_judgement(before + json.dumps({"same": same, "why": why})) == Judgement(same, why)
