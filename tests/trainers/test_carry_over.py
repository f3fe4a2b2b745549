"""Embeddings carried from a base to its sibling: rows, ids, control tokens, and a folder that opens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.carry_over import METHODS, carry_over
from trainers.config import SmallModel
from trainers.model import build_model, load_model
from trainers.new_tokens.add import add_embeddings

TEXT = "malolactic maceration of must in a barrel"
TEMPLATE = "{% for m in messages %}{{ '<|user|>' + m['content'] + '<|over|>' }}{% endfor %}"
EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")


@pytest.fixture(scope="module")
def base_tokenizer() -> TokenizerFiles:
    return train_tokenizer([pa.array(["a must, a barrel"] * 9)], TokenizerTraining(vocabulary_size=512))


@pytest.fixture(scope="module")
def extended(base_tokenizer: TokenizerFiles) -> ChangedTokenizer:
    texts = pa.array([f"must malolactic maceration tannin barrel {number % 7}" for number in range(50)])
    return extend_tokenizer(base_tokenizer, [texts], VocabularyExtension(tokens=20))


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def tied(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def base(
    base_tokenizer: TokenizerFiles, small: SmallModel, tied: bool, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Its matrix has no row without a token."""
    folder = tmp_path_factory.mktemp("base")
    shape = small.model_copy(update={"tie_embeddings": tied, "hidden_size": 16})
    build_model(shape, len(base_tokenizer.vocabulary), 64, seed=3).save_pretrained(folder)
    base_tokenizer.save(folder)
    return folder


@pytest.fixture(scope="module")
def adapted(base: Path, extended: ChangedTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with new tokens, whose rows have learnt something."""
    folder = tmp_path_factory.mktemp("adapted")
    model = load_model(base)
    add_embeddings(model, extended.pieces)
    torch.manual_seed(5)
    with torch.no_grad():
        for embeddings in {model.get_input_embeddings(), model.get_output_embeddings()}:
            weight = embeddings.weight
            weight.add_(0.1 * weight.std() * torch.randn_like(weight))
    model.save_pretrained(folder)
    extended.files.save(folder)
    return folder


MakeSibling = Callable[..., Path]


@pytest.fixture
def make_sibling(base: Path, base_tokenizer: TokenizerFiles, tmp_path: Path) -> MakeSibling:
    """A sibling whose embeddings are the base's, turned a little, with control tokens of its own."""

    def make(own: int = 0, turned: bool = True, dtype: torch.dtype = torch.float32, **save: Any) -> Path:
        folder = tmp_path / "sibling"
        tokenizer = base_tokenizer
        model = load_model(base)
        if own:
            definition = json.loads(tokenizer.tokenizer_json)
            first = max(tokenizer.vocabulary.values()) + 1
            names = ["<|user|>", "<|over|>", *(f"<|own{number}|>" for number in range(own - 2))]
            added = [
                {"content": name, "id": first + number, "special": True} | PLAIN
                for number, name in enumerate(names)
            ]
            definition["added_tokens"] += added
            definition["model"]["vocab"] |= {token["content"]: token["id"] for token in added}
            tokenizer = TokenizerFiles(
                json.dumps(definition).encode(),
                "<|over|>",
                chat_template=TEMPLATE,
                generation_config={"eos_token_id": [first + 1, 0], "temperature": 0.3, "do_sample": True},
            )
            model.resize_token_embeddings(first + own, mean_resizing=False)
        torch.manual_seed(7)
        with torch.no_grad():
            width = model.config.hidden_size
            turn = torch.linalg.matrix_exp(0.05 * torch.randn(width, width)) if turned else torch.eye(width)
            for embeddings in {model.get_input_embeddings(), model.get_output_embeddings()}:
                embeddings.weight.copy_(embeddings.weight @ turn)
            if turned:
                model.model.layers[0].mlp.down_proj.weight.mul_(1.5)
        model.to(dtype).save_pretrained(folder, **save)
        tokenizer.save(folder)
        return folder

    return make


PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: w for path in folder.glob("*.safetensors") for name, w in load_file(path).items()}


def embeddings(folder: Path) -> dict[str, torch.Tensor]:
    return {name: w for name, w in weights(folder).items() if name in EMBEDDINGS}


@pytest.mark.parametrize("method", METHODS)
def test_rows_go_through_the_transformation_of_the_method(
    method: Any,
    base: Path,
    adapted: Path,
    make_sibling: MakeSibling,
    extended: ChangedTokenizer,
    tmp_path: Path,
) -> None:
    sibling = make_sibling()
    done = carry_over(base, adapted, sibling, tmp_path / "out", method)
    assert (done.method, done.new_tokens, done.moved) == (method, 20, {}) and len(done.fits) == len(
        embeddings(base)
    )
    old, new, own, out = (embeddings(folder) for folder in (base, adapted, sibling, tmp_path / "out"))
    special = {token["id"] for token in extended.files.definition["added_tokens"]}
    ids = sorted(set(extended.files.vocabulary.values()) - special)
    for (name, found), fit in zip(out.items(), done.fits, strict=True):
        turn = torch.linalg.lstsq(old[name], own[name]).solution
        expected = new[name] if method == "swap" else new[name] @ turn
        torch.testing.assert_close(found[ids], expected[ids], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found[sorted(special)], own[name][sorted(special)])
        assert fit.before > 0.05 and (fit.after == fit.before if method == "swap" else fit.after < 1e-3)
    rest = weights(tmp_path / "out")
    for name, weight in weights(sibling).items():
        assert name in EMBEDDINGS or torch.equal(rest[name], weight)


@pytest.mark.parametrize("old_rows_learnt", [0.0, 0.1])
def test_residual_keeps_what_the_sibling_learnt_of_single_tokens(
    old_rows_learnt: float,
    base: Path,
    extended: ChangedTokenizer,
    make_sibling: MakeSibling,
    tmp_path: Path,
) -> None:
    sibling, adapted = make_sibling(turned=False), tmp_path / "adapted"
    format_tokens = [40, 50, 60]
    model = load_model(sibling)
    torch.manual_seed(1)
    with torch.no_grad():
        for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
            table[format_tokens] += table.std() * torch.randn(3, table.shape[1])
    model.save_pretrained(sibling)
    model = load_model(base)
    add_embeddings(model, extended.pieces)
    with torch.no_grad():
        for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
            table += old_rows_learnt * table.std() * torch.randn_like(table)
    model.save_pretrained(adapted)
    extended.files.save(adapted)
    old, new, own = (embeddings(folder) for folder in (base, adapted, sibling))
    lost = []
    for method in ("residual", "conversion"):
        carry_over(base, adapted, sibling, tmp_path / method, method)
        for name, found in embeddings(tmp_path / method).items():
            learnt = new[name][format_tokens] - old[name][format_tokens]
            size = own[name][format_tokens].norm()
            lost.append((found[format_tokens] - own[name][format_tokens] - learnt).norm() / size)
            if method == "residual" and not old_rows_learnt:
                rows = len(own[name])
                unchanged = [number for number in range(rows) if number not in extended.pieces]
                assert torch.equal(found[unchanged], own[name][unchanged])
    half = len(lost) // 2
    assert max(lost[:half]) < 0.1 < 0.3 < min(lost[half:])


def test_of_a_sibling_that_is_the_base_comes_the_adapted_model(
    base: Path, adapted: Path, make_sibling: MakeSibling, tmp_path: Path
) -> None:
    carry_over(base, adapted, make_sibling(turned=False), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    assert (
        ids.tolist() == AutoTokenizer.from_pretrained(adapted)(TEXT, return_tensors="pt").input_ids.tolist()
    )
    found, expected = (
        AutoModelForCausalLM.from_pretrained(folder)(ids).logits[..., : len(tokenizer) - 4]
        for folder in (tmp_path / "out", adapted)
    )
    special = [token for token in tokenizer.get_added_vocab().values() if token < found.shape[-1]]
    found[..., special] = expected[..., special] = 0
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_own_tokens_keep_ids_and_rows_and_new_ones_give_way(
    base: Path, adapted: Path, make_sibling: MakeSibling, extended: ChangedTokenizer, tmp_path: Path
) -> None:
    sibling = make_sibling(own=5, dtype=torch.bfloat16, max_shard_size="20KB")
    assert len(list(sibling.glob("*.safetensors"))) > 1
    done = carry_over(base, adapted, sibling, tmp_path / "out")
    tokenizer, before = load_tokenizer(tmp_path / "out"), load_tokenizer(sibling)
    own = {name: number for name, number in before.vocabulary.items() if name.startswith("<|")}
    assert own.items() <= tokenizer.vocabulary.items()
    assert set(done.moved) == set(extended.pieces) & set(own.values()) and len(done.moved) == 5
    assert len(set(tokenizer.vocabulary.values())) == len(tokenizer.vocabulary) == len(before.vocabulary) + 20
    opened = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert opened.chat_template == TEMPLATE and opened.eos_token == "<|over|>"
    ids = opened.apply_chat_template([{"role": "user", "content": TEXT}], return_dict=False)
    plain = AutoTokenizer.from_pretrained(adapted)(TEXT).input_ids
    assert ids == [own["<|user|>"], *(done.moved.get(n, n) for n in plain), own["<|over|>"]]
    assert set(ids) & set(done.moved.values())
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.dtype == torch.bfloat16 and model.config.vocab_size == done.rows >= max(ids) + 1
    assert model.generation_config.eos_token_id == [own["<|over|>"], 0]
    assert model.generation_config.temperature == 0.3
    kept, rows = embeddings(sibling), embeddings(tmp_path / "out")
    for name, weight in rows.items():
        assert torch.equal(weight[list(own.values())], kept[name][list(own.values())])
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(w.nbytes for w in weights(tmp_path / "out").values())
    said = model.generate(torch.tensor([ids]), max_new_tokens=4, do_sample=False)
    assert said.shape[1] > len(ids)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("output exists", "is not empty"),
        ("nothing changed", "nothing to carry over"),
        ("another shape", "its num_hidden_layers is 1, not 2"),
        ("another tokenizer", "was not made from"),
        ("another model", "nothing in common"),
        ("other tying", "alone the input and output embeddings are tied"),
        ("no extension", "no extension"),
    ],
)
def test_what_cannot_be_carried_is_refused(
    case: str,
    expected: str,
    base: Path,
    adapted: Path,
    base_tokenizer: TokenizerFiles,
    make_sibling: MakeSibling,
    small: SmallModel,
    tied: bool,
    tmp_path: Path,
) -> None:
    output, sibling = tmp_path / "out", make_sibling()
    other = train_tokenizer([pa.array(["quite another text"] * 9)], TokenizerTraining(vocabulary_size=512))
    shape = small.model_copy(update={"tie_embeddings": tied, "hidden_size": 16})
    if case == "output exists":
        output.mkdir()
        (output / "file").touch()
    if case == "nothing changed":
        adapted = sibling
    if case == "another shape":
        shape = shape.model_copy(update={"layers": 1})
    if case == "other tying":
        shape = shape.model_copy(update={"tie_embeddings": not tied})
    if case in ("another shape", "another model", "other tying"):
        build_model(shape, len(base_tokenizer.vocabulary), 64, seed=9).save_pretrained(sibling)
    if case == "another tokenizer":
        other.save(sibling)
    if case == "no extension":
        other.save(adapted := make_sibling())
        sibling = base
    with pytest.raises(ValueError, match=expected):
        carry_over(base, adapted, sibling, output)
    assert case == "output exists" or not output.exists()


def test_control_tokens_without_an_embedding_are_none_that_text_can_give(
    base: Path, adapted: Path, make_sibling: MakeSibling, tmp_path: Path
) -> None:
    sibling = make_sibling(own=3)
    model = load_model(sibling)
    model.resize_token_embeddings(model.config.vocab_size - 3)
    model.save_pretrained(sibling)
    done = carry_over(base, adapted, sibling, tmp_path / "out")
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert opened.config.vocab_size == done.rows > max(done.moved.values())


def test_an_output_layer_with_a_bias_is_refused(
    base: Path, adapted: Path, make_sibling: MakeSibling, tmp_path: Path
) -> None:
    sibling = make_sibling()
    save_file(weights(sibling) | {"lm_head.bias": torch.zeros(3)}, sibling / "model.safetensors")
    with pytest.raises(ValueError, match="has a bias"):
        carry_over(base, adapted, sibling, tmp_path / "out")
