"""Two runs beside each other: what was changed is said exactly, and its effect is what a recount gives."""

import json
import shutil
from collections import Counter

import polars as pl
import pytest

from filters.quality.signals import FAMILIES
from pipelines.commands.open_run import open_run
from pipelines.execution.seal import read_run, reseal_run
from pipelines.report.comparison.compare import read_facts
from pipelines.report.comparison.stages import Stages, code_differences
from tests.pipelines.corpus import write_recipe

THRESHOLD = (
    "curate.rules=[{use: [gopher_quality], sources: [web], thresholds: {gopher_quality.min_words: 200}}]"
)
WEIGHT = "mixtures.stage1.weights.web=50"
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def changed(tmp_path_factory, coupage, finished, recipe):
    """The same run with another threshold, another weight and another version of a family of signals."""
    run = shutil.copytree(finished, tmp_path_factory.mktemp("changed") / "run", symlinks=True)
    family = FAMILIES["gopher_quality"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "gopher_quality", family._replace(version=family.version + 1))
        coupage("run", recipe, "--workdir", run, "--set", THRESHOLD, "--set", WEIGHT)
    return run


@pytest.fixture(scope="module")
def found(coupage, finished, changed):
    return json.loads(coupage("compare", finished, changed, "--json").stdout)


def in_words(changes):
    return [change["in_words"] for change in changes]


def states_of(run, source):
    """What became of each document, by its id."""
    (select,) = open_run(run).graph.selects
    verdicts = [row for _, table in select.verdicts(run, source) for row in table.to_pylist()]
    return {
        row["doc_id"]: ("held out" if row["held_out"] else "kept") if row["keep"] else row["reason"]
        for row in verdicts
    }


def recounted(a, b, source):
    """How many documents are something else in `b`, by what they are in both."""
    before, after = states_of(a, source), states_of(b, source)
    pairs = Counter((before.get(name), after.get(name)) for name in before.keys() | after.keys())
    return {pair: number for pair, number in pairs.items() if pair[0] != pair[1]}


def told(found, source):
    (moves,) = (each["moves"] for each in found["documents"] if each["source"] == source)
    return {(move["a"], move["b"]): move["documents"] for move in moves}


def test_a_threshold_a_weight_and_a_version_are_said_exactly(found):
    version = FAMILIES["gopher_quality"].version
    assert in_words(found["recipe"]) == [
        "weight of web in stage1: 70 → 50 (70.0% → 62.5% of the stage)",
        "rule gopher_quality.min_words of source web: 50 → 200",
    ]
    assert in_words(found["code"]) == [f"annotate gopher_quality: version {version} → {version + 1}"]
    assert found["inputs"] == []
    assert not found["equal"]


def test_stages_are_made_anew_because_of_first_causes(found):
    stages = found["stages"]
    causes = {cause["stages"][0]: cause for cause in stages["causes"]}
    assert set(causes) == {
        "annotate web-gopher_quality",
        "select documents",
        "survey documents",
        "mix stage1",
    }
    assert "tokenize web" in causes["select documents"]["after"]
    assert "select documents" in causes["annotate web-gopher_quality"]["after"]
    assert causes["mix stage1"]["after"] == ["shards stage1"]
    assert stages["new"] == stages["gone"] == []
    assert not any(label.startswith("ingest") for label in stages["anew"])


def test_the_effect_is_what_a_recount_gives(found, finished, changed):
    expected = recounted(finished, changed, "web")
    assert ("kept", "gopher_quality.min_words") in expected
    assert told(found, "web") == expected
    (web,) = (each for each in found["documents"] if each["source"] == "web")
    kept = {"kept", "held out"}
    lost = sum(n for (a, b), n in expected.items() if a in kept and b not in kept)
    gained = sum(n for (a, b), n in expected.items() if a not in kept and b in kept)
    assert (web["kept_only_a"], web["kept_only_b"]) == (lost, gained)
    before, after = states_of(finished, "web"), states_of(changed, "web")
    for move in web["moves"]:
        same = sorted(d for d in before if (before[d], after[d]) == (move["a"], move["b"]))
        assert move["examples"] == same[:3]
    funnel = {(row["of"]["source"], row["what"]): row for row in found["funnel"]}
    assert funnel["web", "kept"]["delta"] == gained - lost
    assert (
        funnel["web", "dropped: gopher_quality.min_words"]["b"]
        == Counter(after.values())["gopher_quality.min_words"]
    )


def test_the_mixture_is_that_of_the_shards(found, finished, changed):
    rows = {(row["of"]["stage"], row["of"].get("group"), row["what"]): row for row in found["mixture"]}
    for side, run in (("a", finished), ("b", changed)):
        segments = pl.read_parquet(run / "shards" / "stage1" / "segments.parquet")
        of_web = segments.filter(pl.col("doc_id").is_in(list(states_of(run, "web"))))
        assert rows["stage1", "web", "tokens"][side] == of_web["tokens"].sum()
    assert rows["stage1", "web", "asked"]["delta"] == -20


def test_the_terminal_and_the_page_say_the_same(coupage, found, finished, changed, tmp_path):
    page = tmp_path / "compare.html"
    printed = coupage("compare", finished, changed, "-o", page).stdout
    for words in (*in_words(found["recipe"]), *in_words(found["code"])):
        assert words in printed
        assert words in page.read_text()
    assert "kept only in A" in printed


def test_equal_runs_have_no_difference(coupage, finished, run_copy):
    assert "no difference" in coupage("compare", finished, run_copy).stdout
    equal = json.loads(coupage("compare", finished, run_copy, "--json").stdout)
    assert equal["equal"]
    assert not any(
        equal[section] for section in ("recipe", "inputs", "code", "documents", "funnel", "mixture")
    )


@pytest.fixture(scope="module")
def other(tmp_path_factory, coupage, finished, corpus, base_tokenizer):
    """A run that reads other law documents, in another order, some with hostile ids, and one source more."""
    folder = tmp_path_factory.mktemp("other")
    law = [json.loads(line) for line in (corpus / "law.jsonl").read_text().splitlines()]
    left = [each | {"id": f"{HOSTILE}{each['id']}"} if n % 40 == 0 else each for n, each in enumerate(law)]
    for name, documents in (("law", left[:150][::-1]), ("more", law[150:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    shutil.copy(corpus / "web.jsonl", folder)
    recipe = write_recipe(folder / "recipe.yaml", folder, f"base: {base_tokenizer}")
    more = f"{{reader: files, path: {folder}/more.jsonl, fields: {{id: id}}, domain: law}}"
    run = shutil.copytree(finished, folder / "run", symlinks=True)
    description = json.dumps(HOSTILE)
    settings = ("--set", f"sources.more={more}", "--set", f"description={description}")
    coupage("run", recipe, "--workdir", run, *settings)
    return run


def test_other_files_are_named_and_documents_found_by_their_ids(coupage, finished, other):
    found = json.loads(coupage("compare", finished, other, "--json").stdout)
    assert in_words(found["inputs"]) == ["files of law: 1 changed"]
    (file,) = found["inputs"][0]["files"]
    assert (file["path"], file["change"]) == ("law.jsonl", "changed")
    assert file["new"]["bytes"] == (other.parent / "law.jsonl").stat().st_size
    assert "ingest more" in found["stages"]["new"]
    assert told(found, "law") == recounted(finished, other, "law")
    assert (None, "kept") in told(found, "law")


def test_hostile_names_are_inert(coupage, finished, other, tmp_path):
    page = tmp_path / "compare.html"
    printed = coupage("compare", finished, other, "-o", page).stdout
    for text in (printed, page.read_text()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "alert(1)" in page.read_text()
    assert "<script" not in page.read_text()


def test_a_folder_without_a_finished_run_is_refused(coupage, finished, recipe, tmp_path):
    assert "not the folder of a run" in coupage("compare", finished, tmp_path, code=2).stderr
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "ingest")
    assert "not finished" in coupage("compare", tmp_path / "run", finished, code=2).stderr


def test_a_report_of_an_earlier_version_is_compared_as_far_as_it_goes(coupage, run_copy, changed):
    content = json.loads((run_copy / "report.json").read_text())
    for section in ("licences", "evaluation"):
        del content[section]
    (run_copy / "report.json").write_text(json.dumps(content))
    reseal_run(run_copy, ["report.json"])
    found = json.loads(coupage("compare", run_copy, changed, "--json").stdout)
    assert "licences: not compared, the report of A has no `licences`" in found["missing"]
    assert any(row["what"] == "kept" for row in found["funnel"])


def test_a_version_among_the_settings_is_code_and_no_recipe(finished):
    facts = read_facts(finished)
    record = read_run(finished)
    select = record.stages["select documents"]
    select.settings["survivors"] += 1
    select.fingerprint = "0" * 32
    newer = Stages(record, facts.manifests)
    (change,) = code_differences(facts.stages, newer)
    old = change["old"]
    assert change["in_words"] == f"select: survivors {old} → {old + 1}"
