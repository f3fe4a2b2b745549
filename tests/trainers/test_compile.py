"""Compiled layers train as plain ones do, and packs of other lengths compile nothing new."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from peft import LoraConfig, get_peft_model
from torch._dynamo.utils import counters
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.trainers.metrics_logs import steps
from trainers import attention
from trainers.compilation import compile_objective
from trainers.config import Adapter, SmallModel, StageTraining
from trainers.fsdp import shard
from trainers.loader import Row, collate
from trainers.model import build_model
from trainers.objective import PackedObjective
from trainers.train import train

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch compiles with a C++ compiler"
)


@pytest.fixture
def short(stage: StageTraining) -> StageTraining:
    return stage.model_copy(update={"max_steps": 4, "micro_batch_rows": 1})


def _pack(rng: np.random.Generator, documents: int) -> dict:
    lengths = rng.integers(1, 30, documents)
    return collate([Row(rng.integers(0, 96, lengths.sum()), lengths, None)])


@needs_compiler
def test_packs_of_other_lengths_compile_nothing_new(small: SmallModel) -> None:
    plain, compiled = (PackedObjective(build_model(small, 96, 64, seed=0)) for _ in range(2))
    compile_objective(compiled, torch.device("cpu"), 64)
    rng = np.random.default_rng(0)
    graphs = counters["stats"]["unique_graphs"]
    compiled.train()
    alone = collate([Row(rng.integers(0, 96, 60), np.array([60]), None)])  # its sizes are equal
    for batch in (alone, *(_pack(rng, documents) for documents in (7, 2, 3, 5, 1, 8, 30)), collate([])):
        losses = [objective(**batch)["loss"] for objective in (plain, compiled)]
        for loss in losses:
            loss.backward()
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    with torch.no_grad():
        compiled.eval()
        compiled.logits(**{name: value for name, value in alone.items() if name != "labels"})
        compiled(**alone, per_token=True)
    assert counters["stats"]["unique_graphs"] == graphs
    for one, other in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_an_adapter_has_as_few_graphs(small: SmallModel) -> None:
    shape = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    plain, compiled = (
        PackedObjective(get_peft_model(build_model(small, 96, 64, seed=0), shape)) for _ in range(2)
    )
    plain.load_state_dict(compiled.state_dict())
    compile_objective(compiled, torch.device("cpu"), 64)
    graphs = counters["stats"]["unique_graphs"]
    compiled.train()
    rng = np.random.default_rng(0)
    for documents in (3, 1, 9):
        batch = _pack(rng, documents)
        losses = [objective(**batch)["loss"] for objective in (plain, compiled)]
        for loss in losses:
            loss.backward()
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    assert counters["stats"]["unique_graphs"] == graphs
    for one, other in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_a_compiled_run_is_the_run(
    shards: Path, held_out: Path, small: SmallModel, short: StageTraining, tmp_path: Path
) -> None:
    expected = train(shards, short, small, tmp_path / "plain", held_out=held_out)
    compiled = short.model_copy(update={"compile": True})
    found = train(shards, compiled, small, tmp_path / "compiled", held_out=held_out)
    assert 0 <= found.isolation["other_change"] < 1e-4 * found.isolation["own_change"]
    for one, other in zip(steps(found.output), steps(expected.output), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


@pytest.fixture
def process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@needs_compiler
def test_a_sharded_and_checkpointed_model_is_compiled(small: SmallModel, process_group: None) -> None:
    plain, compiled = (PackedObjective(build_model(small, 96, 64, seed=0)) for _ in range(2))
    compiled.model.activation_checkpointing_enable()
    shard(compiled, torch.device("cpu"), bfloat16=False)
    compile_objective(compiled, torch.device("cpu"), 64)
    compiled.train()
    for documents in (3, 5):
        batch = _pack(np.random.default_rng(documents), documents)
        losses = [objective(**batch)["loss"] for objective in (plain, compiled)]
        for loss in losses:
            loss.backward()
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    for one, other in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad.full_tensor(), other.grad, rtol=1e-4, atol=1e-5)


def test_attention_of_a_gpu_is_one_graph_for_all_lengths() -> None:
    # Traced without a GPU: the shapes and the graph of the kernel, not its numbers.
    def layer(query: torch.Tensor, key: torch.Tensor, boundaries: torch.Tensor, longest: int) -> torch.Tensor:
        return attention._flash(query * 2, key, key, boundaries, longest, 0.1, None).sum()

    compiled = torch.compile(layer, dynamic=True, fullgraph=True, backend="aot_eager")
    before = counters["stats"]["unique_graphs"]
    with FakeTensorMode():
        for tokens, documents, longest in ((100, 5, 30), (120, 7, 50), (90, 3, 64), (91, 9, 20)):
            query = torch.empty(1, 4, tokens, 64, dtype=torch.bfloat16, requires_grad=True)
            key = torch.empty(1, 2, tokens, 64, dtype=torch.bfloat16, requires_grad=True)
            boundaries = torch.zeros(documents + 1, dtype=torch.int32)
            compiled(query, key, boundaries, longest).backward()
            assert query.grad.shape == query.shape
    assert counters["stats"]["unique_graphs"] == before + 1


def test_what_cannot_be_compiled_is_refused(
    shards: Path, small: SmallModel, short: StageTraining, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="4 bits"):
        StageTraining(compile=True, adapter=Adapter(kind="qlora"))
    torch.compiler.reset()
    settings = {"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}
    with torch._inductor.config.patch(settings), pytest.raises(ValueError, match="compile: false"):
        train(shards, short.model_copy(update={"compile": True}), small, tmp_path / "run")
