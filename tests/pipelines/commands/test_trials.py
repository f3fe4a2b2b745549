"""`coupage ablate` and `coupage search`: what is trained on and said of it; nothing is done twice."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mixers.shards import Shards
from pipelines.commands.open_run import open_run
from tests.pipelines.corpus import write_recipe

SMALL = (
    *("--set", "trials.tokens=6k", "--set", "trials.seeds=2", "--workers", 2, "--quiet"),
    *("--set", "train.stage1.rows_per_step=2", "--set", "train.stage1.compile=false"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, finished):
    return shutil.copytree(finished, tmp_path_factory.mktemp("trials") / "run", symlinks=True)


@pytest.fixture(scope="module")
def found(coupage, recipe, run):
    return json.loads(coupage("ablate", recipe, "--sources", "--workdir", run, *SMALL, "--json").stdout)


def ids(run, folder):
    """The documents of a trial, or of what is held out."""
    (path,) = run.glob(folder)
    return set(Shards.open(path).segments["doc_id"].to_pylist())


def trial_documents(run, name):
    return ids(run, f"stages/shards-trial-{name}-*/dataset")


def offered(run, name):
    """The documents that a trial could have drawn."""
    plans = run.glob(f"stages/trial_mix-{name}-*/documents.arrow")
    path = max(plans, key=lambda plan: plan.stat().st_mtime_ns)  # one that only measured sources came before
    with pa.memory_map(str(path)) as file:
        return set(pa.ipc.open_file(file).read_all()["doc_id"].to_pylist())


def test_every_source_has_an_effect_with_an_interval(found):
    assert {entry["item"] for entry in found["items"]} == {"web", "law"}
    for entry in [*found["items"], {"item": "null", **found["null"]}]:
        for effect in (entry["effect"], *entry["groups"].values()):
            low, high = effect["interval"]
            assert low < effect["value"] < high
            assert effect["verdict"] in ("lower", "higher", "no effect")
    assert found["cost"]["trainings"] == 8


def test_the_effect_is_what_the_trainings_gave(found, run):
    def bits(name):
        path = next(run.glob(f"stages/trial-{name}-*/pieces.parquet"))
        table = pq.read_table(path).to_pandas().groupby("group").sum(numeric_only=True)
        return table["nats"] / table["predicted"] * table["tokens"] / table["bytes"] / 0.6931471805599453

    (law,) = (entry for entry in found["items"] if entry["item"] == "law")
    with_it = (bits("sources-reference-0") + bits("sources-reference-1")) / 2
    without = (bits("sources-1-0") + bits("sources-1-1")) / 2  # the second source of the recipe
    for group, effect in law["groups"].items():
        assert effect["value"] == pytest.approx((with_it - without)[group], abs=1e-9)


def test_trials_see_nothing_that_is_held_out_and_nothing_of_what_is_left_out(found, run):
    held_out = ids(run, "shards/held_out")
    assert held_out
    for name in ("reference-0", "reference-1", "0-0", "1-0", "null-0"):
        assert not trial_documents(run, f"sources-{name}") & held_out
    with_both, without_web = trial_documents(run, "sources-reference-0"), trial_documents(run, "sources-0-0")
    web = {row["doc_id"] for row in open_run(run).documents(source="web", kept=True, number=10_000)}
    assert with_both & web
    assert not without_web & web


def test_replicates_draw_documents_and_the_null_arm_is_the_same_draw_in_another_order(found, run):
    first, second = (trial_documents(run, f"sources-reference-{number}") for number in (0, 1))
    null = trial_documents(run, "sources-null-0")
    assert len(first | null) < len(first | second)
    rows = [
        [
            pack.input_ids.tolist()
            for pack in Shards.open(next(run.glob(f"stages/shards-trial-{name}-*/dataset")))
        ]
        for name in ("sources-reference-0", "sources-null-0")
    ]
    assert rows[0] != rows[1]


def test_nothing_is_trained_twice(coupage, recipe, run, found):
    trials = {path: path.stat().st_mtime_ns for path in run.glob("stages/trial-*/pieces.parquet")}
    again = json.loads(coupage("ablate", recipe, "--sources", "--workdir", run, *SMALL, "--json").stdout)
    assert again == found
    assert trials == {path: path.stat().st_mtime_ns for path in run.glob("stages/trial-*/pieces.parquet")}


def test_the_report_shows_it(run, found):
    report = json.loads((run / "report.json").read_text())
    (shown,) = report["trials"]["ablations"]
    assert {key: shown[key] for key in found} == found
    page = (run / "report.html").read_text()
    assert "What each of the sources does" in page
    assert f"{found['null']['effect']['value']:+.4f}" in page


def _changed(run):
    """A copy of the run in which what an ablation gave is another number."""
    copy = shutil.copytree(run, run.with_name("changed"), symlinks=True)
    path = copy / "trials/ablation-sources.json"
    path.write_text(path.read_text().replace("0.", "1.", 1))
    return copy


def test_the_run_stays_finished_and_clean_leaves_the_trials(coupage, run, found):
    coupage("verify", run)
    coupage("clean", run)
    assert "trials/ablation-sources.json" in coupage("verify", _changed(run), code=1).stderr
    assert list(run.glob("stages/trial-sources-*"))


def test_a_rule_left_out_lets_its_documents_in(coupage, recipe, run):
    said = coupage("ablate", recipe, "--rules", "--workdir", run, *SMALL, "--json").stdout
    (entry,) = json.loads(said)["items"]
    assert entry["item"] == "gopher_quality"
    dropped = open_run(run).documents(reason="gopher_quality", number=10_000)
    assert dropped
    assert {row["doc_id"] for row in dropped} <= offered(run, "rules-0-0")
    assert not {row["doc_id"] for row in dropped} & offered(run, "rules-reference-0")
    assert not trial_documents(run, "rules-0-0") & ids(run, "shards/held_out")


def test_an_edit_left_out_leaves_texts_as_they_were_read(coupage, recipe, run):
    """The edit that no recipe names, too."""
    said = coupage(
        "ablate", recipe, "--edits", "--only", "normalize_lines", "--workdir", run, *SMALL, "--json"
    )
    (entry,) = json.loads(said.stdout)["items"]
    assert entry["item"] == "normalize_lines" and entry["effect"]["interval"]
    texts = {path.parent for path in run.glob("stages/ingest-*/*.parquet")}
    assert len(texts) == 4, "each of the two sources is read with it and without"
    assert offered(run, "edits-0-0") == offered(run, "edits-reference-0")
    assert not trial_documents(run, "edits-0-0") & ids(run, "shards/held_out")


def test_search_gives_weights_or_says_that_there_are_none_better(
    coupage, tmp_path, corpus, base_tokenizer, run
):
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus, f"base: {base_tokenizer}")
    better = tmp_path / "better.yaml"
    options = ("--set", "search.probes=4", "--set", "search.confirm=1", "--set", "search.bounds.law.max=0.5")
    said = coupage("search", recipe, "--workdir", run, *SMALL, *options, "--json", "-o", better).stdout
    found = json.loads(said)
    assert found["targets"] == ["law", "web"]
    assert len(found["probes"]) == 4
    assert found["own"] == pytest.approx({"web": 0.7, "law": 0.3}, abs=0.02)
    for each in (*found["candidates"], *found["probes"]):
        assert sum(each["shares"].values()) == pytest.approx(1, abs=0.01)
        assert each["shares"]["law"] <= 0.52
    weights = yaml.safe_load(better.read_text())["mixtures"]["stage1"]["weights"]
    expected = found["weights"] or found["own"]
    assert {name: weight / 100 for name, weight in weights.items()} == pytest.approx(expected, abs=1e-3)
    coupage("recipe", "validate", better)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ablate", "--sources", "--rules"], "one of --sources"),
        (["ablate", "--sources", "--only", "nothing"], "nothing called `nothing`"),
        (["ablate", "--edits"], "no edits to try"),
        (["ablate", "--sources", "--set", "trials.seeds=1"], "nothing of chance"),
        (["search", "--set", "trials.seeds=1"], "nothing of chance"),
        (["ablate", "--sources", "--set", "trials.stage=stage9"], "no mixture `stage9`"),
        (["search", "--set", "search.targets.lawn=1"], "no group `lawn` (there are: law, web)"),
        (["search", "--set", "search.guard.lawn=0.1"], "no group `lawn` (there are: law, web)"),
        (["search", "--set", "search.bounds.lawn.max=0.5"], "no group `lawn` (there are: law, web)"),
        (["ablate", "--sources", "--set", "trials.tokens=100"], "teaches nothing"),
        (["ablate", "--sources", "--set", "held_out.share=0"], "there are none"),
    ],
)
def test_what_cannot_be_tried_is_said(coupage, recipe, run, words, said):
    command, *options = words
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.parent.name != "logs"}
    assert said in coupage(command, recipe, "--workdir", run, *SMALL, *options, code=2).stderr
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.parent.name != "logs"}
    assert before == after
