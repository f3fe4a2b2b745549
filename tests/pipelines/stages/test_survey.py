"""The survey: figures that another selection gives too, samples that do not depend on parts, hosts."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.language.identify import LanguageRule
from filters.quality.rules import Rule
from pipelines.report.finished import Finished
from pipelines.report.hosts import host_reports, hosts_of
from pipelines.report.samples import sample_reports
from pipelines.report.signals import signal_reports
from tests.pipelines.stages.survey_world import World, kept

WORDS, LENGTH = "non_symbol_words", "mean_word_length"
NUMBERS = st.one_of(
    st.sampled_from([0.0, 50.0, 3.0, 10.0, 2.95, 3.05, 49.0, 51.0, 120.0, -4.0, float("nan"), float("inf")]),
    st.floats(-10, 200, width=32),
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            WORDS: NUMBERS,
            LENGTH: NUMBERS,
            "score": st.sampled_from([0.0, 0.3, 0.65, 0.66, 0.9, 1.0]),
            "said": st.sampled_from(["en", "de"]),
            "objection": st.sampled_from([None, None, None, "too plain"]),
        }
    ),
    max_size=40,
)


def rules(words: float | None, shortest: float | None, longest: float | None) -> tuple[Rule, ...]:
    limits = [
        ("words.min", WORDS, {"min": words}),
        ("length.min", LENGTH, {"min": shortest}),
        ("length.max", LENGTH, {"max": longest}),
    ]
    return tuple(
        Rule(name=name, signal=signal, **limit)
        for name, signal, limit in limits
        if None not in limit.values()
    )


def said_of(signals: list[dict], name: str) -> dict:
    (found,) = (signal for signal in signals if signal["signal"] == name)
    return found


def reaching(signal: dict, least: float) -> int:
    """Documents that would be kept if the least value of a signal were another one, by the report."""
    points, intervals = signal["points"], signal["intervals"]
    lows = [float("-inf") if low is None else low for low in intervals["low"]]
    cells = [
        *zip(points["value"], points["otherwise_kept"], strict=True),
        *zip(lows, intervals["otherwise_kept"], strict=True),
    ]
    return signal["missing"]["otherwise_kept"] + sum(number for value, number in cells if value >= least)


@settings(max_examples=12, deadline=None)
@given(documents=DOCUMENTS, data=st.data())
def test_what_another_threshold_keeps_is_what_a_selection_with_it_keeps(tmp_path_factory, documents, data):
    documents = [{"text": f"{n}", **document} for n, document in enumerate(documents)]
    language = LanguageRule(min_score=0.65, keep=("en",))
    world = World(
        tmp_path_factory.mktemp("a"), documents, rules(50, 3, 10), language, cuts=[len(documents) // 3]
    )
    graph = world.graph()
    (report,) = signal_reports(graph, Finished(world.workdir))
    assert report["documents"] == len(documents) and report["about"] is False
    for signal in report["signals"]:
        rows = [*signal["points"]["documents"], *signal["intervals"]["documents"]]
        assert sum(rows) + signal["missing"]["documents"] == len(documents)
    assert report["kept"] == reaching(said_of(report["signals"], WORDS), 50)
    words, length, score = (said_of(report["signals"], name) for name in (WORDS, LENGTH, "language_score"))
    marks = [50, *(value for value in words["points"]["value"] if value is not None)]
    other = data.draw(st.sampled_from(marks))
    changed = World(tmp_path_factory.mktemp("b"), documents, rules(other, 3, 10), language)
    assert kept(changed.select(), changed.workdir) == reaching(words, other)
    other = data.draw(st.sampled_from([0, 0.5, *filter(None, score["points"]["value"])]))
    changed = World(
        tmp_path_factory.mktemp("c"),
        documents,
        rules(50, 3, 10),
        LanguageRule(min_score=other, keep=("en",)),
    )
    assert kept(changed.select(), changed.workdir) == reaching(score, other)
    changed = World(tmp_path_factory.mktemp("d"), documents, rules(50, None, None), language)
    assert kept(changed.select(), changed.workdir) == reaching(length, float("-inf"))


HOSTILE = "</script><script>alert(1)</script>\x1b[31m \u202e\u2028 &amp; \x00 {{ x }}"
TURNS = [{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": "long " * 600}]


CONVERSED = [
    {"text": HOSTILE, WORDS: 60.0, "url": "https://a.example/x"},
    {"text": "long " * 600, "messages": TURNS, WORDS: 60.0},
]


def some_documents() -> list[dict]:
    copies = [{"text": "the same", "doc_id": f"copy {n}", WORDS: 100.0} for n in range(9)]
    return [*({"text": f"document {n}", WORDS: 10.0 * (n % 9)} for n in range(120)), *copies]


def samples_of(folder, documents, cuts) -> list[dict]:
    world = World(folder, documents, rules(50, None, None), cuts=cuts, exact=True)
    return sample_reports(world.graph(), Finished(world.workdir))


def test_samples_do_not_depend_on_parts(tmp_path):
    documents = some_documents()
    found = samples_of(tmp_path / "a", documents, [])
    assert found == samples_of(tmp_path / "b", documents, [1, 1, 40, 41, 97])
    by_verdict = {(sample["group"], sample["reason"]): sample for sample in found}
    few = by_verdict["web", "words.min"]
    assert few["documents"] == sum(document[WORDS] < 50 for document in documents)
    assert len(few["examples"]) == 3 and all(example["signals"][WORDS] < 50 for example in few["examples"])
    (copy,) = by_verdict["web", "exact duplicate"]["examples"]  # equal texts are shown once
    assert copy["text"] == "the same" and by_verdict["web", "exact duplicate"]["documents"] == 8


def test_hostile_texts_and_conversations_are_shown_as_they_are(tmp_path):
    (kept_ones,) = json.loads(json.dumps(samples_of(tmp_path, CONVERSED, [1])))
    hostile, said = sorted(kept_ones["examples"], key=lambda example: len(example["text"]))
    assert (hostile["text"], hostile["cut"], hostile["turns"]) == (HOSTILE, False, None)
    assert hostile["url"] == "https://a.example/x" and hostile["language"] == "en"
    assert len(said["text"]) == 2_000 and said["cut"]
    assert [turn["role"] for turn in said["turns"]] == ["user", "assistant"]
    assert said["turns"][0]["content"] == HOSTILE
    assert sum(len(turn["content"]) for turn in said["turns"]) == 2_000


def test_held_out_documents_are_counted_and_never_shown(tmp_path):
    world = World(tmp_path, some_documents(), held_out=0.9)
    graph = world.graph()
    held_out = {
        row["doc_id"]
        for _, table in graph.selects[0].verdicts(tmp_path, "web")
        for row in table.to_pylist()
        if row["held_out"]
    }
    found = sample_reports(graph, Finished(tmp_path))
    shown = {example["doc_id"] for sample in found for example in sample["examples"]}
    assert shown and held_out and not shown & held_out
    assert sum(sample["documents"] for sample in found) == len(some_documents())


@pytest.mark.parametrize("cuts", [[], [2, 5]])
def test_hosts_are_of_addresses_without_user_port_and_www(tmp_path, cuts):
    urls = [
        "https://www.Example.org/a",
        "http://me:secret@example.org:8080/b?x=//other.example/",
        "https://example.org",
        "ftp://files.example./",
        "not a url",
        None,
        "file:///etc/passwd",
        "https://[2001:db8::1]:80/",
    ]
    documents = [{"text": "x" * (n + 1), "url": url, WORDS: 60.0 - 20 * n} for n, url in enumerate(urls)]
    world = World(tmp_path, documents, rules(30, None, None), cuts=cuts)
    graph = world.graph()
    (report,) = host_reports(graph, Finished(tmp_path))
    assert (report["hosts"], report["documents"], report["bytes"], report["kept_bytes"]) == (3, 5, 18, 3)
    assert report["top"] == [
        {"host": "[2001:db8::1]", "documents": 1, "bytes": 8, "kept_documents": 0, "kept_bytes": 0},
        {"host": "example.org", "documents": 3, "bytes": 6, "kept_documents": 2, "kept_bytes": 3},
        {"host": "files.example", "documents": 1, "bytes": 4, "kept_documents": 0, "kept_bytes": 0},
    ]
    assert hosts_of(graph.surveys[0], tmp_path, "web").to_dicts() == report["top"]
