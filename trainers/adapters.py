"""LoRA and QLoRA adapters, through several stages, and merged into the base at the end of each.

A stage with an adapter leaves two things: in `adapter/` the adapter itself, and in the output folder the
base with the adapter merged into it, an ordinary model. So the next stage may continue the same adapter on
the same base, or put a new one (a task's) on the merged model (with the domain's inside), or train the
merged model whole.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainers.config import Adapter
from trainers.model import load_model

if TYPE_CHECKING:
    from peft import PeftModel

    from trainers.saving import ModelFolders

FOLDER = "adapter"
_SETTINGS = "adapter_config.json"


def model_with_adapter(
    model: str | Path, adapter: Adapter, checkpoint: Path | None, seed: int
) -> "PeftModel":
    """The model to train: frozen weights and a trainable adapter.

    Args:
        model: Folder or hub id to start from; with `start: continue` the output of a stage with an adapter.
        adapter: The adapter's settings; a continued one keeps the shape it has.
        checkpoint: The checkpoint of this very stage to resume from, or None.
        seed: Seed of a new adapter's weights.

    Raises:
        ValueError: QLoRA without a GPU.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    continued = Path(model) / FOLDER if adapter.start == "continue" else None
    base = _base(model, continued)
    loaded = _quantised(base) if adapter.kind == "qlora" else load_model(base)
    if checkpoint is not None or continued is not None:
        return PeftModel.from_pretrained(loaded, str(checkpoint or continued), is_trainable=True)
    targets = "all-linear" if adapter.targets == "all_linear" else list(adapter.targets)
    alpha = adapter.alpha if adapter.alpha is not None else 2 * adapter.rank
    shape = LoraConfig(r=adapter.rank, lora_alpha=alpha, target_modules=targets, task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(loaded, shape)


def save_merged(output: Path, folders: "ModelFolders") -> None:
    """Merge the adapter saved in `output/adapter` into its base, and save the result to `output`.

    The base is read again: the trained one may be quantised, or sharded. Linear layers change and embeddings
    do not, so embeddings that were tied to the head stay tied.
    """
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_model(_base(output, output / FOLDER)), str(output / FOLDER))
    merged = model.merge_and_unload()
    folders.save(merged, output, merged.state_dict(keep_vars=True), final=True)


def _base(model: str | Path, continued: Path | None) -> str:
    if continued is None:
        return str(model)
    return str(json.loads((continued / _SETTINGS).read_text())["base_model_name_or_path"])


def has_adapter(model: str | Path) -> bool:
    """Whether a stage with an adapter left `model`, which can be continued."""
    return (Path(model) / FOLDER / _SETTINGS).is_file()


def _quantised(base: str) -> Any:
    """The base in 4 bits (NF4, double quantisation: Dettmers et al. 2023, "QLoRA"), on the GPU."""
    import torch
    from transformers import BitsAndBytesConfig

    if not torch.cuda.is_available():
        raise ValueError("QLoRA needs an NVIDIA GPU and none is here. Set `adapter.kind: lora` instead.")
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return load_model(base, quantization_config=four_bits)
