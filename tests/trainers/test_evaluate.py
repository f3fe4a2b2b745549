"""Scores against a slow direct computation with the plain model, document by document."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from transformers import AutoModelForCausalLM

from mixers.shards import Shards
from tests.trainers.shards_folder import VOCABULARY, documents, pack, write_shards
from trainers.config import SmallModel
from trainers.evaluate import evaluate, evaluate_pieces
from trainers.model import build_model
from trainers.scores import PIECES, Described, Evaluation


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory, small: SmallModel) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build_model(small, VOCABULARY, sequence_length=64, seed=1).save_pretrained(folder)
    return folder


def _direct(
    model_folder: Path, shards: Shards, languages: dict[str, str] | None = None
) -> dict[object, tuple[float, float]]:
    """Loss and bits per byte of each group, or with `languages` of each (group, language)."""
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    segments = shards.segments.to_pylist()
    nats, predicted, tokens, size = (defaultdict(float) for _ in range(4))
    for row, found in enumerate(shards):
        start = 0
        for segment in (s for s in segments if s["row"] == row):
            key = (found.group, languages.get(segment["doc_id"], "und")) if languages else found.group
            stop = start + segment["tokens"]
            ids = torch.tensor(found.input_ids[start:stop].astype("int64"))
            with torch.no_grad():
                log_probabilities = model(input_ids=ids[None]).logits[0].log_softmax(-1)
            for place in range(1, len(ids)):
                if found.assistant_masks is None or found.assistant_masks[start + place]:
                    nats[key] -= float(log_probabilities[place - 1, ids[place]])
                    predicted[key] += 1
            tokens[key] += len(ids)
            size[key] += segment["bytes"]
            start = stop
    losses = {group: nats[group] / predicted[group] for group in nats}
    return {g: (loss, loss / math.log(2) * tokens[g] / size[g]) for g, loss in losses.items()}


@pytest.mark.parametrize("micro_batch_rows", [1, 3])
def test_each_group_is_scored_as_if_directly(
    model_folder: Path, held_out: Path, micro_batch_rows: int
) -> None:
    found = evaluate(model_folder, held_out, micro_batch_rows, dtype="float32")
    expected = _direct(model_folder, Shards.open(held_out))
    assert {group: (s.loss, s.bits_per_byte) for group, s in found.groups.items()} == {
        group: pytest.approx(scores, rel=1e-5) for group, scores in expected.items()
    }
    assert found.total.tokens == Shards.open(held_out).tokens
    assert found.groups["chat"].predicted_tokens < found.groups["chat"].tokens / 2 + 20
    assert Evaluation.from_json(found.to_json()) == found


def test_each_language_of_a_group_is_scored_as_if_directly(model_folder: Path, held_out: Path) -> None:
    languages = {f"doc-{number}": ("ru", "en")[number % 2] for number in range(10)}
    found = evaluate(model_folder, held_out, 2, dtype="float32", described=Described(languages))
    scores = {
        (group, language): (score.loss, score.bits_per_byte)
        for group, of_group in found.group_languages.items()
        for language, score in of_group.items()
    }
    expected = _direct(model_folder, Shards.open(held_out), languages)
    assert scores == {key: pytest.approx(score, rel=1e-5) for key, score in expected.items()}
    assert set(found.languages) == {"ru", "en", "und"}
    for language, score in found.languages.items():
        assert score.predicted_tokens == sum(
            of_group[language].predicted_tokens
            for of_group in found.group_languages.values()
            if language in of_group
        )
    assert found.groups == evaluate(model_folder, held_out, 2, dtype="float32").groups
    assert Evaluation.from_json(found.to_json()) == found


def test_with_a_begin_token_bits_per_byte_are_plain_perplexity(model_folder: Path, tmp_path: Path) -> None:
    """Short documents, of which the begin token would be a large part, and transformers' own loss."""
    begin, end = 95, 94
    texts = [document[:11] for document in documents(12, seed=5, vocabulary=94)]
    rows = pack([np.concatenate([[begin], text, [end]]).astype(np.uint16) for text in texts])
    shards = write_shards(tmp_path / "begun", rows, begin_id=begin)
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    nats = 0.0
    for ids in (torch.tensor(document.astype("int64"))[None] for row in rows for document in row):
        with torch.no_grad():
            nats += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
    found = evaluate(model_folder, shards, dtype="float32").total
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / found.bytes, rel=1e-5)
    assert found.tokens == found.predicted_tokens == sum(len(text) + 1 for text in texts)
    unsaid = evaluate(model_folder, write_shards(tmp_path / "unsaid", rows), dtype="float32").total
    assert unsaid.loss == found.loss
    assert unsaid.bits_per_byte == pytest.approx(
        found.bits_per_byte * (1 + len(texts) / found.tokens), rel=1e-6
    )


def test_each_piece_is_kept(model_folder: Path, held_out: Path) -> None:
    described = Described({"doc-1": "ru"}, {"doc-1": "doc-2"})
    pieces = evaluate_pieces(model_folder, held_out, dtype="float32", described=described)
    assert pieces.schema == PIECES
    segments = Shards.open(held_out).segments
    assert pieces["doc_id"].to_pylist() == segments["doc_id"].to_pylist()
    assert pieces["cluster"].to_pylist()[:3] == ["doc-0", "doc-2", "doc-2"]
    assert pieces["language"].to_pylist()[:2] == ["und", "ru"]
    whole = evaluate(model_folder, held_out, dtype="float32").total
    assert pc.sum(pieces["nats"]).as_py() == pytest.approx(whole.loss * whole.predicted_tokens)


def test_ids_without_embeddings_are_refused(model_folder: Path, tmp_path: Path) -> None:
    foreign = write_shards(tmp_path / "foreign", pack(documents(20, seed=3, vocabulary=500)))
    with pytest.raises(ValueError, match="another tokenizer"):
        evaluate(model_folder, foreign)
