"""Grounding by meaning: how near an answer is to its passage, or whether the passage entails it.

Both need `coupage[train]`. An embedding model gives the cosine of question and answer with the passage; a
model of natural language inference the probability that the passage entails the answer, as in SummaC (Laban
et al. 2022, arXiv 2111.09525) without its cutting into sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from pipelines.errors import UserError
from pipelines.sources.embedders import ModelEmbedder, find_model, require_libraries
from pipelines.sources.endpoint import Vectors
from pipelines.synthesis.checks.checks import MeaningCheck
from pipelines.synthesis.draft import Rejection

_PLACE = "checks.nli.model"
_ONE_AT_A_TIME = Lock()


def embedding_fault(claims: str, passage: str, check: MeaningCheck) -> Rejection | None:
    """`ungrounded_embedding` where the cosine of the two texts is less than `check.least`."""
    first, second = embedded([claims, passage], check)
    return Rejection.of("ungrounded_embedding", claims) if float(first @ second) < check.least else None


def embedded(texts: Sequence[str], check: MeaningCheck) -> Vectors:
    """The vectors of texts, of length 1: float32, shape (texts, dimensions)."""
    with _ONE_AT_A_TIME:
        return _embedder(check.model).embed(texts)


def nli_fault(claims: str, passage: str, check: MeaningCheck) -> Rejection | None:
    """`not_entailed` where the passage entails the claims with less probability than `check.least`."""
    with _ONE_AT_A_TIME:
        probability = _inference(check.model).entailment(passage, claims)
    return Rejection.of("not_entailed", claims) if probability < check.least else None


@lru_cache(maxsize=1)
def _embedder(model: str) -> ModelEmbedder:
    require_libraries()
    return ModelEmbedder(find_model(model))


@lru_cache(maxsize=1)
def _inference(model: str) -> _Inference:
    require_libraries()
    return _Inference(model)


class _Inference:
    """A classifier of pairs of texts, one of whose labels is entailment. No code in it is executed."""

    def __init__(self, model: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = find_model(model)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        except (OSError, ValueError) as error:
            raise UserError(
                f"this is no model of inference: {error}",
                file=str(folder),
                place=_PLACE,
                hint="Give a sequence classifier with a label `entailment`.",
            ) from error
        labels = self._model.config.id2label.items()
        entails = [place for place, label in labels if str(label).lower().startswith("entail")]
        if len(entails) != 1:
            raise UserError(
                f"none of its labels is `entailment`: {', '.join(str(label) for _, label in labels)}",
                file=str(folder),
                place=_PLACE,
                hint="Give a model of natural language inference.",
            )
        self._entails = int(entails[0])

    def entailment(self, premise: str, hypothesis: str) -> float:
        import torch

        longest = min(int(self._tokenizer.model_max_length), int(self._model.config.max_position_embeddings))
        encoded = self._tokenizer(
            premise, hypothesis, return_tensors="pt", truncation="only_first", max_length=longest
        )
        with torch.inference_mode():
            probabilities = self._model(**encoded).logits[0].softmax(-1)
        return float(probabilities[self._entails])
