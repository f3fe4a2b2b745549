"""The report's signals, samples and hosts of a finished run, recomputed from its sidecars and parts."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.commands.open_run import open_run


@pytest.fixture(scope="module")
def report(finished):
    return json.loads((finished / "report.json").read_text())


@pytest.fixture(scope="module")
def documents(finished):
    """By source: the signals that its rules use, its verdicts and its texts."""
    run = open_run(finished)
    (select,) = run.graph.selects
    found = {}
    for source in select.sources:
        names = {"doc_id", "bytes", "language_score", *(rule.signal for rule in source.rules)}
        signals = [row for table in source.annotations.tables(finished, names) for row in table.to_pylist()]
        parts, tables = source.annotations.parts, dict(select.verdicts(finished, source.scope))
        verdicts = [row for part in parts.part_names(finished) for row in tables[part].to_pylist()]
        texts = [
            row
            for part in parts.part_names(finished)
            for row in pq.read_table(parts.path(finished, part), columns=["text"]).to_pylist()
        ]
        found[source.scope] = (
            source.rules,
            [{**a, **b, **c} for a, b, c in zip(signals, verdicts, texts, strict=True)],
        )
    return found


def test_signals_are_those_of_the_sidecars(report, documents):
    assert [each["source"] for each in report["signals"]] == list(documents)
    for each in report["signals"]:
        rules, rows = documents[each["source"]]
        assert (each["documents"], each["kept"]) == (len(rows), sum(row["keep"] for row in rows))
        assert each["about"] is True
        assert {signal["signal"] for signal in each["signals"]} == {
            "bytes",
            "language_score",
            *(rule.signal for rule in rules),
        }
        for signal in each["signals"]:
            _check(signal, rules, rows)


def _check(signal, rules, rows) -> None:
    name = signal["signal"]
    values = np.array([row[name] for row in rows])
    others = [rule for rule in rules if rule.signal != name]
    own = {rule.name for rule in rules if rule.signal == name}
    passes = [not any(rule.failed(np.array([row[rule.signal]]))[0] for rule in others) for row in rows]
    kept = np.array(
        [row["keep"] or (row["reason"] in own and good) for row, good in zip(rows, passes, strict=True)]
    )
    assert (signal["smallest"], signal["largest"]) == (values.min(), values.max())
    points, intervals = signal["points"], signal["intervals"]
    for value, number, left in zip(*points.values(), strict=True):
        assert (number, left) == (np.sum(values == value), np.sum(kept[values == value]))
    for low, high, number, left in zip(*intervals.values(), strict=True):
        inside = (values > (-np.inf if low is None else low)) & (values < (np.inf if high is None else high))
        assert (number, left) == (inside.sum(), kept[inside].sum())
    assert sum(points["documents"]) + sum(intervals["documents"]) == len(rows)


def test_samples_are_documents_with_that_verdict(report, documents):
    verdicts = {source: {row["doc_id"]: row for row in rows} for source, (_, rows) in documents.items()}
    seen = {source: 0 for source in documents}
    for sample in report["samples"]:
        own = verdicts[sample["source"]]
        seen[sample["source"]] += sample["documents"]
        assert sample["documents"] == sum(
            (row["domain"], row["reason"]) == (sample["group"], sample["reason"]) for row in own.values()
        )
        for example in sample["examples"]:
            row = own[example["doc_id"]]
            assert (row["reason"], row["held_out"]) == (sample["reason"], False)
            assert example["text"] == row["text"][:2_000] and example["cut"] == (len(row["text"]) > 2_000)
            if (sample["reason"] or "").startswith("gopher_quality"):
                ((name, value),) = example["signals"].items()
                assert row[name] == value
    assert seen == {source: len(own) for source, own in verdicts.items()}
    assert report["hosts"] == []


def test_a_run_that_ends_at_select_has_none_of_them(coupage, recipe, tmp_path):
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "select")
    report = json.loads(coupage("report", tmp_path / "run", "--json").stdout)
    assert report["signals"] == report["samples"] == report["hosts"] == []
    assert report["unfinished"]["next_stage"] == "survey documents"
