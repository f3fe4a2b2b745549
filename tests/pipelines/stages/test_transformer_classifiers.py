"""Transformers as classifiers: tiny models with random weights, laid out as on a hub."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UserError
from pipelines.stages.classify.transformer import Body, Embedder, SequenceClassifier
from tests.pipelines.corpus import WORDS
from tests.pipelines.stages.test_classifiers import LAW, SEA, text

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SHAPE = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64,
}  # fmt: skip


def save_model(folder, kind: str, **config):
    """A BERT of one layer with the words of the tests as its vocabulary."""
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({*WORDS, *SEA, *LAW})]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(
        vocab={word: i for i, word in enumerate(words)}, model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = getattr(transformers, kind)(transformers.BertConfig(vocab_size=len(words), **SHAPE, **config))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "number": save_model(folder / "number", "BertForSequenceClassification", num_labels=1),
        "labels": save_model(
            folder / "labels", "BertForSequenceClassification",
            id2label={0: "sea", 1: "law", 2: "other"}, label2id={"sea": 0, "law": 1, "other": 2},
        ),
        "embedding": save_model(folder / "embedding", "BertModel"),
    }  # fmt: skip


def texts(number: int = 40) -> pa.ChunkedArray:
    rng = random.Random(2)
    made = [text(rng, SEA, words=rng.randint(1, 100)) for _ in range(number - 2)]
    return pa.chunked_array([["", *made[:9]], [*made[9:], "sea " * 100_000]], pa.large_string())


def body(folder, tokens: int = 200, length: int = 32) -> Body:
    return Body(str(folder), None, length, tokens)


def alone(folder, auto_class: str, read) -> np.ndarray:
    """What transformers says of each text by itself."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, auto_class).from_pretrained(folder)
    rows = []
    with torch.inference_mode():
        for one in texts().to_pylist():
            encoded = tokenizer(one[:4000], truncation=True, max_length=32, return_tensors="pt")
            rows.append(read(model(**encoded)).numpy()[0])
    return np.array(rows)


def test_a_regression_gives_its_number(models):
    found = SequenceClassifier.load(body(models["number"]))
    assert found.labels == ()
    expected = alone(models["number"], "AutoModelForSequenceClassification", lambda output: output.logits)
    np.testing.assert_allclose(found.probabilities(texts()), expected, atol=1e-5)


def test_labels_get_probabilities_in_the_order_of_the_texts(models):
    found = SequenceClassifier.load(body(models["labels"]))
    assert found.labels == ("sea", "law", "other")
    expected = alone(models["labels"], "AutoModelForSequenceClassification", lambda o: o.logits.softmax(-1))
    np.testing.assert_allclose(found.probabilities(texts()), expected, atol=1e-5)


def test_embeddings_are_the_normalised_mean(models):
    found = Embedder.load(body(models["embedding"])).embeddings(texts())
    expected = alone(
        models["embedding"], "AutoModel",
        lambda o: torch.nn.functional.normalize(o.last_hidden_state.mean(dim=1), dim=-1),
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert Embedder.load(body(models["embedding"])).embeddings(texts()[:0]).shape[0] == 0


def test_an_embedding_model_is_no_classifier(models):
    with pytest.raises(UserError, match="lacks weights"):
        SequenceClassifier.load(body(models["embedding"]))


def test_pickled_weights_are_refused(models, tmp_path):
    folder = save_model(tmp_path / "pickled", "BertForSequenceClassification", num_labels=1)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        SequenceClassifier.load(body(folder))


RECIPE = """\
name: transformed
sources:
  books: {{reader: files, path: books.jsonl}}
  web: {{reader: files, path: web.jsonl}}
curate:
  classify:
    edu: {{model: transformer, name: {number}, sources: [web], max_length: 32}}
    topic:
      {{model: transformer, name: {embedding}, head: linear,
        train: {{law: {{source: web, sample: 40}}, sea: books}}, folds: 2, sources: [web], max_length: 32}}
    best: {{ensemble: [edu, topic], keep: top 50%}}
held_out: {{share: 0}}
tokenizer: {{base: {tokenizer}}}
mixtures:
  stage1: {{tokens: 3k, sequence_length: 256, weights: {{web: 1}}, groups: {{web: best >= 5}}}}
"""


def test_a_run_with_transformers_is_the_same_with_any_number_of_workers(
    models, tmp_path, coupage, base_tokenizer
):
    rng = random.Random(3)
    for name, topic in (("books", SEA), ("web", LAW)):
        rows = [json.dumps({"text": text(rng, topic, share=0.9)}) for _ in range(60)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(tokenizer=base_tokenizer, **models))
    shards = []
    for workers in (1, 2):
        run = tmp_path / f"run{workers}"
        coupage("run", tmp_path / "recipe.yaml", "--workdir", run, "--workers", workers)
        shards.append({p.name: p.read_bytes() for p in (run / "shards" / "stage1").iterdir()})
    assert shards[0] == shards[1]
    (folder,) = run.glob("stages/classifier-topic-*")
    report = json.loads((folder / "report.json").read_text())
    assert report["accuracy"] > 0.9
    (folder,) = run.glob("stages/select-documents-*")
    rows = [row for path in sorted((folder / "web").glob("*")) for row in pq.read_table(path).to_pylist()]
    assert sum(row["reason"] == "classifier.best" for row in rows) == 30
    (folder,) = run.glob("stages/classifier-edu-*")
    assert json.loads((folder / "classifier.json").read_text()) == {"labels": []}
