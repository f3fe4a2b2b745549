"""What `coupage plan` says of training and its evaluations, against what training then does."""

import json

import pytest

import coupage as public


def test_evaluations_are_counted_before_and_measured_after(coupage, recipe, run_copy, tmp_path):
    asked = ["train.stage1.evaluate_every=3", "train.stage1.max_steps=7"]
    new = public.plan(recipe, workdir=tmp_path / "new", settings=asked).estimate
    stage1, stage2 = new.training
    held_out = json.loads((run_copy / "shards/held_out/ledger.json").read_text())
    by_group = {group["group"]: group for group in held_out["groups"]}
    for each in new.held_out:
        assert each.tokens / 3 < by_group[each.group]["tokens"] < each.tokens * 3  # before rules drop any
    coupage("train", run_copy, *(word for setting in asked for word in ("--set", setting)))
    result = json.loads((run_copy / "train/stage1/training.json").read_text())
    assert stage1.evaluations == len(result["evaluations"]) == 4
    assert stage1.tokens == pytest.approx(result["tokens"], rel=0.1)
    assert stage2.tokens == pytest.approx(20_000)
    assert stage1.evaluation_share == pytest.approx(4 * stage1.held_out_tokens / 3 / stage1.tokens)
    assert stage1.seconds is None
    known = public.plan(recipe, workdir=run_copy, settings=asked).estimate
    assert known.training[0].held_out_tokens == held_out["tokens"]
    read = known.training[0].tokens + 4 * held_out["tokens"] / 3
    assert known.training[0].seconds == pytest.approx(read / result["tokens_per_second"])


def test_the_plan_says_it(coupage, recipe, tmp_path):
    shown = coupage("plan", recipe, "--workdir", tmp_path / "run").stdout
    assert "Training stage1: about 60.0k tokens" in shown
    assert "evaluations of about" in shown and "to its time" in shown
    assert "too few to compare models by: web" in shown


def test_evaluation_that_is_asked_for_after_training_counts(recipe, tmp_path):
    asked = ["evaluate={after: [stage2]}"]
    without, with_it = (
        public.plan(recipe, workdir=tmp_path / "run", settings=settings).estimate.training
        for settings in ([], asked)
    )
    more = [b.evaluations - a.evaluations for a, b in zip(without, with_it, strict=True)]
    assert more == [0, 2]


def test_loss_tokens_that_are_asked_for_are_more_tokens(recipe, tmp_path):
    unit = ["mixtures.stage1.unit=loss_tokens"]
    stage1, _ = public.plan(recipe, workdir=tmp_path / "run", settings=unit).estimate.training
    assert 60_000 < stage1.tokens < 62_000


def test_nothing_held_out_means_no_evaluation(recipe, tmp_path):
    stage1, _ = public.plan(recipe, workdir=tmp_path / "run", settings=["held_out.share=0"]).estimate.training
    assert (stage1.evaluations, stage1.evaluation_share) == (0, 0)
