"""The model: built from scratch or loaded, checked against the vocabulary, saved as an ordinary folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from mixers.files import hash_file
from trainers.config import SmallModel
from trainers.requirements import ModelConfig, attention_dropout, is_known

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

_WEIGHTS = (".safetensors", ".bin")
TOKENIZER_FILES = (
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
        return model.model_dump_json(exclude_none=True)
    weights = sorted(path for suffix in _WEIGHTS for path in Path(model).glob(f"*{suffix}"))
    hashes = "".join(map(hash_file, weights)).encode()
    return xxhash.xxh3_128_hexdigest(hashes) if weights else str(model)


def build_model(shape: SmallModel, vocabulary: int, sequence_length: int, seed: int) -> "PreTrainedModel":
    """A Qwen3-shaped causal model with new weights; the same seed gives the same weights.

    Args:
        shape: Widths and depths.
        vocabulary: Rows of the embedding matrix.
        sequence_length: Of the shards; the longest document the model is meant for, unless `shape` says it.
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
        max_position_embeddings=shape.positions or sequence_length,
        tie_word_embeddings=shape.tie_embeddings,
        attn_implementation=attention.register(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)


def load_model(name: str | Path, **options: Any) -> "PreTrainedModel":
    """A causal language model from a hub id or a local folder, with packed attention and no dropout in it.

    No code from the hub or the folder is ever executed.

    Args:
        name: Hub id or folder.
        **options: For transformers; without any the weights are float32.

    Raises:
        ValueError: It is not there, or cannot be read.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from trainers import attention

    implementation = attention.register()
    try:
        config = AutoConfig.from_pretrained(str(name), trust_remote_code=False)
        for key in attention_dropout(config.to_dict()):
            setattr(config.get_text_config(), key, 0.0)
        return AutoModelForCausalLM.from_pretrained(
            str(name),
            config=config,
            attn_implementation=implementation,
            trust_remote_code=False,
            **(options or {"dtype": torch.float32}),
        )
    except OSError as error:
        raise ValueError(f"The model {name} cannot be loaded: {error}") from error


def read_config(name: str | Path) -> ModelConfig:
    """The configuration of a model, with the defaults of its type.

    Raises:
        ValueError: There is none.
    """
    from transformers import AutoConfig, PreTrainedConfig

    try:
        config, _ = PreTrainedConfig.get_config_dict(str(name))
    except OSError as error:
        raise ValueError(f"The model {name} cannot be loaded: {error}") from error
    if not is_known(config.get("model_type")):
        return config
    return config | AutoConfig.from_pretrained(str(name), trust_remote_code=False).to_dict()


def vocabulary_size(largest_id: int) -> int:
    """Rows of a new embedding matrix: every id fits, in multiples of 64, which matrix products like."""
    return -(-(largest_id + 1) // 64) * 64


def decoder_layers(model: "PreTrainedModel") -> "nn.ModuleList":
    """The decoder's layers, whatever the model calls them."""
    from torch import nn

    return max((m for m in model.get_decoder().children() if isinstance(m, nn.ModuleList)), key=len)


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
        for name in TOKENIZER_FILES:
            if (tokenizer_folder / name).is_file():
                shutil.copyfile(tokenizer_folder / name, folder / name)


def other_ids(tokenizer_folder: Path, model_type: str) -> Iterator[str]:
    """Say it where `AutoTokenizer`, beside a model of this type, gives other ids than the tokenizer.json.

    For some types it builds a class of its own from parts of the file, whatever class the folder names.
    """
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoTokenizer

    from tokenizer_tools.parity import HOSTILE_TEXTS

    opened = AutoTokenizer.from_pretrained(str(tokenizer_folder), config=AutoConfig.for_model(model_type))
    plain = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    plain.no_truncation()
    plain.no_padding()
    for text in HOSTILE_TEXTS:
        if opened(text).input_ids != plain.encode(text).ids:
            yield (
                f"beside a model of the type `{model_type}`, AutoTokenizer opens the tokenizer as a"
                f" {type(opened).__name__} and encodes {text[:40]!r} otherwise than the shards; open it with"
                " PreTrainedTokenizerFast.from_pretrained"
            )
            return


def set_special_tokens(model: "PreTrainedModel", tokenizer: Any) -> None:
    """Give a new model's configuration and generation defaults the tokenizer's special tokens."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = getattr(tokenizer, name, None)
        setattr(model.config, name, value)
        setattr(model.generation_config, name, value)
