"""Classifiers by the fastText library (Joulin et al. 2017, arXiv 1607.01759).

The library reads a text from a line and takes words that start with `__label__` for its labels, so texts are
prepared. One thread, a fixed order and seed: the same examples give the same bytes.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.classify.fasttext_text import plain_words
from filters.language.fasttext_file import parse_model
from pipelines.recipe.classify import FastTextClassifier

LABEL = "__label__"
_LABEL_WORD = rf"(^|[\t-\r \x00]){LABEL}[^\t-\r \x00]*"
_SEEDS = 2**31
"""How many the library knows."""


LIBRARY = "fasttext-community"
"""Its version decides what is learned and scored."""


class FastTextModel:
    """A model, and how texts are prepared for it."""

    def __init__(self, model: Any, labels: tuple[str, ...], folded: bool) -> None:
        self.labels = labels
        """All labels there are; the model may have learned from examples of only some."""
        self._model = model
        self._folded = folded
        words = model.get_labels(on_unicode_error="replace")
        self._columns = {word: labels.index(_label_of(word)) for word in words}

    @classmethod
    def load(cls, path: Path, labels: tuple[str, ...], folded: bool) -> FastTextModel:
        """The model in a file that the library wrote or `labels_in` has checked."""
        return cls(_load(path), labels, folded)

    def probabilities(self, texts: pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """The probability of each label: 0 where no word of a text is known, NaN where the model has it."""
        table = np.zeros((len(texts), len(self.labels)), np.float32)
        for row, line in zip(table, _lines(texts, self._folded).to_pylist(), strict=True):
            try:
                words, probabilities = self._model.predict(line, k=-1, on_unicode_error="replace")
            except RuntimeError:  # "Encountered NaN."
                row[:] = np.nan
                continue
            row[[self._columns[word] for word in words]] = probabilities
        # The library's logarithms make them up to 1.00003.
        return np.minimum(table, np.float32(1))

    def save(self, path: Path) -> None:
        """Write the model as a `.bin` file."""
        self._model.save_model(str(path))


def train(
    texts: pa.ChunkedArray,
    labels: npt.NDArray[np.int32],
    names: tuple[str, ...],
    config: FastTextClassifier,
    epochs: int,
    seed: int,
) -> FastTextModel:
    """Train on `texts`, in their order; `labels` are positions in `names`.

    Raises:
        ValueError: The training diverged.
    """
    import fasttext

    lines = pc.replace_substring_regex(_lines(texts, config.folded), _LABEL_WORD, r"\1").to_pylist()
    words = [_word_of(name) for name in names]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{words[label]} {line}\n" for label, line in zip(labels, lines, strict=True))
        file.flush()
        try:
            model = fasttext.train_supervised(
                file.name,
                dim=config.dimensions,
                wordNgrams=config.ngrams,
                bucket=config.buckets,
                minCount=config.min_count,
                epoch=epochs,
                lr=config.learning_rate,
                seed=seed % _SEEDS,
                thread=1,
                verbose=0,
            )
        except RuntimeError as error:  # "Encountered NaN."
            raise ValueError(
                "The training of a fastText classifier diverged. Lower its learning rate."
            ) from error
    return FastTextModel(model, names, config.folded)


def labels_in(path: Path) -> tuple[str, ...]:
    """The labels of a model file, which is checked: of a damaged one the library may read without end.

    Raises:
        ValueError: It is no fastText classifier, is cut short or contradicts itself.
    """
    with path.open("rb") as file:
        model = parse_model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    return tuple(map(_label_of, model.labels))


@lru_cache(maxsize=2)
def _load(path: Path) -> Any:
    import fasttext

    return fasttext.load_model(str(path))


def _lines(texts: pa.ChunkedArray, folded: bool) -> pa.ChunkedArray | pa.Array:
    """Texts as the library gets them."""
    return plain_words(texts) if folded else pc.replace_substring(texts, "\n", " ")


def _word_of(label: str) -> str:
    """A label as a word of a line, its white space percent-encoded."""
    return LABEL + re.sub(r"[%\s\0]", lambda blank: quote(blank[0]), label)


def _label_of(word: str) -> str:
    return unquote(word.removeprefix(LABEL))
