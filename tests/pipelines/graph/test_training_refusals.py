"""What training would refuse is refused when the recipe is planned, with the setting and the mend."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.pipelines.graph.test_preflight import refused, write_recipe

SOUND = {"model_type": "qwen3", "max_position_embeddings": 4096, "num_hidden_layers": 2}
MIXTURE = {"tokens": "2k", "sequence_length": 64, "weights": {"law": 1}}


@pytest.fixture
def model(tmp_path, base_tokenizer):
    """A folder like a model's, of which only the config is read."""

    def write(**config):
        folder = tmp_path / "model"
        shutil.copytree(base_tokenizer, folder)
        (folder / "config.json").write_text(json.dumps(SOUND | config))
        (folder / "model.safetensors").write_bytes(b"")
        return str(folder)

    return write


def recipe_for(tmp_path, model, tokenizer=None, mixtures=None, **train):
    tokenizer = {"base": model} if tokenizer is None else tokenizer
    return write_recipe(
        tmp_path,
        {},
        tokenizer=tokenizer,
        mixtures=mixtures or {"stage1": MIXTURE, "stage2": MIXTURE},
        train={"model": model, **train},
    )


CONFIGS = [
    (
        {"max_position_embeddings": 32},
        ["mixtures.stage1.sequence_length", "has 32 positions", "rope_scaling"],
    ),
    (
        {"model_type": "gpt2", "max_position_embeddings": None, "n_positions": 32},
        ["mixtures.stage2.sequence_length", "`n_positions`", "Set `sequence_length: 32`"],
    ),
    ({"model_type": "gemma2", "attn_logit_softcapping": 50.0}, ["train.model", "attn_logit_softcapping"]),
    ({"model_type": "falcon_mamba"}, ["train.model", "recurrent layers"]),
    ({"model_type": "made_up", "auto_map": {"AutoModel": "x.Y"}}, ["train.model", "never run"]),
    ({"vocab_size": 40}, ["train.model", "and the model has 40 embeddings", "tokenizer.base"]),
    ({"quantization_config": {"quant_method": "awq"}}, ["train.model", "quantised weights (awq)"]),
]


@pytest.mark.parametrize(("config", "words"), CONFIGS)
def test_a_model_that_cannot_be_trained_is_refused(coupage, tmp_path, model, config, words):
    refused(coupage, recipe_for(tmp_path, model(**config)), *words)


STAGES = [
    ({"stage1": {"adapter": {"start": "continue"}}}, ["train.stage1.adapter", "holds no adapter"]),
    ({"stage2": {"adapter": {"start": "continue"}}}, ["train.stage2.adapter", "the model of stage1"]),
    (
        {"stage1": {"phases": [{"train": "new_embeddings", "steps": 2}, {"train": "all"}]}},
        ["train.stage1.phases", "knows all tokens", "coupage tokenizer extend"],
    ),
    ({"stage2": {"phases": [{"train": "top_layers", "layers": 3}]}}, ["train.stage2.phases", "has 2"]),
]


@pytest.mark.parametrize(("stages", "words"), STAGES)
def test_settings_that_do_not_go_with_the_model_are_refused(coupage, tmp_path, model, stages, words):
    refused(coupage, recipe_for(tmp_path, model(), **stages), *words)


def test_what_goes_together_is_planned(coupage, tmp_path, model):
    stages = {"stage1": {"adapter": {"rank": 4}}, "stage2": {"adapter": {"start": "continue"}}}
    recipe = recipe_for(tmp_path, model(), **stages)
    coupage("plan", recipe, "--workdir", tmp_path / "run")


def test_a_tokenizer_that_the_model_does_not_know_is_refused(coupage, tmp_path, model, base_tokenizer):
    own = model()
    refused(coupage, recipe_for(tmp_path, own, {"train": {"vocabulary_size": 600}}), "tokenizer.base", own)
    other = tmp_path / "other"
    shutil.copytree(base_tokenizer, other)
    definition = json.loads((other / "tokenizer.json").read_text())
    vocabulary = definition["model"]["vocab"]
    first, second = list(vocabulary)[300:302]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").write_text(json.dumps(definition))
    refused(coupage, recipe_for(tmp_path, own, {"base": str(other)}), "tokenizer.base", "is no extension of")


def test_a_new_model_has_the_positions_of_its_first_stage_unless_it_names_more(coupage, tmp_path):
    longer = MIXTURE | {"sequence_length": 128}
    shape = {"hidden_size": 32, "heads": 2, "kv_heads": 2}
    tokenizer = {"train": {"vocabulary_size": 600}}
    mixtures = {"stage1": MIXTURE, "stage2": longer}
    refused(
        coupage,
        recipe_for(tmp_path, shape, tokenizer, mixtures),
        "mixtures.stage2.sequence_length",
        "64 positions",
        "`train.model.positions`",
    )
    refused(
        coupage,
        recipe_for(tmp_path, shape, tokenizer, stage1={"adapter": {"rank": 4}}),
        "train.stage1.adapter",
        "this one is new",
    )
    more = recipe_for(tmp_path, shape | {"positions": 128}, tokenizer, mixtures)
    coupage("plan", more, "--workdir", tmp_path / "run")


def test_planning_loads_no_torch(tmp_path, model):
    recipe = recipe_for(tmp_path, model(), stage1={"adapter": {"rank": 4}})
    code = (
        "import sys; from pipelines.commands.plan import plan\n"
        f"plan({str(recipe)!r}, workdir={str(tmp_path / 'run')!r})\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
