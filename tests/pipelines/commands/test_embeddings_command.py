"""`coupage embeddings`: the acceptance test of new tokens, and a sibling with carried embeddings."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.trainers.shards_folder import pack, write_shards
from tokenizer_tools.load import load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.config import SmallModel
from trainers.model import build_model, load_model
from trainers.new_tokens.add import add_embeddings

WORDS = [f"must malolactic [bold]maceration\x1b tannin barrel {number % 7}" for number in range(50)]
UNTRAINED = 3


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """A base, the base with new tokens, and the same with new tokens that nobody trained."""
    folder = tmp_path_factory.mktemp("family")
    tokenizer = train_tokenizer([pa.array(["a must, a barrel"] * 9)], TokenizerTraining(vocabulary_size=512))
    extended = extend_tokenizer(tokenizer, [pa.array(WORDS)], VocabularyExtension(tokens=30))
    shape = SmallModel(
        hidden_size=32,
        layers=2,
        heads=4,
        kv_heads=2,
        intermediate_size=48,
        tie_embeddings=False,
        positions=512,
    )
    model = build_model(shape, len(tokenizer.vocabulary), 64, seed=3)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(20)
        never = [tokenizer.vocabulary[letter] for letter in "ÀÁõö÷øùúûüýþÿ"]
        model.get_input_embeddings().weight[never] *= 0.01
    model.save_pretrained(folder / "base")
    tokenizer.save(folder / "base")
    add_embeddings(model, extended.pieces)
    for name in ("good", "bad"):
        model.save_pretrained(folder / name)
        extended.files.save(folder / name)
        with torch.no_grad():
            model.get_input_embeddings().weight[sorted(extended.pieces)[:UNTRAINED]] *= 0.001
    rng = np.random.default_rng(1)
    ids = sorted(extended.files.vocabulary.values())
    texts = [rng.choice(ids, 12).astype(np.uint16) for _ in range(30)]
    write_shards(folder / "shards", pack(texts, 48), tokenizer=extended.files.hash)
    return folder


def test_new_tokens_that_nobody_trained_fail_the_check(coupage, family):
    good = json.loads(
        coupage("embeddings", "check", family / "good", "--base", family / "base", "--json").stdout
    )
    assert good["tokens"]["under_trained"] == 0 and good["tokens"]["new_tokens"] > UNTRAINED
    failed = coupage("embeddings", "check", family / "bad", "--base", family / "base", "--json", code=1)
    found = json.loads(failed.stdout)["tokens"]
    assert found["under_trained"] == UNTRAINED and f"{UNTRAINED} of" in failed.stderr
    new = set(load_tokenizer(family / "bad").vocabulary.values()) - set(
        load_tokenizer(family / "base").vocabulary.values()
    )
    assert {each["id"] for each in found["suspects"] if each["under_trained"]} == set(sorted(new)[:UNTRAINED])


def test_without_a_base_it_shows_the_worst_and_is_content(coupage, family):
    shown = coupage("embeddings", "check", family / "bad", "--no-prompts").stdout
    assert f"Under-trained: {UNTRAINED} tokens." in shown and "norm of the input embedding" in shown
    assert "\x1b" not in shown


def test_scores_on_held_out_shards_come_with_it(coupage, family):
    asked = ("embeddings", "check", family / "good", "--base", family / "base", "--no-prompts")
    scores = json.loads(coupage(*asked, "--shards", family / "shards", "--json").stdout)["new_token_scores"]
    assert scores["tokens"] == 360 and 0 < scores["positions"] < 360
    assert scores["drift"].keys() == {"web", "chat"}
    shown = coupage(*asked, "--shards", family / "shards").stdout
    assert f"A new token costs {scores['loss']:.3f} nats" in shown and "drift" in shown


def test_held_out_shards_of_a_run_are_found_with_their_languages(coupage, finished, family, tmp_path):
    base = shutil.copytree(finished / "tokenizer", tmp_path / "base")
    tokenizer = load_tokenizer(base)
    shape = SmallModel(hidden_size=32, layers=1, heads=4, kv_heads=2, intermediate_size=48, positions=512)
    build_model(shape, max(tokenizer.vocabulary.values()) + 1, 64, seed=3).save_pretrained(base)
    done = coupage(
        *("embeddings", "check", base, "--base", base, "--no-prompts", "--shards", finished, "--json")
    )
    scores = json.loads(done.stdout)["new_token_scores"]
    assert scores["new_tokens"] == scores["positions"] == 0 and scores["loss"] is None
    assert set(scores["drift"].values()) == {0.0} and scores["language_drift"]


def test_a_sibling_gets_the_tokenizer_and_speaks(coupage, family, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    sibling = shutil.copytree(family / "base", tmp_path / "sibling")
    model = load_model(sibling)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(2)
    model.save_pretrained(sibling)
    asked = ("embeddings", "carry", family / "base", family / "good", sibling)
    done = json.loads(coupage(*asked, "-o", tmp_path / "out", "--json").stdout)
    assert done["method"] == "residual" and done["moved"] == {}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer("malolactic must", return_tensors="pt").input_ids
    assert ids.shape[1] < len(AutoTokenizer.from_pretrained(sibling)("malolactic must").input_ids)
    AutoModelForCausalLM.from_pretrained(tmp_path / "out").generate(ids, max_new_tokens=3)
    shown = coupage(*asked, "-o", tmp_path / "swapped", "--method", "swap").stdout
    assert "new tokens carried over by swap" in shown and "swapped" in shown


def test_wrong_input_ends_with_2_and_leaves_nothing(coupage, family, tmp_path):
    inside = {"cwd": tmp_path, "code": 2}
    assert "no model" in coupage("embeddings", "check", "nothing", **inside).stderr
    assert "--base" in coupage("embeddings", "check", family / "good", "--shards", "x", **inside).stderr
    three = (family / "base", family / "good", family / "base")
    assert (
        "no such method"
        in coupage("embeddings", "carry", *three, "-o", "out", "--method", "x", **inside).stderr
    )
    assert (
        "nothing to carry"
        in coupage("embeddings", "carry", *three[::2], three[0], "-o", "out", **inside).stderr
    )
    assert "not empty" in coupage("embeddings", "carry", *three, "-o", family / "base", **inside).stderr
    other = (family / "base", family / "good", "nobody")
    assert "no model nobody" in coupage("embeddings", "carry", *other, "-o", "out", **inside).stderr
    assert not list(tmp_path.iterdir())
