"""Floating-point operations that a run needed, and the share of the hardware's peak that it reached (MFU).

Counted as in PaLM (Chowdhery et al. 2022, appendix B), but honestly for packed rows: attention by the sum of
squared document lengths, halved because it is causal, not by the square of the row; the output head for
predicted tokens only; no recomputation; no gradients of frozen weights.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from mixers.shards import Shards

# Dense bfloat16 operations per second, from NVIDIA's data sheets; the first name that fits counts.
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
}


class Workload(NamedTuple):
    """What rows ask of a model: tokens, predicted tokens, and the length of each document."""

    tokens: int
    predicted: int
    lengths: np.ndarray


def workload(shards: "Shards", rows: int) -> Workload:
    """The workload of the first `rows` rows of all epochs together."""
    lengths, predicted = [], 0
    for number in range(rows):
        pack = shards[number % len(shards)]
        lengths.append(pack.seq_lengths)
        if pack.assistant_masks is None:
            predicted += len(pack.input_ids) - len(pack.seq_lengths)
        else:
            firsts = np.cumsum(pack.seq_lengths) - pack.seq_lengths
            predicted += int(pack.assistant_masks.sum() - pack.assistant_masks[firsts].sum())
    every = np.concatenate(lengths).astype(np.float64)
    return Workload(int(every.sum()), predicted, every)


def training_flops(model: "PreTrainedModel", work: Workload) -> float:
    """Operations of forward and backward passes over `work`."""
    input_rows, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    flops = 0.0
    for parameter in model.parameters():
        passes = 6 if parameter.requires_grad else 4
        if parameter is head:
            flops += passes * parameter.numel() * work.predicted
        elif parameter is not input_rows and parameter.ndim >= 2:
            flops += passes * parameter.numel() * work.tokens
    return flops + _attention_flops(model, work.lengths)


def _attention_flops(model: "PreTrainedModel", lengths: np.ndarray) -> float:
    """Two products forward and four backward, each 2 × width × pairs of tokens."""
    config = model.config.get_text_config()
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    pairs = 0.0  # of a query and a key that it sees
    for kind in kinds:
        seen = lengths if kind == "full_attention" else np.minimum(lengths, config.sliding_window)
        pairs += float((lengths * seen - seen * seen / 2).sum())
    return 12 * config.num_attention_heads * head_size * pairs


def peak_flops() -> float | None:
    """Peak operations per second of the GPU in use, or None where it is not known."""
    import torch

    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak for model, peak in PEAKS.items() if model in name), None)
