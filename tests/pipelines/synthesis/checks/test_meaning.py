"""Grounding by a model of inference and by an embedding model."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from pipelines.errors import UserError
from pipelines.synthesis.checks.checks import MeaningCheck
from pipelines.synthesis.checks.meaning import embedding_fault, nli_fault

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "ship", "sank", "rain", "falls")


def config(labels: tuple[str, ...]) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )


def save_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def inference(folder: Path, labels: tuple[str, ...], favours: int) -> str:
    """A model of inference that always says the same."""
    model = BertForSequenceClassification(config(labels))
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[favours] = 5.0
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


LABELS = ("contradiction", "entailment", "neutral")


@pytest.mark.parametrize(("favours", "expected"), [(1, None), (0, "not_entailed"), (2, "not_entailed")])
def test_what_is_not_entailed_is_rejected(tmp_path: Path, favours: int, expected: str | None) -> None:
    check = MeaningCheck(model=inference(tmp_path / "nli", LABELS, favours))
    found = nli_fault("the ship sank", "the ship " * 100, check)
    assert (found.reason if found else None) == expected


def test_a_model_without_entailment_is_named(tmp_path: Path) -> None:
    check = MeaningCheck(model=inference(tmp_path / "other", ("good", "bad"), 0))
    with pytest.raises(UserError, match="entailment"):
        nli_fault("the ship sank", "the ship", check)


def test_a_text_is_as_near_to_itself_as_can_be(tmp_path: Path) -> None:
    torch.manual_seed(0)
    BertModel(config(LABELS)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    check = MeaningCheck(model=str(tmp_path), least=0.999)
    assert embedding_fault("the ship sank", "the ship sank", check) is None
    assert embedding_fault("the ship sank", "rain falls", check).reason == "ungrounded_embedding"
