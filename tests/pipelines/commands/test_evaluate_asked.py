"""What `coupage evaluate` asks besides loss: benchmarks, language, facts in long texts."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM

from pipelines.errors import UserError
from pipelines.evaluation.evaluate import Subjects, evaluate_models
from pipelines.evaluation.reencode import recoder
from pipelines.evaluation.tables import print_scores
from pipelines.recipe.evaluate import Evaluate
from tests.pipelines.commands.word_chain_models import ENGLISH, RUSSIAN, WORDS, write_chain
from tests.trainers.plain_models import byte_tokenizer, write_llama
from tests.trainers.shards_folder import write_shards
from tokenizer_tools.load import load_tokenizer
from trainers.evaluate import evaluate
from trainers.scores import Described

TASK = """\
task: our_exam
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: [ "yes", "no"]
doc_to_target: 0
metric_list: [{{metric: acc}}]
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    data = folder / "exam.jsonl"
    data.write_text("".join(json.dumps({"question": f"Is {n} a number?"}) + "\n" for n in range(8)))
    (folder / "exam.yaml").write_text(TASK.format(data=data))
    return folder


@pytest.fixture(scope="module")
def llamas(tmp_path_factory) -> dict[str, str]:
    roles = {"model": 3, "base": 4}
    return {role: str(write_llama(tmp_path_factory.mktemp(role), seed)) for role, seed in roles.items()}


@pytest.fixture(scope="module")
def text_shards(tmp_path_factory, texts, llamas) -> Path:
    tokenizer = byte_tokenizer()
    rows = [[np.array(tokenizer(text)["input_ids"][:500], np.uint16)] for text in texts[:6]]
    folder = tmp_path_factory.mktemp("shards") / "text"
    return write_shards(folder, rows, tokenizer=load_tokenizer(llamas["model"]).hash)


@pytest.fixture(scope="module")
def chains(tmp_path_factory) -> dict[str, str]:
    """The model answers Russian in English; the base stays with the language."""
    follow = {"model": ENGLISH, "base": RUSSIAN}
    return {role: str(write_chain(tmp_path_factory.mktemp(role), ring)) for role, ring in follow.items()}


def show(scores) -> str:
    output = io.StringIO()
    print_scores(scores.to_json(), Console(file=output, width=200))
    return output.getvalue()


def test_the_command_asks_both_models_the_same(coupage, llamas, text_shards, tasks):
    asked = ["--tasks", "our_exam", "--num-fewshot", 2, "--limit", 5, "--include", tasks, "--retrieval"]
    small = "evaluate.retrieval={lengths: [300], depths: [0, 1], texts: 2}"
    found = json.loads(
        coupage(
            "evaluate",
            llamas["model"],
            text_shards,
            "--base",
            llamas["base"],
            *asked,
            "--set",
            small,
            "--json",
        ).stdout
    )
    for role, folder in llamas.items():
        assert found[role]["total"]["loss"] == pytest.approx(evaluate(folder, text_shards).total.loss)
        assert set(found[role]["languages"]) == {"en"}
        exam = found[role]["harness"]["our_exam"]
        assert (exam["questions"], exam["num_fewshot"]) == (5, 2)
        assert 0 <= exam["metrics"]["acc"] <= 1
        places = [(score["length"], score["depth"], score["facts"]) for score in found[role]["retrieval"]]
        assert places == [(300, 0.0, 2), (300, 1.0, 2)]


def test_a_changed_language_is_counted_beside_the_base(chains, tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    lines = [" ".join(ring[n:] + ring[:n]) for ring in (ENGLISH, RUSSIAN) for n in range(5)]
    prompts.write_text("".join(json.dumps({"text": line}) + "\n" for line in [*lines, "12 34 56"]))
    asked = Evaluate.model_validate({"language_swap": {"file": str(prompts), "new_tokens": 15, "prompts": 4}})
    scores = evaluate_models(Subjects(chains), asked)
    model, base = (scores.models[role].to_json()["language_swap"] for role in ("model", "base"))
    assert model["ru"] == {"prompts": 4, "judged": 4, "swapped": 4, "rate": 1.0, "into": {"en": 4}}
    assert model["en"] == {"prompts": 4, "judged": 4, "swapped": 0, "rate": 0.0, "into": {}}
    assert base["ru"]["rate"] == base["en"]["rate"] == 0 and base["ru"]["judged"] == 4
    assert "100.0%" in show(scores) and "en 4" in show(scores)


def test_prompts_are_the_beginnings_of_held_out_texts(chains, tmp_path):
    ids = np.array([WORDS.index(word) for word in RUSSIAN * 3], np.uint16)
    shards = write_shards(tmp_path / "shards", [[ids], [ids[3:]], [ids[:10]]])
    asked = Evaluate.model_validate({"language_swap": {"prompt_tokens": 15, "new_tokens": 15}})
    subjects = Subjects({"model": chains["model"]}, shards, Described({"doc-0": "ru", "doc-1": "ru"}))
    scores = evaluate_models(subjects, asked)
    assert (
        scores.models["model"].language_swap["ru"].prompts == 2
    )  # the third text is no longer than a prompt
    assert scores.models["model"].language_swap["ru"].rate == 1
    assert scores.models["model"].held_out.languages["ru"].tokens == len(ids) * 2 - 3
    shown = show(scores)
    assert "und" in shown and "base" not in shown


@pytest.fixture
def renumbered(llamas, tmp_path) -> str:
    """The same weights under other ids."""
    base = AutoModelForCausalLM.from_pretrained(llamas["model"])
    order = torch.randperm(256, generator=torch.Generator().manual_seed(1)) + 1  # the end token stays
    new_id = torch.cat([torch.zeros(1, dtype=torch.long), order])
    with torch.no_grad():
        for weights in (base.model.embed_tokens.weight, base.lm_head.weight):
            old = weights.clone()
            weights[new_id] = old
    base.save_pretrained(tmp_path / "base")
    definition = json.loads((Path(llamas["model"]) / "tokenizer.json").read_text())
    definition["model"]["vocab"] = {t: int(new_id[i]) for t, i in definition["model"]["vocab"].items()}
    byte_tokenizer().save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "tokenizer.json").write_text(json.dumps(definition))
    return str(tmp_path / "base")


def test_a_base_with_another_tokenizer_reads_the_same_texts(llamas, text_shards, renumbered):
    """The same weights, and documents whose ids are shuffled with them: the same scores."""
    models = {"model": llamas["model"], "base": renumbered}
    scores = evaluate_models(Subjects(models, text_shards), Evaluate())
    model, other = scores.models["model"].held_out, scores.models["base"].held_out
    assert other.groups.keys() == model.groups.keys()
    for group, score in model.groups.items():
        assert other.groups[group].bits_per_byte == pytest.approx(score.bits_per_byte, rel=1e-4)
        assert (other.groups[group].tokens, other.groups[group].bytes) == (score.tokens, score.bytes)


def test_conversations_that_the_base_cannot_read_are_left_out_of_all(
    coupage, llamas, texts, renumbered, tmp_path
):
    tokenizer = byte_tokenizer()
    rows = [[np.array(tokenizer(text)["input_ids"][:200], np.uint16)] for text in texts[:24]]
    made_by = load_tokenizer(llamas["model"]).hash
    shards = write_shards(tmp_path / "shards", rows, tokenizer=made_by, masked=True)
    asked = ["evaluate", llamas["model"], shards, "--base", renumbered]
    found = json.loads(coupage(*asked, "--json").stdout)
    compared = found["comparison"]
    assert list(compared["groups"]) == ["web"] and compared["total"]["documents"] == 12
    total = compared["total"]["scores"]
    assert total["model"]["bytes"] == total["base"]["bytes"] < found["model"]["total"]["bytes"]
    assert compared["total"]["differences"]["base"]["bits_per_byte"] == pytest.approx(0, abs=1e-4)
    assert compared["left_out"]["chat"]["documents"] == 12
    assert compared["left_out"]["chat"]["scores"]["model"] == found["model"]["groups"]["chat"]
    shown = " ".join(coupage(*asked).stdout.split())
    assert "chat: 12 documents are left out, which base cannot score" in shown
    assert f"model: loss {found['model']['groups']['chat']['loss']:.3f}" in shown


def test_a_base_reads_texts_as_its_tokenizer_begins_them(llamas):
    """What the model's tokenizer puts before a text is no text for the base's, which puts its own there."""
    plain = load_tokenizer(llamas["model"])
    begun = replace(plain, tokenizer_json=with_begin_token(plain.tokenizer_json), begin_token="<begin>")
    ids = byte_tokenizer()("two words")["input_ids"]
    begin, end = begun.token_id("<begin>"), plain.token_id(plain.end_token)
    pieces = [[*ids, end], ids[:3], []]
    to_begun, to_plain = recoder(plain, begun), recoder(begun, plain)
    assert (to_begun.begin_id, to_plain.begin_id) == (begin, None)
    assert to_begun.encode(pieces) == [[begin, *ids, end], [begin, *ids[:3]], []]
    assert to_plain.encode([[begin, *ids, end], ids[:3], [begin]]) == [[*ids, end], ids[:3], []]


def with_begin_token(tokenizer_json: bytes) -> bytes:
    definition = json.loads(tokenizer_json)
    number = max(definition["model"]["vocab"].values()) + 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    definition["added_tokens"].append({"id": number, "content": "<begin>", **flags})
    special = {"id": "<begin>", "ids": [number], "tokens": ["<begin>"]}
    definition["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<begin>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<begin>": special},
    }
    return json.dumps(definition).encode()


def test_what_cannot_be_asked_is_refused_before_any_model_is_loaded(chains, tmp_path, coupage):
    with pytest.raises(UserError, match="not a folder"):
        evaluate_models(Subjects({"model": "gone"}), Evaluate(harness=["our_exam"], include=["gone"]))
    with pytest.raises(UserError, match="gone"):
        evaluate_models(Subjects(chains), Evaluate.model_validate({"language_swap": {"file": "gone.jsonl"}}))
    wrong = coupage("evaluate", chains["model"], "--retrieval", "--set", "evaluate.retrieval.texs=5", code=2)
    assert "did you mean `texts`" in wrong.stderr
