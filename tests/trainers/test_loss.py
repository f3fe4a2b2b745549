import os
import shutil

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.functional import cross_entropy

from trainers import loss
from trainers.loss import linear_cross_entropy, token_losses

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch compiles with a C++ compiler"
)


@pytest.mark.parametrize("tokens", [0, 1, 7, 64])
@pytest.mark.parametrize("fused", [False, pytest.param(True, marks=needs_compiler)])
def test_chunks_give_the_loss_and_gradients_of_the_whole(
    tokens: int, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_CHUNK_BYTES", "_FUSED_CHUNK_BYTES"):
        monkeypatch.setattr(loss, name, {"cpu": 8 * 50 * 6})  # six tokens a chunk
    monkeypatch.setattr(loss, "_LEAST_ROWS", 1)
    torch.manual_seed(tokens)
    hidden = torch.randn(tokens, 16, dtype=torch.float64, requires_grad=True)
    head = torch.randn(50, 16, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 50, (tokens,))
    expected = cross_entropy(hidden @ head.T, targets, reduction="sum") / 11
    found = linear_cross_entropy(hidden, head, targets, torch.tensor(1 / 11), fused)
    torch.testing.assert_close(found, expected.float())
    for one, other in zip(
        torch.autograd.grad(found * 3, (hidden, head)),
        torch.autograd.grad(expected * 3, (hidden, head)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    each = cross_entropy(hidden @ head.T, targets, reduction="none")
    torch.testing.assert_close(token_losses(hidden, head, targets), each.float())


def test_hopeless_predictions_have_finite_loss() -> None:
    hidden = torch.tensor([[1000.0]])
    head = torch.tensor([[1.0], [-1.0]])
    assert linear_cross_entropy(hidden, head, torch.tensor([1]), torch.tensor(1.0)).item() == 2000


@needs_compiler
def test_chunks_of_all_sizes_share_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()
    head = torch.randn(50, 16)
    graphs = []
    for tokens in (3, 1, 2, 40, 50, 16, 300):
        targets = torch.arange(tokens) % 50
        linear_cross_entropy(torch.randn(tokens, 16), head, targets, torch.tensor(1.0), fused=True)
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs == [graphs[0]] * len(graphs)


def test_bfloat16_gradients_are_those_of_float32_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "_CHUNK_BYTES", {"cpu": 2 * 50 * 2})
    monkeypatch.setattr(loss, "_LEAST_ROWS", 1)
    torch.manual_seed(0)
    hidden, head = torch.randn(4000, 16).bfloat16(), torch.randn(50, 16).bfloat16().requires_grad_()
    targets = torch.randint(0, 50, (4000,))
    found = linear_cross_entropy(hidden, head, targets, torch.tensor(1 / 4000))
    exact = head.detach().float().requires_grad_()
    expected = cross_entropy(hidden.float() @ exact.T, targets)
    one, other = torch.autograd.grad(found, head)[0], torch.autograd.grad(expected, exact)[0]
    assert one.dtype == torch.bfloat16
    assert (one.float() - other).norm() < 0.01 * other.norm()
