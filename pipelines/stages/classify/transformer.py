"""Transformers as classifiers: a sequence classifier, or embeddings for a linear head.

Weights come from safetensors alone and no code of a model's author is run. Texts are cut to `max_length`
tokens, sorted by length and read in batches of about `batch_tokens`. On a GPU the weights are bfloat16
(float16 where it has none), on a CPU float32. The same texts on the same machine give the same numbers:
batches depend on nothing but the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import UserError

if TYPE_CHECKING:
    import torch

Numbers = npt.NDArray[np.float32]
CHARACTERS_A_TOKEN = 64
"""Of a long document so many characters a token are looked at: more than any real text has."""
TEXTS_AT_ONCE = 4096


class Body(NamedTuple):
    """Which model, and how it reads."""

    location: str
    revision: str | None
    max_length: int
    batch_tokens: int


class SequenceClassifier:
    """A model with a classification head: labels, or one number as FineWeb-Edu's (arXiv 2406.17557)."""

    def __init__(self, runner: _Runner) -> None:
        self._runner = runner
        config = runner.model.config
        self._numbers = config.num_labels == 1
        self._independent = config.problem_type == "multi_label_classification"
        self.labels: tuple[str, ...] = (
            () if self._numbers else tuple(config.id2label[i] for i in range(config.num_labels))
        )

    @classmethod
    def load(cls, body: Body) -> SequenceClassifier:
        """Load the model; raises UserError where it cannot be used."""
        return cls(_runner(body, "AutoModelForSequenceClassification"))

    def probabilities(self, texts: pa.ChunkedArray) -> Numbers:
        """Probabilities of the labels, or the number of a regression as it is."""
        return self._runner.run(texts, self._read)

    def _read(self, output: Any, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = output.logits.float()
        if self._numbers:
            return logits
        return logits.sigmoid() if self._independent else logits.softmax(dim=-1)


class Embedder:
    """The mean of a model's last hidden states, of length 1."""

    def __init__(self, runner: _Runner) -> None:
        self._runner = runner

    @classmethod
    def load(cls, body: Body) -> Embedder:
        """Load the model; raises UserError where it cannot be used."""
        return cls(_runner(body, "AutoModel"))

    def embeddings(self, texts: pa.ChunkedArray) -> Numbers:
        """float32, shape (texts, dimensions)."""
        return self._runner.run(texts, self._read)

    @staticmethod
    def _read(output: Any, mask: torch.Tensor) -> torch.Tensor:
        import torch

        weights = mask.unsqueeze(-1).float()
        mean = (output.last_hidden_state.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=-1)


class _Runner:
    """A model and its tokenizer on a device."""

    def __init__(self, model: Any, tokenizer: Any, body: Body, device: str) -> None:
        self.model = model
        self._tokenizer = tokenizer
        self._body = body
        self._device = device
        positions = getattr(model.config, "max_position_embeddings", None) or body.max_length
        self._longest = min(body.max_length, positions, tokenizer.model_max_length)

    def run(self, texts: pa.ChunkedArray, read: Callable[[Any, torch.Tensor], torch.Tensor]) -> Numbers:
        """What `read` makes of the model's output for each text."""
        found = [
            self._some(texts.slice(start, TEXTS_AT_ONCE), read)
            for start in range(0, len(texts), TEXTS_AT_ONCE)
        ]
        return np.concatenate(found) if found else np.empty((0, 1), np.float32)

    def _some(self, texts: pa.ChunkedArray, read: Callable[[Any, torch.Tensor], torch.Tensor]) -> Numbers:
        import torch

        beginnings = pc.utf8_slice_codeunits(texts, 0, self._longest * CHARACTERS_A_TOKEN).to_pylist()
        encoded = self._tokenizer(beginnings, truncation=True, max_length=self._longest, padding=False)
        rows: list[Numbers] = []
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        with torch.inference_mode():
            for batch in self._batches(order, encoded["input_ids"]):
                features = {name: [encoded[name][i] for i in batch] for name in encoded}
                padded = self._tokenizer.pad(features, return_tensors="pt").to(self._device)
                rows.append(read(self.model(**padded), padded["attention_mask"]).cpu().numpy())
        table = np.concatenate(rows)
        return table[np.argsort(order, kind="stable")]

    def _batches(self, order: npt.NDArray[np.intp], ids: list[list[int]]) -> Iterator[list[int]]:
        """Runs of documents of about the same length, the shortest first."""
        batch: list[int] = []
        for document in order.tolist():
            if batch and (len(batch) + 1) * len(ids[document]) > self._body.batch_tokens:
                yield batch
                batch = []
            batch.append(document)
        yield batch


@lru_cache(maxsize=2)
def _runner(body: Body, auto_class: str) -> _Runner:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(
            f"a transformer classifier needs torch and transformers: {error}",
            hint="pip install 'coupage[train]'",
        ) from error
    device, dtype = "cpu", torch.float32
    if torch.cuda.is_available():
        device, dtype = "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    where = {"revision": body.revision, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(body.location, **where)
        model, loading = getattr(transformers, auto_class).from_pretrained(
            body.location, use_safetensors=True, dtype=dtype, output_loading_info=True, **where
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"the model `{body.location}` cannot be loaded: {error}",
            hint="It needs config.json, model.safetensors and tokenizer.json, and no code of its own.",
        ) from error
    # An embedding model may lack the pooling layer, which is not used.
    if missing := sorted(name for name in loading["missing_keys"] if "pooler" not in name):
        raise UserError(
            f"the model `{body.location}` lacks weights: {', '.join(missing[:5])}",
            hint="A model without a classification head gives embeddings: use `head: linear` with `train`.",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
    return _Runner(model.to(device).eval(), tokenizer, body, device)
