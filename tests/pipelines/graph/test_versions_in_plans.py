"""A raised version runs its family and what depends on it, and nothing else; a finished run stays open."""

import json

import pytest

from filters.dedup import minhash
from filters.language import identify
from filters.quality.signals import FAMILIES
from pipelines.commands.open_run import open_run
from pipelines.execution import fingerprint
from pipelines.execution.stage import Stage, inputs_first
from pipelines.graph.build import Graph, build_graph
from pipelines.graph.inputs import LiveInputs
from pipelines.graph.plan import make_plan
from pipelines.recipe.load import load_recipe
from tokenizer_tools import backends

ALL_SIGNALS = ["curate.signals=[all]"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, coupage, recipe):
    """A finished run for which every family of signals was computed."""
    run = tmp_path_factory.mktemp("measured") / "run"
    coupage("run", recipe, "--workdir", run, "--set", ALL_SIGNALS[0])
    return run


def graph_of(recipe, run, settings) -> Graph:
    return build_graph(load_recipe(str(recipe), settings), LiveInputs.for_run(recipe.parent, run))


def running(graph: Graph, run) -> set[str]:
    return {stage.label for stage in make_plan(graph, run) if stage.state != "cached"}


def depending(graph: Graph, changed: str) -> set[str]:
    """The stages whose label has `changed` in it, and those made from them."""

    def rests_on(stage: Stage) -> bool:
        return any(changed in before.label for before in inputs_first([stage]))

    return {stage.label for stage in graph.stages() if rests_on(stage)}


def raise_family(monkeypatch, name: str) -> None:
    family = FAMILIES[name]
    monkeypatch.setitem(FAMILIES, name, family._replace(version=family.version + 1))


@pytest.mark.parametrize(
    ("changed", "raised"),
    [
        ("-gopher_quality", lambda patch: raise_family(patch, "gopher_quality")),
        ("-gopher_repetition", lambda patch: raise_family(patch, "gopher_repetition")),
        ("-pii", lambda patch: raise_family(patch, "pii")),
        ("-language", lambda patch: patch.setattr(identify, "VERSION", identify.VERSION + 1)),
        ("-minhash", lambda patch: patch.setattr(minhash, "VERSION", minhash.VERSION + 1)),
        ("tokenize", lambda patch: patch.setattr(backends, "VERSION", backends.VERSION + 1)),
    ],
)
def test_a_raised_version_runs_its_family_and_what_rests_on_it(
    monkeypatch, recipe, measured, changed, raised
):
    assert running(graph_of(recipe, measured, ALL_SIGNALS), measured) == set()
    raised(monkeypatch)
    graph = graph_of(recipe, measured, ALL_SIGNALS)
    expected = depending(graph, changed)
    assert running(graph, measured) == expected
    assert any(changed in label for label in expected)
    assert not any("ingest" in label for label in expected)


def test_another_version_of_a_library_runs_what_it_decides(monkeypatch, recipe, measured):
    installed = fingerprint.version
    monkeypatch.setattr(fingerprint, "version", lambda name: installed(name) + ".post1")
    graph = graph_of(recipe, measured, ALL_SIGNALS)
    assert running(graph, measured) == depending(graph, "tokenize")


def test_a_finished_run_opens_whatever_code_and_libraries_have_become(monkeypatch, recipe, measured):
    before = {stage.label: stage.fingerprint for stage in open_run(measured).graph.stages()}
    raise_family(monkeypatch, "pii")
    monkeypatch.setattr(minhash, "VERSION", minhash.VERSION + 1)
    assert {stage.label: stage.fingerprint for stage in open_run(measured).graph.stages()} == before


def test_a_rule_on_a_signal_that_was_not_computed_costs_its_family_alone(coupage, recipe, run_copy):
    rule = ["--set", "curate.rules=[{signals: {math_symbol_fraction: {max: 0.5}}}]"]
    plan = json.loads(coupage("plan", recipe, "--workdir", run_copy, *rule, "--json").stdout)["stages"]
    run = {stage["label"] for stage in plan if stage["state"] != "cached"}
    assert {label for label in run if label.startswith(("ingest", "annotate"))} == {
        "annotate web-math",
        "annotate law-math",
    }
    coupage("run", recipe, "--workdir", run_copy, *rule)
    shown = json.loads(coupage("inspect", run_copy, "-n", 1, "--json").stdout)
    assert "math_symbol_fraction" in shown[0]["signals"]
