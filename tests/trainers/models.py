"""Tiny models with random weights, of each attention family."""

import copy

import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from trainers import attention

SHAPE = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SHAPE)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SHAPE)),
    "gemma3": (
        Gemma3ForCausalLM,
        Gemma3TextConfig(**SHAPE, sliding_window=8, layer_types=["sliding_attention", "full_attention"] * 2),
    ),
}


def twin_models(name: str) -> tuple[PreTrainedModel, PreTrainedModel]:
    """The same weights twice: with packed attention, and with transformers' own plain attention."""
    kind, config = MODELS[name]
    torch.manual_seed(0)
    plain = kind._from_config(copy.deepcopy(config), attn_implementation="eager")
    packed = kind._from_config(copy.deepcopy(config), attn_implementation=attention.register())
    packed.load_state_dict(plain.state_dict())
    return packed, plain
