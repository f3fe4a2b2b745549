"""Vectors of texts: by a model in a folder, beside pooling by hand, and by a server."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from pipelines.errors import UserError, WorkError
from pipelines.sources.embedders import EndpointEmbedder, ModelEmbedder, find_model
from pipelines.sources.endpoint import Endpoint, EndpointClient, Patience
from tests.pipelines.sources.model_server import ModelServer, Reply, Request, embeds

WORDS = "[PAD] [UNK] [CLS] [SEP] a b c d e f query passage : the cat sat on mat A B".split()
TEXTS = ["the cat sat", "a", "on the mat the cat sat a b c d e f", "b c", "", "the mat " * 100]
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
CLS = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A tiny BERT of random weights as transformers saves it."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(1)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


def laid_out(plain: Path, folder: Path, pooling: dict = MEAN, modules: tuple[str, ...] = (), **files) -> Path:
    """The same model as sentence-transformers lays it out; `files` are JSON files by their stem."""
    folder.mkdir()
    for path in plain.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    names = ["Transformer", "Pooling", *modules]
    paths = ["", *(f"{number}_{name}" for number, name in enumerate(names[1:], 1))]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    for path in paths[1:]:
        (folder / path).mkdir()
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder


def by_hand(folder: Path, text: str, pooling: str, longest: int = 64) -> np.ndarray:
    """The vector of one text alone, without padding."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = tokenizer(text)["input_ids"]
    ids = ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
    with torch.no_grad():
        states = model(torch.tensor([ids])).last_hidden_state[0].numpy()
    return states[0] if pooling == "cls" else states.mean(axis=0)


def unit(vectors: list[np.ndarray]) -> np.ndarray:
    return np.stack([vector / np.linalg.norm(vector) for vector in vectors])


@pytest.mark.parametrize(
    ("pooling", "config"),
    [
        ("mean", MEAN),
        ("cls", CLS),
        ("mean", {"pooling_mode": "mean"}),
        ("cls", {"pooling_mode": "cls", "embedding_dimension": 16}),
    ],
)
def test_vectors_are_those_of_pooling_by_hand(plain, tmp_path, pooling, config):
    folder = laid_out(plain, tmp_path / "model", config, ("Normalize",))
    vectors = ModelEmbedder(folder).embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, unit([by_hand(folder, text, pooling) for text in TEXTS]), atol=1e-5)


def test_a_plain_folder_is_pooled_by_the_mean(plain):
    vectors = ModelEmbedder(plain).embed(TEXTS)
    np.testing.assert_allclose(vectors, unit([by_hand(plain, text, "mean") for text in TEXTS]), atol=1e-5)


def test_the_vector_of_a_text_does_not_depend_on_its_company(plain):
    embedder = ModelEmbedder(plain)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.embed(TEXTS[::-1])[::-1], alone, atol=1e-5)


def test_texts_are_cut_where_the_model_was_trained_to_read(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model", sentence_bert_config={"max_seq_length": 5})
    vectors = ModelEmbedder(folder).embed(TEXTS)
    np.testing.assert_allclose(vectors, unit([by_hand(folder, text, "mean", 5) for text in TEXTS]), atol=1e-5)


def test_the_body_may_lie_in_a_folder_of_its_own(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model")
    body = folder / "0_Transformer"
    body.mkdir()
    for path in plain.iterdir():
        (folder / path.name).rename(body / path.name)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = body.name
    (folder / "modules.json").write_text(json.dumps(modules))
    expected = unit([by_hand(plain, text, "mean") for text in TEXTS])
    np.testing.assert_allclose(ModelEmbedder(folder).embed(TEXTS), expected, atol=1e-5)


def test_a_linear_layer_behind_the_pooling_counts(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model", CLS, ("Dense", "Normalize"))
    generator = torch.Generator().manual_seed(5)
    weight, bias = torch.randn(8, 16, generator=generator), torch.randn(8, generator=generator)
    activation = {"activation_function": "torch.nn.modules.activation.Tanh"}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(activation))
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense" / "model.safetensors")
    rows = [np.tanh(weight.numpy() @ by_hand(folder, text, "cls") + bias.numpy()) for text in TEXTS]
    np.testing.assert_allclose(ModelEmbedder(folder).embed(TEXTS), unit(rows), atol=1e-5)


@pytest.mark.parametrize(
    ("prompts", "prefix"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None}, "query: "),
        (
            {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "passage"},
            "passage: ",
        ),
        ({"prompts": {}}, ""),
        ({}, ""),
    ],
)
def test_prompts_stand_before_the_texts(plain, tmp_path, prompts, prefix):
    folder = laid_out(plain, tmp_path / "model", config_sentence_transformers=prompts)
    expected = unit([by_hand(folder, prefix + text, "mean") for text in TEXTS])
    np.testing.assert_allclose(ModelEmbedder(folder).embed(TEXTS), expected, atol=1e-5)
    own = unit([by_hand(folder, "the cat " + text, "mean") for text in TEXTS])
    np.testing.assert_allclose(ModelEmbedder(folder, "the cat ").embed(TEXTS), own, atol=1e-5)


def test_upper_case_is_read_as_the_model_was_trained_to(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model", sentence_bert_config={"do_lower_case": True})
    upper, lower = ModelEmbedder(folder).embed(["A B", "a b"])
    np.testing.assert_array_equal(upper, lower)
    upper, lower = ModelEmbedder(plain).embed(["A B", "a b"])
    assert not np.allclose(upper, lower)


def test_no_texts_have_no_vectors(plain):
    assert len(ModelEmbedder(plain).embed([])) == 0


def test_the_identity_is_that_of_the_files(plain, tmp_path):
    one = laid_out(plain, tmp_path / "one")
    same = laid_out(plain, tmp_path / "same")
    other = laid_out(plain, tmp_path / "other", CLS)
    identities = [ModelEmbedder(folder).identity for folder in (one, same, other)]
    assert identities[0] == identities[1] != identities[2]
    assert ModelEmbedder(one, "query: ").identity != identities[0]


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_max_tokens": True},
        {"pooling_mode": "lasttoken"},
        {},
        CLS | MEAN | {"pooling_mode_cls_token": True},
    ],
)
def test_another_pooling_is_refused(plain, tmp_path, pooling):
    folder = laid_out(plain, tmp_path / "model", pooling)
    with pytest.raises(UserError, match="it pools by"):
        ModelEmbedder(folder)


def test_other_modules_are_refused(plain, tmp_path):
    with pytest.raises(UserError, match="it is built of Transformer, Pooling, WeightedLayerPooling"):
        ModelEmbedder(laid_out(plain, tmp_path / "model", MEAN, ("WeightedLayerPooling",)))


def test_broken_folders_are_named(plain, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        ModelEmbedder(tmp_path)
    folder = laid_out(plain, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no embedding model that can be used"):
        ModelEmbedder(folder).embed(["a"])
    (folder / "modules.json").write_text("{")
    with pytest.raises(UserError, match=r"modules\.json"):
        ModelEmbedder(folder)


def test_pickled_weights_are_not_read(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save(AutoModel.from_pretrained(plain).state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="no embedding model that can be used"):
        ModelEmbedder(folder).embed(["a"])


def test_a_model_without_some_weights_is_refused(plain, tmp_path):
    folder = laid_out(plain, tmp_path / "model")
    state = AutoModel.from_pretrained(plain).state_dict()
    del state["encoder.layer.1.output.dense.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="lacks weights"):
        ModelEmbedder(folder).embed(["a"])


def test_a_folder_is_found_and_a_name_that_is_none_is_named(plain):
    assert find_model(str(plain)) == plain
    with pytest.raises(UserError, match="no/such/model"):
        find_model("no/such/model")


def test_a_server_gives_vectors_of_length_one():
    def answer(request: Request) -> Reply:
        return embeds([[3.0 * len(text), 4.0 * len(text)] for text in request.body["input"]])

    with ModelServer(answer) as server:
        client = EndpointClient(Endpoint(base_url=server.url, model="m"))
        vectors = EndpointEmbedder(client, "query: ").embed(["a", "bb"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
    assert server.requests[0].body["input"] == ["query: a", "query: bb"]


def test_the_identity_of_a_server_is_its_address_and_model():
    def identity(url: str, model: str, prefix: str = "") -> str:
        return EndpointEmbedder(EndpointClient(Endpoint(base_url=url, model=model)), prefix).identity

    given = [
        ("http://a/v1", "m"),
        ("http://b/v1", "m"),
        ("http://a/v1", "n"),
        ("http://a/v1", "m", "query: "),
    ]
    assert len({identity(*each) for each in given}) == 4
    assert identity("http://a/v1", "m") == identity("http://a/v1/", "m")


def test_a_server_that_fails_is_named():
    with ModelServer(lambda request: Reply(500)) as server:
        client = EndpointClient(Endpoint(base_url=server.url, model="m"), Patience(2, 0.01, 0.01))
        with pytest.raises(WorkError, match="/embeddings: status 500"):
            EndpointEmbedder(client).embed(["a"] * 100)
