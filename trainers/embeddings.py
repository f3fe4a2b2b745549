"""The embedding matrices of a model folder: where they lie, what is in them, and others in their place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizer_tools.load import HUB_ID
from trainers.model import read_config

if TYPE_CHECKING:
    from torch import Tensor

_FILES = ["*.json", "*.safetensors", "*.jinja"]


@dataclass(frozen=True)
class Embeddings:
    """The rows of all ids, those without a token included; float32 `[rows, width]`."""

    input: "Tensor"
    output: "Tensor"
    """Those that logits are made of; the same object as `input` where they are tied."""

    @property
    def tied(self) -> bool:
        """Whether one matrix is both."""
        return self.output is self.input


@dataclass(frozen=True)
class ModelFiles:
    """A model on disk: its configuration, and which file holds which weight."""

    name: str
    """As it was asked for."""
    folder: Path
    config: Mapping[str, Any]
    """config.json with the defaults of its type."""
    weights: Mapping[str, Path]
    """Name of each weight to its file."""
    input: str
    """The name of the input embeddings."""
    output: str | None
    """The name of the output embeddings; None where they are tied."""

    @classmethod
    def open(cls, name: str | Path) -> "ModelFiles":
        """A folder, or a hub id, which is downloaded.

        Raises:
            ValueError: There is no model, its weights are no safetensors, or its embeddings cannot be found.
        """
        folder = model_folder(name)
        weights = _weight_files(folder)
        inputs, outputs = _parameter_names(folder)
        return cls(
            str(name),
            folder,
            read_config(folder),
            weights,
            _stored(inputs, weights, folder),
            _stored(outputs, weights, folder) if outputs is not None else None,
        )

    @property
    def matrices(self) -> tuple[str, ...]:
        """The names of the embeddings, input first: one where they are tied."""
        return (self.input,) if self.output is None else (self.input, self.output)

    def read(self, weight: str) -> "Tensor":
        """One weight, in the type that it is stored in."""
        from safetensors import safe_open

        with safe_open(self.weights[weight], framework="pt") as file:
            tensor: Tensor = file.get_tensor(weight)
        return tensor

    @cached_property
    def embeddings(self) -> Embeddings:
        """Both matrices."""
        rows = self.read(self.input).float()
        return Embeddings(rows, rows if self.output is None else self.read(self.output).float())


def replace_weights(model: ModelFiles, replacements: "Mapping[str, Tensor]", folder: Path) -> None:
    """Write a model's weights into `folder` with some of them replaced, in the types that those had.

    Files that hold none of them are copied, so no more than one file is in memory.

    Args:
        model: What is copied.
        replacements: Name to the new weight.
        folder: It exists.
    """
    import shutil

    from safetensors import safe_open
    from safetensors.torch import save_file

    for path in sorted(set(model.weights.values())):
        here = [name for name in replacements if model.weights[name] == path]
        if not here:
            shutil.copyfile(path, folder / path.name)
            continue
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name in here:
            tensors[name] = replacements[name].to(tensors[name].dtype).contiguous()
        save_file(tensors, folder / path.name, metadata=metadata)
    _write_index(model, replacements, folder)


def _write_index(model: ModelFiles, replacements: "Mapping[str, Tensor]", folder: Path) -> None:
    """Which of several files holds which weight, and their size in all."""
    old = model.folder / "model.safetensors.index.json"
    if not old.is_file():
        return
    index = json.loads(old.read_bytes())
    grown = 0
    for name, tensor in replacements.items():
        before = model.read(name)
        grown += (tensor.numel() - before.numel()) * before.element_size()
    if "total_size" in index.get("metadata", {}):
        index["metadata"]["total_size"] += grown
    (folder / old.name).write_text(json.dumps(index, indent=2) + "\n")


def model_folder(name: str | Path) -> Path:
    """The folder of a model; that of a hub id is downloaded.

    Raises:
        ValueError: There is none.
    """
    if Path(name).is_dir():
        return Path(name)
    if not HUB_ID.fullmatch(str(name)):
        raise ValueError(f"There is no model {name}. Give its folder or a hub id, owner/name.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(name), allow_patterns=_FILES))
    except OSError as error:
        raise ValueError(f"The model {name} cannot be loaded: {error}") from error


def _weight_files(folder: Path) -> dict[str, Path]:
    from safetensors import SafetensorError, safe_open

    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                found |= dict.fromkeys(file.keys(), path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
    if not found:
        raise ValueError(
            f"{folder} holds no weights as safetensors. Open the model once in transformers and save it with"
            " save_pretrained, which writes them."
        )
    return found


def _parameter_names(folder: Path) -> tuple[str, str | None]:
    """What the model class calls its input and output embeddings; None for outputs that are tied."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"The model {folder} cannot be loaded: {error}") from error
    names = {id(weight): name for name, weight in model.named_parameters()}
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    return names[id(inputs)], None if outputs is inputs else names[id(outputs)]


def _stored(parameter: str, weights: Mapping[str, Path], folder: Path) -> str:
    """The name of a parameter in the files, which may lack the first words of its name, or have more."""
    if parameter in weights:
        return parameter
    for name in weights:
        if name.endswith(f".{parameter}") or parameter.endswith(f".{name}"):
            return name
    raise ValueError(f"{folder} holds no weight {parameter}: its files are not complete.")
