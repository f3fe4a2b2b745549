"""Warnings are made of the report alone: one of each kind where there is reason, none where all is well."""

import copy
import json

import pytest

from pipelines.report.warnings import warnings_of


def source(**changes):
    return {
        "source": "web",
        "documents": 100,
        "kept": 90,
        "set_aside": {},
        "dropped": {"near_duplicate": 10},
        "lost": {},
        "lost_in_words": "",
        "first_lost": None,
        "passed_over": [],
        "left_out_by_template": {},
        "language": {"declared": "en", "identified": {"en": 80, "de": 5}},
        **changes,
    }


def group(name="web", epochs=2.0, documents=90, tokens=50_000, quota=True):
    quota = {"quota": tokens, "built": tokens} if quota else None
    return {"group": name, "epochs": epochs, "documents_used": documents, "tokens": tokens, "quota": quota}


def ledger(*groups, constraints=()):
    return {"rows": 10, "groups": list(groups), "constraints": list(constraints)}


def scores(bits=(1.0, 0.9), change=None, interval=(-0.11, -0.09)):
    return {
        "step": [0, 100],
        "loss": [2.0 * value if value is not None else None for value in bits],
        "bits_per_byte": list(bits),
        "change": {"bits_per_byte": -0.1 if change is None else change, "interval": interval},
    }


def curve(loss=None, **groups):
    loss = loss if loss is not None else [3.0 - 0.01 * step for step in range(100)]
    return {"steps": list(range(1, len(loss) + 1)), "loss": loss, "groups": groups or {"web": scores()}}


def trained(**changes):
    return {"stage1": {"of_these_shards": True, "curve": curve(), **changes}}


def contamination(kept=0, dropped=0, cut=0, action="drop", answers=0, not_compared=()):
    of_source = {"benchmark": "gsm8k", "flagged_kept": kept, "dropped": dropped, "cut": cut}
    splits = [{"split": "test", "items": 30, "found": {"answer": answers, "question": 0}}]
    return {
        "benchmarks": [{"benchmark": "gsm8k", "actions": {"answer": action}, "splits": splits}],
        "sources": [{"source": "web", "benchmarks": [of_source]}],
        "not_compared": list(not_compared),
    }


def compared(interval):
    difference = {"base": {"bits_per_byte": 0.03, "interval": interval}}
    model = {"of_these_shards": True}
    return {"stage1": {"model": model, "comparison": {"groups": {"web": {"differences": difference}}}}}


GOOD = {
    "unfinished": None,
    "sources": [source()],
    "classifiers": [],
    "contamination": contamination(),
    "licences": [{"licence": "MIT", "verdict": "allowed", "kept": 90}],
    "unknown_licences": "warn",
    "mixtures": {"stage1": ledger(group()), "held_out": ledger(group(quota=False))},
    "synthetic": {"stage1": {"qa": {"share": 0.5, "asked": False}}},
    "training": trained(),
    "training_unfinished": {},
    "evaluation": compared([-0.01, 0.04]),
}


def warned(**changes):
    return warnings_of(copy.deepcopy(GOOD) | changes)


def test_nothing_is_said_when_all_is_well():
    assert warned() == []


def mixture(**stages):
    return {"mixtures": {**GOOD["mixtures"], **stages}}


SPIKE = [3.0 - 0.02 * step for step in range(80)] + [5.0] * 20
CASES = {
    "unfinished": (
        {"unfinished": {"finished_stages": 3, "stages": 9, "next_stage": "select"}},
        "caution",
        "3 of 9 stages are done, `select` comes next",
    ),
    "no_document": (
        {"sources": [source(documents=0, kept=0, set_aside={"broken": 4, "empty": 1})]},
        "fault",
        "the source `web` has no document, most of them for `broken` (4)",
    ),
    "nothing_kept": (
        {"sources": [source(kept=0, dropped={"exact": 30, "gopher": 70})]},
        "fault",
        "no document of the source `web` was kept, most of them for `gopher` (70)",
    ),
    "mostly_dropped": (
        {"sources": [source(kept=49, dropped={"gopher": 51})]},
        "caution",
        "51 of 100 documents of the source `web` were dropped, most of them for `gopher` (51)",
    ),
    "quarantine": (
        {
            "classifiers": [
                {"classifier": "good", "lost": {"x": {}}, "lost_in_words": "3 records", "first_lost": "a"}
            ]
        },
        "caution",
        "labelled files of good: 3 records set aside, first a",
    ),
    "passed_over": (
        {"sources": [source(passed_over=[{"kind": ".bin", "files": 1, "example": "x.bin"}])]},
        "caution",
        "web: 1 file passed over: .bin (1, e.g. x.bin)",
    ),
    "language": (
        {"sources": [source(language={"declared": "en", "identified": {"ru": 61, "en": 39}})]},
        "fault",
        "declared to be in `en`, but 61% of its documents whose language is clear are in `ru`",
    ),
    "left_out_by_template": (
        {"sources": [source(left_out_by_template={"tools": 7})]},
        "caution",
        "the chat template leaves out `tools`, which 7 conversations of the source `web` have",
    ),
    "licence_denied": (
        {"licences": [{"licence": "GPL", "verdict": "denied", "kept": 2}]},
        "fault",
        "2 documents are kept whose licence is denied: `GPL`",
    ),
    "licence_unknown": (
        {"licences": [{"licence": "unknown", "verdict": "unknown", "kept": 2}]},
        "caution",
        "2 documents are kept whose licence is unknown",
    ),
    "leak_removed": (
        {"contamination": contamination(dropped=4, cut=2, answers=3)},
        "caution",
        "`gsm8k` was found in the data: 4 documents were dropped for it, 2 had spans cut out",
    ),
    "not_compared": (
        {"contamination": contamination(not_compared=["a", "b", "c", "d", "e", "f"])},
        "caution",
        "documents of `a`, `b`, `c`, `d`, `e` and 1 more were not compared",
    ),
    "constrained": (
        mixture(stage1=ledger(group(), constraints=["law gives 10 of 20 tokens"])),
        "caution",
        "stage1: law gives 10 of 20 tokens",
    ),
    "repeated": (
        mixture(stage2=ledger(group(epochs=6.3))),
        "caution",
        "the group `web` of stage2 is repeated 6.3 times",
    ),
    "nothing_held_out": ({"mixtures": {"stage1": ledger(group())}}, "caution", "nothing is held out"),
    "little_held_out": (
        mixture(held_out=ledger(group(quota=False), constraints=["law has no held-out document."])),
        "caution",
        "held_out: law has no held-out document.",
    ),
    "synthetic_share": (
        {"synthetic": {"stage1": {"qa": {"share": 0.9, "asked": False}}}},
        "caution",
        "90% of the group `qa` of stage1 is synthetic text",
    ),
    "stale_training": (
        {"training": trained(of_these_shards=False)},
        "fault",
        "stage1 was trained on earlier",
    ),
    "stale_evaluation": (
        {"evaluation": {"stage1": {"model": {"of_these_shards": False}, "base": {"of_these_shards": None}}}},
        "caution",
        "the scores after stage1 are of earlier held-out documents (model)",
    ),
    "training_unfinished": (
        {"training_unfinished": {"stage2": curve()}},
        "caution",
        "stage2 has not come to its end",
    ),
    "not_finite": ({"training": trained(curve=curve([3.0, None]))}, "fault", "stage1 is not a finite number"),
    "diverged": (
        {"training": trained(curve=curve(SPIKE))},
        "fault",
        "its loss ends 3.49 nats above its lowest",
    ),
    "forgot": (
        {"training": trained(curve=curve(web=scores((1.0, 1.03), 0.03, (0.021, 0.039)), law=scores()))},
        "fault",
        "stage1 forgot `web`: +0.030 bits per byte (95 %: +0.021 to +0.039)",
    ),
    "may_have_forgotten": (
        {"training": trained(curve=curve(web=scores((1.0, 1.03), 0.03, None)))},
        "caution",
        "stage1 may have forgotten `web`: +0.030 bits per byte",
    ),
    "worse_than_base": (
        {"evaluation": compared([0.01, 0.05])},
        "fault",
        "after stage1 `web` is harder than for the base: +0.030 bits per byte (95 %: +0.010 to +0.050)",
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_is_said_alone(kind):
    changes, level, words = CASES[kind]
    (found,) = warned(**changes)
    assert (found["kind"], found["level"]) == (kind, level)
    assert words in found["in_words"]
    assert set(found) == {"level", "section", "kind", "in_words"}


def test_answers_that_stay_in_the_data_are_a_fault_and_questions_a_caution():
    (leak,) = warned(contamination=contamination(kept=4, action="flag", answers=3))
    assert (leak["kind"], leak["level"]) == ("leak_kept", "fault")
    assert "3 of its test items with their answer" in leak["in_words"]
    for harmless in (contamination(kept=4, action="flag"), contamination(kept=4, answers=3)):
        (leak,) = warned(contamination=harmless)
        assert leak["level"] == "caution" and "answer" not in leak["in_words"]


@pytest.mark.parametrize(
    "changes",
    [
        {"contamination": None},
        {"unfinished": None, "sources": [source(documents=None, kept=None)]},
        {"sources": [source(language=None)]},
        {"sources": [source(language={"declared": "en", "identified": {"ru": 19}})]},
        {"licences": [{"licence": "unknown", "verdict": "unknown", "kept": 2}], "unknown_licences": "allow"},
        {"synthetic": {"stage1": {"qa": {"share": 0.9, "asked": True}}}},
        {"training": trained(curve=None)},
        {"training": trained(curve=curve([3.0, 9.0]))},
        {"training": trained(curve=curve([2.0 + (step % 2) for step in range(100)]))},
        {"training": trained(curve=curve(web=scores((1.0, 1.03), 0.03, (-0.01, 0.07))))},
        {"training": trained(curve=curve(web=scores((1.0, 1.001), 0.001, None)))},
        {"training": {}, "evaluation": {}},
        mixture(stage2=ledger(group(epochs=4.0))),
    ],
)
def test_what_is_no_reason_is_not_said(changes):
    assert warned(**changes) == []


def test_a_group_that_the_ledger_names_is_not_named_twice():
    sentence = "web is repeated 6.3 times, beyond its 4 epochs, to give 100 tokens."
    (found,) = warned(**mixture(stage1=ledger(group(epochs=6.3), constraints=[sentence])))
    assert found["kind"] == "constrained"


def test_faults_come_first():
    changes = {**CASES["passed_over"][0], **CASES["synthetic_share"][0], **CASES["not_finite"][0]}
    assert [each["level"] for each in warned(**changes)] == ["fault", "caution", "caution"]


def test_a_real_report_warns_of_what_is_true_of_it(finished):
    report = json.loads((finished / "report.json").read_text())
    assert report["warnings"] == warnings_of(report)
    said = {each["kind"] for each in report["warnings"]}
    assert said <= {"little_held_out", "licence_unknown", "constrained", "repeated"}
    constraints = [f"held_out: {sentence}" for sentence in report["mixtures"]["held_out"]["constraints"]]
    little = [each["in_words"] for each in report["warnings"] if each["kind"] == "little_held_out"]
    assert little == constraints != []
