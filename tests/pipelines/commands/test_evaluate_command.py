"""`coupage evaluate MODEL SHARDS`; a run is evaluated in tests/pipelines/test_command_line.py."""

import json

import pytest

from trainers.evaluate import evaluate


def test_each_group_is_scored_beside_the_base(coupage, coupage_process, models, masked_shards):
    model, base = models
    found = json.loads(coupage_process("evaluate", model, masked_shards, "--base", base, "--json").stdout)
    for role, folder in (("model", model), ("base", base)):
        expected = evaluate(folder, masked_shards).to_json()
        for group in ("web", "chat"):
            for score in ("loss", "bits_per_byte"):
                assert found[role]["groups"][group][score] == pytest.approx(expected["groups"][group][score])
    assert found["model"]["total"]["loss"] != found["base"]["total"]["loss"]
    shown = coupage("evaluate", model, masked_shards, "--base", base).stdout
    assert f"{found['base']['total']['bits_per_byte']:.3f}" in shown


def test_a_model_with_another_tokenizer_is_warned_about(coupage, models, shards, tmp_path):
    (tmp_path / "model").mkdir()
    for path in models[0].iterdir():
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes())
    tokenizer = {"model": {"type": "WordLevel", "vocab": {"</s>": 0}}, "added_tokens": []}
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "another tokenizer" in coupage("evaluate", tmp_path / "model", shards).stderr
    assert "another tokenizer" not in coupage("evaluate", models[0], shards).stderr


def test_what_is_no_model_no_run_or_no_shards_ends_with_2(coupage, models, shards, tmp_path):
    assert "not a run" in coupage("evaluate", tmp_path, code=2).stderr
    assert "no coupage.json" in coupage("evaluate", models[0], tmp_path, code=2).stderr
    assert str(tmp_path) in coupage("evaluate", tmp_path, shards, code=2).stderr
    assert "no model" in coupage("evaluate", tmp_path / "gone", shards, code=2).stderr
