"""A run from recipe to shards: caching, determinism, what is read, and what is refused."""

import json
import signal
import subprocess
import time
from pathlib import Path

import datasets
import pytest

from pipelines.execution.counts import Count
from pipelines.execution.manifest import Manifest, read_manifest
from tests.pipelines.conftest import command, environment
from tests.pipelines.corpus import write_corpus, write_recipe


def manifests(workdir: Path) -> dict[str, Manifest]:
    found = [read_manifest(folder) for folder in (workdir / "stages").iterdir()]
    return {f"{m.stage} {m.scope}".strip() + f" {m.fingerprint}": m for m in found if m}


def new_since(before: dict[str, Manifest], workdir: Path) -> dict[str, Manifest]:
    return {f"{m.stage} {m.scope}".strip(): m for key, m in manifests(workdir).items() if key not in before}


def shard_bytes(workdir: Path) -> dict[str, bytes]:
    files = [path for stage in sorted((workdir / "shards").iterdir()) for path in sorted(stage.iterdir())]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def test_shards_open_with_datasets(finished):
    for stage, tokens in (("stage1", 60_000), ("stage2", 20_000)):
        rows = datasets.load_from_disk(str(finished / "shards" / stage))
        assert abs(sum(map(len, rows["input_ids"])) - tokens) < 256 * 2
        assert list(map(sum, rows["seq_lengths"])) == list(map(len, rows["input_ids"]))


def test_duplicates_and_short_documents_are_dropped_and_counted(finished):
    report = json.loads((finished / "report.json").read_text())
    web = next(source for source in report["sources"] if source["source"] == "web")
    # Every tenth document is a copy, some of them of documents that are dropped for another reason.
    assert web["dropped"]["exact duplicate"] >= 20
    assert web["dropped"]["near duplicate"] >= 15
    assert web["dropped"]["gopher_quality.min_words"] >= 8
    assert web["documents"] == 400 == web["kept"] + sum(web["dropped"].values())


def test_held_out_documents_are_in_no_training_row(finished):
    import pyarrow.parquet as pq

    def documents(stage):
        return set(pq.read_table(finished / "shards" / stage / "segments.parquet")["doc_id"].to_pylist())

    assert documents("held_out")
    assert not documents("held_out") & (documents("stage1") | documents("stage2"))


def test_nothing_runs_twice(coupage, recipe, run_copy):
    before = manifests(run_copy)
    done = coupage("run", recipe, "--workdir", run_copy)
    assert new_since(before, run_copy) == {}
    assert "tasks in" not in done.stderr


def test_another_threshold_runs_select_and_later_and_reads_no_text(coupage, recipe, run_copy):
    change = ["--set", "curate.rules.0.thresholds={gopher_quality.min_words: 200}"]
    plan = json.loads(coupage("plan", recipe, "--workdir", run_copy, *change, "--json").stdout)["stages"]
    states = {stage["label"]: stage for stage in plan}
    cached = {label for label, stage in states.items() if stage["state"] == "cached"}
    sidecars = ("hashes", "language", "minhash")
    assert cached == {
        *(f"ingest {source}" for source in ("web", "law")),
        *(f"annotate {source}-{sidecar}" for sidecar in sidecars for source in ("web", "law")),
        "annotate web-gopher_quality",
        *(f"{kind} documents" for kind in ("preference", "candidates", "pair_texts", "verify_pairs")),
    }
    assert any("gopher_quality.min_words" in reason for reason in states["select documents"]["reasons"])
    assert states["tokenize web"]["reusable_documents"] > 0

    before = manifests(run_copy)
    coupage("run", recipe, "--workdir", run_copy, *change)
    ran = new_since(before, run_copy)
    assert set(ran) == set(states) - cached
    assert ran["select documents"].counts.number("text_bytes_read") == 0
    for source in ("web", "law"):
        counts = ran[f"tokenize {source}"].counts
        assert counts.number("documents_encoded") == counts.number("text_bytes_read") == 0
        assert counts.number("documents_reused") > 0


def test_select_needs_no_text(coupage, recipe, run_copy):
    for folder in run_copy.glob("stages/ingest-*"):
        for part in folder.glob("*.parquet"):
            part.unlink()
    change = "curate.rules.0.thresholds={gopher_quality.min_words: 90}"
    coupage("run", recipe, "--workdir", run_copy, "--until", "select", "--set", change)


def test_a_lower_threshold_encodes_only_what_is_new(coupage, recipe, run_copy):
    def kept(workdir_manifests):
        return workdir_manifests["select documents"].counts.flows["documents"].left

    change = "curate.rules.0.thresholds={gopher_quality.min_words: 1, gopher_quality.min_stop_words: 0}"
    before = manifests(run_copy)
    old = {f"{m.stage} {m.scope}": m for m in before.values()}
    coupage("run", recipe, "--workdir", run_copy, "--set", change)
    ran = new_since(before, run_copy)
    encoded = sum(ran[f"tokenize {source}"].counts.number("documents_encoded") for source in ("web", "law"))
    assert encoded == kept(ran) - kept(old) > 0


def test_another_weight_runs_mix_and_later(coupage, recipe, run_copy):
    before = manifests(run_copy)
    coupage("run", recipe, "--workdir", run_copy, "--set", "mixtures.stage2.weights.law=50")
    assert set(new_since(before, run_copy)) == {"mix stage2", "shards stage2"}


def test_shards_do_not_depend_on_workers_or_hash_seed(coupage, recipe, finished, tmp_path):
    for number, workers in enumerate((1, 3)):
        workdir = tmp_path / f"run{number}"
        coupage("run", recipe, "--workdir", workdir, "--workers", workers, PYTHONHASHSEED=str(number))
        assert shard_bytes(workdir) == shard_bytes(finished)


def test_a_second_run_in_the_same_folder_is_refused(coupage, recipe, finished):
    from pipelines.execution.lock import only_run_in

    with only_run_in(finished):
        refused = coupage("run", recipe, "--workdir", finished, code=1)
    assert "another run" in refused.stderr


def test_interrupt_stops_all_processes_and_the_run_goes_on(coupage, tmp_path, recipe, finished):
    workdir = tmp_path / "run"
    running = subprocess.Popen(
        command("run", recipe, "--workdir", workdir), stderr=subprocess.PIPE, text=True, env=environment()
    )
    while not list(workdir.glob("stages/ingest-*/receipts/*.json")):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.02)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "goes on from here" in said and "Traceback" not in said
    time.sleep(0.2)
    assert not any(_alive(int(child)) for child in children)
    coupage("run", recipe, "--workdir", workdir)
    assert shard_bytes(workdir) == shard_bytes(finished)


def _alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_full_disk_ends_with_a_clear_error_and_the_run_goes_on(coupage, tmp_path, recipe, finished):
    workdir = tmp_path / "run"
    limited = f"ulimit -f 40; exec {' '.join(command('run', recipe, '--workdir', workdir))}"
    failed = subprocess.run(
        ["bash", "-c", limited], capture_output=True, text=True, env=environment(), timeout=300
    )
    assert failed.returncode == 1, failed.stderr
    assert "finished parts are kept" in failed.stderr
    coupage("run", recipe, "--workdir", workdir)
    assert shard_bytes(workdir) == shard_bytes(finished)


def test_a_group_that_cannot_fill_its_share_fails_with_the_mend(coupage, recipe, run_copy):
    failed = coupage("run", recipe, "--workdir", run_copy, "--set", "mixtures.stage2.tokens=5M", code=2)
    assert "max_epochs" in failed.stderr and "Traceback" not in failed.stderr


def test_trained_tokenizer_is_the_same_in_every_run(coupage, corpus, tmp_path):
    trained = write_recipe(tmp_path / "trained.yaml", corpus)
    for workers in (1, 2):
        coupage("run", trained, "--workdir", tmp_path / f"run{workers}", "--workers", workers)
    assert shard_bytes(tmp_path / "run1") == shard_bytes(tmp_path / "run2")


@pytest.mark.parametrize("until", ["select", "tokenize law"])
def test_until_stops_after_the_stage(coupage, tmp_path, recipe, until):
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", until)
    labels = [f"{m.stage} {m.scope}".strip() for m in manifests(tmp_path / "run").values()]
    assert any(label.startswith(until) for label in labels)
    assert not any(label.startswith("mix") for label in labels)
    assert not (tmp_path / "run" / "run.json").exists()


def test_same_documents_in_another_file_name_are_another_input(coupage, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", documents=60)
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "annotate")
    (corpus / "law.jsonl").write_text((corpus / "law.jsonl").read_text() * 2)
    plan = json.loads(coupage("plan", recipe, "--workdir", tmp_path / "run", "--json").stdout)["stages"]
    states = {stage["label"]: stage["state"] for stage in plan}
    assert (states["ingest web"], states["ingest law"]) == ("cached", "run")


def test_a_repeated_id_is_dropped_and_counted(coupage, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", documents=60)
    lines = (corpus / "law.jsonl").read_text().splitlines()
    lines[7] = json.dumps({**json.loads(lines[7]), "id": "3"})
    (corpus / "law.jsonl").write_text("\n".join(lines))
    recipe = write_recipe(tmp_path / "recipe.yaml", corpus)
    coupage("run", recipe, "--workdir", tmp_path / "run", "--until", "select")
    dropped = new_since({}, tmp_path / "run")["select documents"].counts.flows["documents"].dropped
    assert dropped[Count("verdict", reason="repeated doc_id")] == 1
