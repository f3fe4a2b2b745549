"""What the report makes of counts: names with odd characters stay apart."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.execution.counts import Count, Counts
from pipelines.report.classifiers import classifier_reports
from pipelines.report.edits import edit_reports
from pipelines.report.report import failed_rules
from pipelines.report.words import in_words

ODD = ("a in b", "a", "b in a", "fails a", "a: b", ": ", " in ", "edit a: b", "classifier.a", "removed by a")


def finished(counts: Counts, **fields: object) -> SimpleNamespace:
    """A finished stage that counted this."""
    return SimpleNamespace(manifest=lambda workdir: SimpleNamespace(counts=counts), **fields)


def test_rules_and_sources_are_told_apart():
    counts, expected = Counts(), {}
    for source in ODD:
        for rule in ODD:
            expected[rule, source] = len(expected) + 1
            counts.add("failed_rule", expected[rule, source], scope=source, reason=rule)
            counts.add("failed_classifier", 1000, reason=rule)
    counts.add("failed_rule", 0, scope="web", reason="min_words")
    found = failed_rules(counts)
    assert {(row["rule"], row["source"]): row["documents"] for row in found} == expected
    assert [row["documents"] for row in found] == sorted(expected.values(), reverse=True)


def test_classifiers_are_told_apart():
    counts = Counts()
    for number, name in enumerate(ODD, 1):
        counts.add("failed_classifier", number, reason=name)
        counts.add("failed_rule", 1000, scope=name, reason=f"classifier.{name}")
    classifiers = [SimpleNamespace(name=name, members=("one",), keep=0.5) for name in ODD]
    reports = classifier_reports(finished(counts, classifiers=classifiers), Path())
    assert {report["classifier"]: report["dropped"] for report in reports} == {
        name: number for number, name in enumerate(ODD, 1)
    }


def test_edits_are_told_apart():
    counts = Counts()
    for number, name in enumerate(ODD, 1):
        counts.flow("records", entered=number, left=0, dropped={Count("emptied", name): number})
        counts.flow("bytes", entered=number, left=0, dropped={Count("removed", name): number})
        counts.add("documents_changed", number, scope=name)
        counts.add("bytes_added", number, scope=name)
        for done in ODD:
            counts.add("edited", number, scope=name, reason=done)
    edits = [SimpleNamespace(name=name) for name in ODD]
    for number, report in enumerate(edit_reports(finished(counts, edits=edits, scope="web"), Path()), 1):
        assert report == {
            "source": "web",
            "edit": ODD[number - 1],
            "documents_changed": number,
            "documents_emptied": number,
            "bytes_added": number,
            "bytes_removed": number,
            "counts": dict.fromkeys(sorted(ODD), number),
        }


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (Count("quarantined", reason="invalid JSON"), "quarantined: invalid JSON"),
        (Count("emptied", "c4_lines"), "emptied by c4_lines"),
        (Count("no_question", reason="too short"), "no question: too short"),
        (Count("too_long", "english"), "too long (english)"),
        (Count("failed_rule", "web", "min_words"), "failed rule (web): min_words"),
        (Count("in_no_group"), "in no group"),
    ],
)
def test_keys_read_as_words(count, words):
    assert in_words({count: 3}) == {words: 3}


def test_nothing_is_lost_where_two_keys_read_the_same():
    assert in_words({Count("too_long"): 1, Count("too long"): 2}) == {"too long": 3}
