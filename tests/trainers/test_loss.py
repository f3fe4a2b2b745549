import pytest
import torch
from torch.nn.functional import cross_entropy

from trainers import loss
from trainers.loss import linear_cross_entropy, token_losses


@pytest.mark.parametrize("tokens", [0, 1, 7, 64])
def test_chunks_give_the_loss_and_gradients_of_the_whole(
    tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss, "_CHUNK_BYTES", {"cpu": 4 * 50 * 6})  # six tokens a chunk
    monkeypatch.setattr(loss, "_LEAST_ROWS", 1)
    torch.manual_seed(tokens)
    hidden = torch.randn(tokens, 16, dtype=torch.float64, requires_grad=True)
    head = torch.randn(50, 16, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 50, (tokens,))
    expected = cross_entropy(hidden @ head.T, targets, reduction="sum") / 11
    found = linear_cross_entropy(hidden, head, targets, torch.tensor(1 / 11))
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
