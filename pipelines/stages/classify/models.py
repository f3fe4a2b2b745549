"""Trained classifiers, ready to judge texts. Whatever the model, texts go in and probabilities come out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.classify.linear_head import LinearHead
from pipelines.recipe.classify import FastTextClassifier, TransformerClassifier
from pipelines.stages.classify.fasttext import FastTextModel
from pipelines.stages.classify.transformer import Body, Embedder, SequenceClassifier

Probabilities = npt.NDArray[np.float32]
FASTTEXT_FILE, HEAD_FILE = "model.bin", "head.safetensors"


class Model(Protocol):
    """A classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels; none if it gives one number."""
        ...

    def probabilities(self, texts: pa.ChunkedArray) -> Probabilities:
        """The probability of each label, or the one number: float32, shape (texts, labels or 1)."""
        ...


class EmbeddingModel:
    """An embedding model with a linear head."""

    def __init__(self, embedder: Embedder, head: LinearHead, labels: tuple[str, ...]) -> None:
        self._embedder = embedder
        self._head = head
        self._labels = labels

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the training."""
        return self._labels

    def probabilities(self, texts: pa.ChunkedArray) -> Probabilities:
        """The head's probabilities of the embeddings."""
        return self._head.probabilities(self._embedder.embeddings(texts))


def load_model(
    config: FastTextClassifier | TransformerClassifier,
    folder: Path,
    labels: tuple[str, ...],
    body: Body | None,
) -> Model:
    """The model in the `folder` of a finished classifier stage; `body` is the transformer's."""
    if isinstance(config, FastTextClassifier):
        return FastTextModel.load(folder / FASTTEXT_FILE, labels, config.folded)
    assert body is not None, "a transformer has a body"
    if config.head is None:
        return SequenceClassifier.load(body)
    return EmbeddingModel(Embedder.load(body), read_head(folder / HEAD_FILE), labels)


def read_head(path: Path) -> LinearHead:
    """A linear head."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    return LinearHead(tensors["weights"], tensors["bias"])


def write_head(path: Path, head: LinearHead) -> None:
    """Write a linear head."""
    from safetensors.numpy import save_file

    save_file({"weights": head.weights, "bias": head.bias}, path)
