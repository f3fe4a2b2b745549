"""Remedies of `coupage outcome`: the last stage trained again, once, and held beside the others."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from mixers.shards import Shards
from tests.pipelines.small_base import small_model, write_base

WANTED = [
    "--set=outcome.general=[web]",
    "--set=outcome.remedies.replay=[50%]",
    "--set=outcome.remedies.lr=[0.3]",
    "--set=outcome.remedies.self_replay=[10%]",
]
NAMES = ["replay 50%", "learning rate x0.3", "self-replay 10%"]


@pytest.fixture(scope="module")
def trained(coupage, finished, tmp_path_factory) -> Path:
    """A run whose second stage is trained from a model in a folder."""
    return trained_from(small_model(), coupage, finished, tmp_path_factory)


def trained_from(model, coupage, finished, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("remedies")
    run = shutil.copytree(finished, folder / "run", symlinks=True)
    base = write_base(run, model)
    settings = (f"train.model={base}", "train.stage2.from=model", "train.stage2.max_steps=3")
    coupage("train", run, "--stage", "stage2", *(f"--set={setting}" for setting in settings))
    return run


@pytest.fixture(scope="module")
def outcome(coupage, trained) -> dict:
    return json.loads(coupage("outcome", trained, *WANTED, "--json").stdout)


def folder_of(outcome: dict, name: str) -> Path:
    (model,) = [each["model"] for each in outcome["variants"] if each["name"] == name]
    return Path(model).parent


def test_remedies_stand_beside_the_others(outcome):
    assert [each["name"] for each in outcome["variants"] if each["kind"] == "remedy"] == NAMES
    for row in outcome["tables"]["held_out"]["rows"]:
        assert set(NAMES) < set(row["scores"])
        assert len({score["value"] for score in row["scores"].values()}) == 2 + len(NAMES)
    (verdict,) = [each for each in outcome["verdicts"] if each["name"] == "a remedy helps"]
    assert verdict["state"] != "not measured" and len(verdict["evidence"]) == 2 * len(NAMES)


def test_they_are_trained_as_the_stage_was_but_for_one_thing(outcome, trained):
    def training(folder: Path) -> dict:
        return json.loads((folder / "training.json").read_text())

    stage, replay, rate, own = (
        training(folder)
        for folder in (trained / "train/stage2", *(folder_of(outcome, name) / "model" for name in NAMES))
    )
    for remedy in (replay, rate, own):
        for same in ("start_fingerprint", "steps", "rows", "model"):
            assert remedy[same] == stage[same]
    assert rate["shards_fingerprint"] == stage["shards_fingerprint"] != replay["shards_fingerprint"]
    assert replay["stage"]["optimizer"] == stage["stage"]["optimizer"]
    slower = stage["stage"]["optimizer"] | {"lr": pytest.approx(0.3 * stage["stage"]["optimizer"]["lr"])}
    assert rate["stage"]["optimizer"] == slower


def test_half_of_the_rows_are_replayed(outcome, trained):
    made = Shards.open(folder_of(outcome, NAMES[0]) / "shards")
    stage = Shards.open(trained / "shards" / "stage2")
    assert len(made) == len(stage)
    assert (np.array(made.row_groups) == "web").sum() == round(len(stage) / 2)
    law = [pack.input_ids.tolist() for pack in stage if pack.group == "law"]
    kept = [pack.input_ids.tolist() for pack in made if pack.group == "law"]
    assert kept == law[: len(kept)]


def test_the_base_writes_what_is_replayed(coupage, outcome, trained):
    folder = folder_of(outcome, NAMES[2])
    made, stage = Shards.open(folder / "shards"), Shards.open(trained / "shards" / "stage2")
    written = [pack for pack in made if pack.group == "self_replay"]
    assert len(made) == len(stage) and len(written) == round(0.1 * len(stage))
    lines = (folder / "texts.jsonl").read_text().splitlines()
    said = [each for line in lines for each in json.loads(line)]
    assert {ended for _, ended in said} == {True, False}
    tokenizer = AutoTokenizer.from_pretrained(trained / "tokenizer")
    whole = {text for text, ended in said if ended}
    for pack in written:
        for document in np.split(pack.input_ids, np.cumsum(pack.seq_lengths)[:-1]):
            text = tokenizer.decode(document, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            if document[-1] == tokenizer.eos_token_id:
                assert text in whole
            else:  # neither the model nor the row's end makes it an end
                assert any(other.startswith(text.rstrip("\ufffd")) for other, _ in said)


def test_texts_that_were_written_are_kept(coupage, outcome, trained):
    """A command that was killed while the base wrote: whole batches stay, a piece of one is written again."""
    folder = folder_of(outcome, NAMES[2])
    texts = (folder / "texts.jsonl").read_bytes()
    rows = Shards.open(folder / "shards").fingerprint
    for name in ("shards", "self_written", "model"):
        shutil.rmtree(folder / name)
    (folder / "texts.jsonl").write_bytes(texts[:-9])
    again = coupage("outcome", trained, *WANTED, "--json")
    assert Shards.open(folder / "shards").fingerprint == rows
    assert json.loads(again.stdout)["tables"] == outcome["tables"]
    assert (folder / "texts.jsonl").read_bytes().endswith(b"\n" + texts[texts[:-1].rfind(b"\n") + 1 :])


def test_what_is_trained_is_not_trained_again(coupage, outcome, trained):
    weights = [folder_of(outcome, name) / "model" / "model.safetensors" for name in NAMES]
    before = [path.stat().st_mtime_ns for path in weights]
    again = coupage("outcome", trained, *WANTED, "--json")
    assert json.loads(again.stdout) == outcome
    assert "training" not in again.stderr
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_one_that_was_killed_goes_on_to_the_same_model(coupage, outcome, trained):
    """As it lies when the command is killed: shards half written, or a checkpoint and no result."""
    replay, rate = (folder_of(outcome, name) for name in NAMES[:2])
    before = [(folder / "model" / "model.safetensors").read_bytes() for folder in (replay, rate)]
    (replay / "shards" / "coupage.json").unlink()
    shutil.rmtree(replay / "model")
    for path in (rate / "model").iterdir():
        if not path.name.startswith("checkpoint"):  # the seal too
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert list((rate / "model").iterdir()), "a checkpoint is left"
    again = coupage("outcome", trained, *WANTED, "--json")
    assert [(folder / "model" / "model.safetensors").read_bytes() for folder in (replay, rate)] == before
    assert json.loads(again.stdout)["tables"] == outcome["tables"]


def test_a_damaged_model_is_found_and_trained_again(coupage, outcome, trained):
    model = folder_of(outcome, NAMES[1]) / "model"
    coupage("verify", trained)
    content = bytearray((model / "model.safetensors").read_bytes())
    before = bytes(content)
    content[-1] ^= 1
    (model / "model.safetensors").write_bytes(content)
    said = coupage("verify", trained, code=1).stderr
    assert str(model / "model.safetensors") in said and "coupage outcome" in " ".join(said.split())
    again = coupage("outcome", trained, *WANTED, "--json")
    assert "is damaged, and is trained again" in again.stderr
    assert (model / "model.safetensors").read_bytes() == before
    coupage("verify", trained)


def test_another_setting_takes_the_place_of_the_old_one_alone(coupage, outcome, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run", symlinks=True)
    result = run / "train" / "stage2" / "training.json"
    content = json.loads(result.read_text())
    content["stage"]["optimizer"]["lr"] *= 2
    result.write_text(json.dumps(content))
    coupage("outcome", run, "--set=outcome.remedies.lr=[0.3]")
    found = {path.name for path in (run / "outcome" / "remedies").iterdir()}
    before = {folder_of(outcome, name).name for name in NAMES}
    assert len(found) == 3 and len(found & before) == 2


def test_too_little_general_text_is_said(coupage, trained):
    told = coupage(
        "outcome", trained, "--set=outcome.general=[law]", "--set=outcome.remedies.replay=[10%]", "--json"
    )
    content = json.loads(told.stdout)
    assert not [each for each in content["variants"] if each["kind"] == "remedy"]
    (said,) = [each["why"] for each in content["not_measured"] if each["measure"] == "replay 10%"]
    assert "of the stage's rows are such already" in said


@pytest.mark.parametrize("where", [[], ["--workers", "1"]])
def test_a_base_that_writes_nothing_is_said(coupage, finished, tmp_path_factory, where):
    model = small_model()
    with torch.no_grad():  # the token that ends a text calls for itself
        model.get_input_embeddings().weight[0] *= 500
    run = trained_from(model, coupage, finished, tmp_path_factory)
    told = coupage("outcome", run, "--set=outcome.remedies.self_replay=[10%]", *where, "--json")
    content = json.loads(told.stdout)
    assert not [each for each in content["variants"] if each["kind"] == "remedy"]
    (said,) = [each["why"] for each in content["not_measured"] if each["measure"] == NAMES[2]]
    assert "writes nothing" in said


def test_a_base_that_has_changed_is_refused_before_anything_is_trained(coupage, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run", symlinks=True)
    shutil.rmtree(run / "outcome", ignore_errors=True)
    result = run / "train" / "stage2" / "training.json"
    content = json.loads(result.read_text())
    other = shutil.copytree(trained.parent / "base", tmp_path / "base")
    small_model(seed=1).save_pretrained(other)
    result.write_text(json.dumps(content | {"model": str(other)}))
    told = coupage("outcome", run, *WANTED, code=2).stderr
    assert "is not there any more, or has changed" in " ".join(told.split())
    assert not (run / "outcome" / "remedies").exists()


def test_a_label_of_a_remedy_is_taken(coupage, trained):
    told = coupage("outcome", trained, *WANTED, "--also", f"{NAMES[0]}={trained.parent}/base", code=2)
    assert f"two models would be called `{NAMES[0]}`" in " ".join(told.stderr.split())
