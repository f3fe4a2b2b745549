"""A run with a domain stage and several task stages, each with an adapter of its own on it."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.pipelines.corpus import write_recipe
from tests.pipelines.recipe.test_recipe import told
from tests.pipelines.stages.test_mixtures import documents
from trainers.config import SmallModel
from trainers.model import build_model, save_tokenizer, tokenizer_of

TASKS = """\
  web_task: {{tokens: 5k, sequence_length: 256, weights: {{web: 1}}}}
  law_task: {{tokens: 5k, sequence_length: 256, weights: {{law: 1}}, include: {{stage1: 1}}}}
train:
  model: {model}
  stage1: {{rows_per_step: 2, max_steps: 6, optimizer: {{lr: 1.0e-2}}, adapter: {{rank: 4}}}}
  web_task: {{from: stage1, rows_per_step: 2, optimizer: {{lr: 1.0e-2}}, adapter: {{rank: 2}}}}
  law_task: {{from: stage1, rows_per_step: 2, optimizer: {{lr: 1.0e-2}}, adapter: {{rank: 2}}}}
"""


@pytest.fixture(scope="module")
def tasks(coupage, corpus, base_tokenizer, tmp_path_factory):
    """A run whose three stages are trained; and the base model."""
    folder = tmp_path_factory.mktemp("tasks")
    shape = SmallModel(hidden_size=32, layers=2, heads=2, kv_heads=1, intermediate_size=64)
    tokenizer = tokenizer_of(base_tokenizer, shape)
    build_model(shape, len(tokenizer), 256, seed=1).save_pretrained(folder / "base")
    save_tokenizer(tokenizer, base_tokenizer, folder / "base")
    recipe = write_recipe(folder / "recipe.yaml", corpus, f"base: {folder / 'base'}")
    stage1 = recipe.read_text().partition("  stage2:")[0]
    recipe.write_text(stage1 + TASKS.format(model=folder / "base"))
    run = folder / "run"
    coupage("run", recipe, "--workdir", run)
    early = coupage("train", run, "--stage", "law_task", code=2)
    assert "law_task starts from the model of stage1" in early.stderr and "--stage stage1" in early.stderr
    shown = [coupage("train", run, "--stage", name).stdout for name in ("stage1", "web_task", "law_task")]
    return run, folder / "base", shown


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(1, 40)[None]).logits


def plain(folder):
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def test_each_task_adapter_opens_with_plain_peft_on_the_domain_model(tasks):
    run, base, _ = tasks
    domain = PeftModel.from_pretrained(plain(base), run / "train" / "stage1" / "adapter").eval()
    torch.testing.assert_close(logits(plain(run / "train" / "stage1")), logits(domain), rtol=0, atol=1e-4)
    for name in ("web_task", "law_task"):
        output = run / "train" / name
        adapted = PeftModel.from_pretrained(plain(run / "train" / "stage1"), output / "adapter").eval()
        merged = plain(output)
        torch.testing.assert_close(logits(merged), logits(adapted), rtol=0, atol=1e-4)
        assert not torch.allclose(logits(merged), logits(domain), atol=1e-3)
        assert merged.lm_head.weight is merged.model.embed_tokens.weight


def test_each_task_starts_where_the_domain_ended(tasks):
    run, _, shown = tasks
    training = json.loads((run / "report.json").read_text())["training"]
    assert list(training) == ["stage1", "web_task", "law_task"]
    for task in ("web_task", "law_task"):
        scores = training[task]["scores"]
        assert scores["times"] == ["start", "stage1", task]
        assert set(scores["losses"]) == {"web", "law", "all"}
        for losses in scores["losses"].values():
            assert losses[1] < losses[0]
        before, after = (training[stage]["evaluations"] for stage in ("stage1", task))
        assert after[0]["total"]["loss"] == pytest.approx(before[-1]["total"]["loss"], rel=1e-4)
        assert scores["losses"]["law"][0] == before[0]["groups"]["law"]["loss"]
    assert "--stage web_task" in shown[0] and "--stage law_task" in shown[1] and "Next" not in shown[2]
    assert "stage1" in shown[2]


def test_stages_draw_documents_apart_from_each_other(tasks):
    run, _, _ = tasks
    ledger = json.loads((run / "shards" / "stage1" / "ledger.json").read_text())
    assert all(group["documents_unused"] for group in ledger["groups"])
    for task in ("web_task", "law_task"):
        drawn = documents(run, task)
        assert drawn & documents(run, "stage1") and drawn - documents(run, "stage1")


def test_the_run_is_whole(coupage, tasks):
    coupage("verify", tasks[0])


GOOD = """\
name: mine
sources:
  web: {reader: files, path: web.jsonl}
mixtures:
  stage1: {tokens: 1M, weights: {web: 1}}
  chat: {tokens: 1M, weights: {web: 1}}
train:
  chat: {from: stage1}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "chat: {from",
            "chats: {from",
            "line 8: there is no mixture `chats` to train on (there are: stage1, chat)",
        ),
        (
            "from: stage1",
            "from: chat",
            "line 8: `chat` cannot start from `chat`, only from `stage1`, `model`",
        ),
        ("from: stage1", "frm: stage1", "line 8: unknown key `train.chat.frm`; did you mean `from`?"),
        ("  chat: {tokens", "  held_out: {tokens", "`held_out` cannot be the name of a mixture"),
        ("train:", "evaluate: {after: [chatt]}\ntrain:", "there is no mixture `chatt`"),
    ],
)
def test_mistakes_are_told(tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    assert message in told(tmp_path, GOOD.replace(old, new))
