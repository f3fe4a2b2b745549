"""Trained classifiers, ready to judge texts. Whatever the model, texts go in and probabilities come out."""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.classify.fasttext import FastText
from filters.classify.fasttext_text import plain_words
from filters.classify.linear_head import LinearHead
from pipelines.recipe.classify import FastTextClassifier, TransformerClassifier
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


class FastTextModel:
    """A fastText model and how texts are prepared for it."""

    def __init__(self, model: FastText, folded: bool) -> None:
        self._model = model
        self._folded = folded

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the file."""
        return self._model.labels

    def probabilities(self, texts: pa.ChunkedArray) -> Probabilities:
        """Probabilities by the kernel of `filters.fasttext`."""
        return self._model.probabilities(prepared(texts, self._folded))


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


def prepared(texts: pa.ChunkedArray | pa.Array, folded: bool) -> pa.ChunkedArray | pa.Array:
    """Texts as fastText gets them."""
    return plain_words(texts) if folded else texts


@lru_cache(maxsize=2)
def read_fasttext(path: Path) -> FastText:
    """A model file, mapped into memory. Raises ValueError where it is none."""
    with path.open("rb") as file:
        return FastText.parse(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def load_model(
    config: FastTextClassifier | TransformerClassifier,
    folder: Path,
    labels: tuple[str, ...],
    body: Body | None,
) -> Model:
    """The model in the `folder` of a finished classifier stage; `body` is the transformer's."""
    if isinstance(config, FastTextClassifier):
        return FastTextModel(read_fasttext(folder / FASTTEXT_FILE), config.folded)
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
