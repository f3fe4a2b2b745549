"""The model: built from scratch or loaded, checked against the vocabulary, saved as an ordinary folder."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from mixers.files import hash_file
from trainers.config import SmallModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WEIGHTS = (".safetensors", ".bin")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def fingerprint(model: str | Path | SmallModel) -> str:
    """What tells models apart: the weights in a folder (xxh3_128), the shape of a new one, or the hub id."""
    if isinstance(model, SmallModel):
        return model.model_dump_json()
    weights = sorted(path for suffix in _WEIGHTS for path in Path(model).glob(f"*{suffix}"))
    hashes = "".join(map(hash_file, weights)).encode()
    return xxhash.xxh3_128_hexdigest(hashes) if weights else str(model)


def build_model(shape: SmallModel, vocabulary: int, sequence_length: int, seed: int) -> "PreTrainedModel":
    """A Qwen3-shaped causal model with new weights; the same seed gives the same weights.

    Args:
        shape: Widths and depths.
        vocabulary: Rows of the embedding matrix.
        sequence_length: Longest document the model is meant for (its `max_position_embeddings`).
        seed: Seed of the weights.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from trainers import attention

    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.hidden_size // shape.heads,
        max_position_embeddings=sequence_length,
        tie_word_embeddings=shape.tie_embeddings,
        use_cache=False,
        attn_implementation=attention.register(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)


def load_model(name: str | Path) -> "PreTrainedModel":
    """A causal language model from a hub id or a local folder, in float32, with packed attention.

    No code from the hub or the folder is ever executed.

    Raises:
        ValueError: It is not there, or cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from trainers import attention

    implementation = attention.register()
    try:
        return AutoModelForCausalLM.from_pretrained(
            str(name), dtype=torch.float32, attn_implementation=implementation, trust_remote_code=False
        )
    except OSError as error:
        raise ValueError(f"The model {name} cannot be loaded: {error}") from error


def vocabulary_size(largest_id: int) -> int:
    """Rows of a new embedding matrix: every id fits, in multiples of 64, which matrix products like."""
    return -(-(largest_id + 1) // 64) * 64


def check_vocabulary(model: "PreTrainedModel", largest_id: int) -> None:
    """Raise ValueError when the shards contain an id that the model has no embedding for."""
    rows = model.get_input_embeddings().weight.shape[0]
    if largest_id >= rows:
        raise ValueError(
            f"The shards contain token id {largest_id}, but the model has only {rows} embeddings. The shards"
            " were made with another tokenizer than the model's: name as tokenizer.base in the recipe the"
            " model's tokenizer or an extension of it."
        )


def tokenizer_of(tokenizer_folder: Path | None, model: "str | Path | SmallModel") -> Any:
    """The tokenizer that checkpoints carry: the given folder's, else the model's own, else None."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if tokenizer_folder is not None and not (tokenizer_folder / "tokenizer_config.json").exists():
        return PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_folder / "tokenizer.json"))
    if tokenizer_folder is not None:
        return AutoTokenizer.from_pretrained(str(tokenizer_folder), trust_remote_code=False)
    if isinstance(model, SmallModel):
        return None
    try:
        return AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{model} has no tokenizer to save with the trained model: {error}") from error


def save_tokenizer(tokenizer: Any, tokenizer_folder: Path | None, folder: Path) -> None:
    """Write the tokenizer beside the weights; the files of its own folder are copied as they are."""
    if tokenizer is not None:
        tokenizer.save_pretrained(str(folder))
    if tokenizer_folder is not None:
        for name in _TOKENIZER_FILES:
            if (tokenizer_folder / name).is_file():
                shutil.copyfile(tokenizer_folder / name, folder / name)


def set_special_tokens(model: "PreTrainedModel", tokenizer: Any) -> None:
    """Give a new model's configuration and generation defaults the tokenizer's special tokens."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = getattr(tokenizer, name, None)
        setattr(model.config, name, value)
        setattr(model.generation_config, name, value)
