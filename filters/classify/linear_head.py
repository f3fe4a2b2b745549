"""Multinomial logistic regression on embeddings: the head of a classifier whose body is not trained."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

VERSION = 1

_STEPS = 200


class LinearHead(NamedTuple):
    """Weights of shape (labels, dimensions) and a bias for each label, float32."""

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def probabilities(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The probability of each label: float32, shape (documents, labels)."""
        scores = embeddings.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities.astype(np.float32)


def train_head(
    embeddings: npt.NDArray[np.float32], truth: npt.NDArray[np.int32], labels: int, strength: float = 10.0
) -> LinearHead:
    """The head with the least cross-entropy plus |weights|² / (2 `strength`), by L-BFGS in float64.

    The loss is that of scikit-learn's `LogisticRegression(C=strength)`; the bias is not penalised.
    """
    import torch

    data = torch.from_numpy(embeddings.astype(np.float64))
    target = torch.from_numpy(truth.astype(np.int64))
    weights = torch.zeros((labels, data.shape[1]), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(labels, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([weights, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        entropy = torch.nn.functional.cross_entropy(data @ weights.T + bias, target, reduction="sum")
        value = entropy + weights.square().sum() / (2 * strength)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    descent.step(loss)
    return LinearHead(weights.detach().numpy().astype(np.float32), bias.detach().numpy().astype(np.float32))
