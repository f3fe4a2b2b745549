"""Models between two others: each weight is a mean, and what the base has not is the tuned model's."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from tests.trainers.new_tokens.changed_models import Changed, base_model, base_tokenizer, change, is_tied
from tests.trainers.plain_models import write_llama
from trainers.merge import merge_models
from trainers.model import load_model
from trainers.new_tokens.add import add_embeddings

ROWS = 640


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Changed]:
    base = base_tokenizer()
    return {how: change(base, how, tmp_path_factory.mktemp(how)) for how in ("extended", "replaced")}


def tuned_with(changed: Changed, base: Path, folder: Path) -> Path:
    """The base with the new tokens, and all weights moved."""
    model = load_model(base)
    add_embeddings(model, changed.pieces)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += torch.randn_like(weight)
    model.save_pretrained(folder)
    for path in changed.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    return {name: weight.detach() for name, weight in model.named_parameters()}


def test_each_weight_is_a_mean(tmp_path: Path) -> None:
    base, tuned = write_llama(tmp_path / "base", 1), write_llama(tmp_path / "tuned", 2)
    merge_models(base, tuned, 0.3, tmp_path / "merged")
    before, after, merged = (weights(folder) for folder in (base, tuned, tmp_path / "merged"))
    assert merged.keys() == after.keys()
    for name, weight in merged.items():
        torch.testing.assert_close(weight, 0.7 * before[name] + 0.3 * after[name])
    text = "an ordinary model folder"
    opened = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert opened(text).input_ids == AutoTokenizer.from_pretrained(tuned)(text).input_ids


@pytest.mark.parametrize("shape", ["llama tied", "qwen3 untied"])
@pytest.mark.parametrize(("how", "rows"), [("extended", ROWS), ("extended", 512), ("replaced", ROWS)])
def test_rows_of_new_tokens_are_the_tuned_models(
    changed: dict[str, Changed], shape: str, how: str, rows: int, tmp_path: Path
) -> None:
    base = base_model(shape, changed[how].base, rows, tmp_path / "base")
    tuned = tuned_with(changed[how], base, tmp_path / "tuned")
    merge_models(base, tuned, 0.5, tmp_path / "merged")
    models = [AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("base", "tuned", "merged")]
    assert is_tied(models[2]) == is_tied(models[1])
    for table in ("get_input_embeddings", "get_output_embeddings"):
        before, after, merged = (getattr(model, table)().weight.detach() for model in models)
        new = set(changed[how].new)
        old = [number for number in range(min(len(before), len(after))) if number not in new]
        torch.testing.assert_close(merged[old], (before[old] + after[old]) / 2)
        torch.testing.assert_close(merged[sorted(new)], after[sorted(new)])


def test_models_that_did_not_come_from_each_other_are_refused_and_leave_nothing(
    changed: dict[str, Changed], tmp_path: Path
) -> None:
    llama = base_model("llama tied", changed["extended"].base, ROWS, tmp_path / "llama")
    qwen = base_model("qwen3 tied", changed["extended"].base, ROWS, tmp_path / "qwen")
    wide = base_model("llama tied", changed["extended"].base, ROWS, tmp_path / "wide", intermediate_size=64)
    untied = base_model("llama untied", changed["extended"].base, ROWS, tmp_path / "untied")
    other = write_llama(tmp_path / "other", 1)
    for base, tuned, why in (
        (llama, qwen, "has no weight"),
        (llama, wide, "has the shape"),
        (untied, llama, "has one matrix of embeddings"),
        (llama, other, "vocabularies|has no weight|has the shape|two"),
    ):
        with pytest.raises(ValueError, match=why):
            merge_models(base, tuned, 0.5, tmp_path / "merged")
    assert {path.name for path in tmp_path.iterdir()} == {"llama", "qwen", "wide", "untied", "other"}
