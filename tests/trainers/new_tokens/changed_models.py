"""Tiny models of each shape with a tokenizer, and this tokenizer extended, or with tokens replaced."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.trainers.shards_folder import SEQUENCE_LENGTH, pack, write_shards
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter

NEW = 20
COMMON = "the harvest was late and the growers waited for the rain to end "
UNNEEDED = "zyzzyva quokka axolotl okapi quagga pangolin "
DOMAIN = "malolactic maceration of tannin in the barrel must end before malolactic racking "
TEXTS = [f"{COMMON}{DOMAIN * (number % 3 + 1)}{number}" for number in range(60)]
WIDTHS = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": 0.1,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
SHAPES: dict[str, dict[str, Any]] = {
    "llama tied": {"model_type": "llama", "tie_word_embeddings": True},
    "llama untied": {"model_type": "llama", "tie_word_embeddings": False},
    "qwen3 tied": {"model_type": "qwen3", "tie_word_embeddings": True},
    "qwen3 untied": {"model_type": "qwen3", "tie_word_embeddings": False},
    "gemma3": {"model_type": "gemma3_text", "tie_word_embeddings": True, "sliding_window": 16},
    "gemma3 with images": {"model_type": "gemma3", "tie_word_embeddings": True},
    "phi, whose head has a bias": {"model_type": "phi", "tie_word_embeddings": False},
}
SIGHT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@dataclass(frozen=True)
class Changed:
    """A tokenizer folder and what it changes."""

    folder: Path
    pieces: dict[int, tuple[int, ...]]
    base: TokenizerFiles

    @property
    def new(self) -> list[int]:
        return list(self.pieces)


def base_tokenizer() -> TokenizerFiles:
    """Byte-level BPE that knows the common words, and some that nobody needs."""
    texts = pa.array([COMMON * 3, UNNEEDED * 3] * 9)
    return train_tokenizer([texts], TokenizerTraining(vocabulary_size=512))


def change(base: TokenizerFiles, how: str, folder: Path) -> Changed:
    """`extended` by, or with `replaced`, NEW tokens."""
    counter = WordCounter(base)
    counter.add(pa.array(TEXTS, pa.large_string()))
    made = change_vocabulary(
        base,
        counter.counts(),
        extension=VocabularyExtension(tokens=NEW) if how == "extended" else None,
        replacement=VocabularyReplacement(tokens=NEW, scripts=("Latin",)) if how == "replaced" else None,
    )
    made.files.save(folder)
    return Changed(folder, made.pieces, base)


def base_model(
    shape: str, tokenizer: TokenizerFiles, rows: int, folder: Path, **widths_of_its_own: int
) -> Path:
    """A model with random weights and `rows` embeddings, in a folder with its tokenizer."""
    widths: dict[str, Any] = WIDTHS | {"vocab_size": rows} | widths_of_its_own
    if shape == "gemma3 with images":
        text = widths | {"sliding_window": 16}
        widths = {"text_config": text, "vision_config": SIGHT, "mm_tokens_per_image": 4}
    config = AutoConfig.for_model(**(widths | SHAPES[shape]))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name == "lm_head.bias":
            torch.nn.init.normal_(parameter)
    tokenizer.save(folder)
    model.save_pretrained(folder)
    return folder


def text_rows(tokenizer: Path, folder: Path) -> Path:
    """Shards of TEXTS in a tokenizer's ids."""
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    found = [np.array(encoder.encode(text).ids[:SEQUENCE_LENGTH], np.uint16) for text in TEXTS]
    return write_shards(folder, pack(found))


def is_tied(model: PreTrainedModel) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


def tables(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """All that has a row for each token."""
    head = model.get_output_embeddings()
    found = {"input": model.get_input_embeddings().weight, "output": head.weight, "bias": head.bias}
    return {name: table.detach().clone() for name, table in found.items() if table is not None}
