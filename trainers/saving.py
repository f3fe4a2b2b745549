"""The folder of a trained model: its weights, its tokenizer, and what its configuration files say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixers.files import write_bytes
from trainers.config import SaveDtype, SmallModel
from trainers.model import save_tokenizer

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ModelFolders:
    """How the models of a run are saved, at its end and on the way."""

    dtype: "torch.dtype"
    """Of the weights at the end; on the way they stay float32, so that a run can go on exactly."""
    stops: tuple[int, ...]
    """The ids at which generation stops."""
    pad: int | None
    """The id that fills batches in generation."""
    tokenizer: Any
    tokenizer_folder: Path | None

    def save(
        self, model: "PreTrainedModel", folder: Path, weights: "Mapping[str, Tensor]", final: bool
    ) -> None:
        """Write `weights`, and all that makes `folder` an ordinary model folder."""
        weights = _cast(weights, self.dtype) if final else weights
        model.save_pretrained(str(folder), state_dict=weights)
        stops = (
            {"eos_token_id": list(self.stops) if len(self.stops) > 1 else self.stops[0]} if self.stops else {}
        )
        _change(folder / "generation_config.json", stops | {"use_cache": True, "pad_token_id": self.pad})
        _change(folder / "config.json", stops | {"use_cache": True})
        if final:
            _change(folder / "config.json", {"dtype": str(self.dtype).removeprefix("torch.")})
        save_tokenizer(self.tokenizer, self.tokenizer_folder, folder)


def final_dtype(setting: SaveDtype, model: str | Path | SmallModel) -> "torch.dtype":
    """The type of a finished model's weights: the one that is set, else that of the model it started from."""
    import torch
    from transformers import AutoConfig

    named: str = setting
    if setting == "auto" and isinstance(model, SmallModel):
        named = "float32"
    elif setting == "auto":
        declared = AutoConfig.from_pretrained(str(model), trust_remote_code=False).dtype
        named = str(declared or "float32").removeprefix("torch.")
    dtype: torch.dtype = getattr(torch, named)
    return dtype


def _cast(weights: "Mapping[str, Tensor]", dtype: "torch.dtype") -> "dict[str, Tensor]":
    """The weights in another type, on the CPU; those that are tied stay the same object."""
    cast: dict[int, Tensor] = {}
    for weight in weights.values():
        if id(weight) not in cast:
            cast[id(weight)] = weight.detach().to("cpu", dtype if weight.is_floating_point() else None)
    return {name: cast[id(weight)] for name, weight in weights.items()}


def _change(path: Path, values: Mapping[str, Any]) -> None:
    """Set keys of a JSON file, where there is one: an adapter alone has neither.

    The file is changed and not the object that wrote it, because transformers refuses to write a changed
    generation config that is not valid in other respects, as those of some published models are.
    """
    if path.is_file():
        content = json.loads(path.read_text("utf-8")) | values
        content.pop("_from_model_config", None)  # it would let the next reader make it anew
        write_bytes(path, json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")
