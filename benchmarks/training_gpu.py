"""Speed, share of the card's peak and memory of training on a GPU, beside two other ways to train such rows.

python benchmarks/training_gpu.py [--sizes 0.6B 1.7B] [--medians 600 150] [--ways NAME...] [--steps N]

Models have the shapes of Qwen3 and random weights; documents have log-normal lengths with the given medians,
none longer than a row of 4,096 tokens, packed as by the mixer. A step has 16 rows.

coupage     `trainers.train.train` as `coupage train` calls it, with default settings
lora        the same with an adapter of rank 16
loss        our loss against liger-kernel's and cut-cross-entropy's, on one micro batch of four rows
flex        transformers' FlexAttention, boundaries inferred from positions, and its loss; four rows at once
block mask  the compiled layers with a block-diagonal mask for scaled dot-product attention; one row at once

Speed is that of the median step, warm-up left out. Operations are counted by `trainers.flops` for all ways
alike: attention by the squares of document lengths, nothing for padding or recomputation.
"""

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer, models
from torch import Tensor
from torch.nn.functional import cross_entropy
from training import best_fit, documents, flat, masked
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config

from mixers.ledger import Ledger
from mixers.shards import write_index, write_segments, write_shard_file
from trainers.compilation import compile_layers
from trainers.config import Adapter, Optimizer, StageTraining
from trainers.flops import Workload, peak_flops, training_flops
from trainers.loader import to_device
from trainers.loss import linear_cross_entropy
from trainers.train import train

ROW, STEP = 4096, 16
SIZES = {
    "tiny": (64, 128, 2, 2, 1000),
    "0.6B": (1024, 3072, 28, 16, 151_936),
    "1.7B": (2048, 6144, 28, 16, 151_936),
}
GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
Rows = list[list[np.ndarray]]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def config(size: str) -> Qwen3Config:
    hidden, intermediate, layers, heads, vocabulary = SIZES[size]
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=128,
        tie_word_embeddings=True,
        max_position_embeddings=40_960,
        eos_token_id=1,
    )


def packed(size: str, median: int, rows: int) -> Rows:
    found = documents(int(rows * ROW * 1.02), SIZES[size][-1], seed=1, median=median)
    packs = best_fit(found)
    np.random.default_rng(3).shuffle(packs)
    return packs[:rows]


def write_shards(folder: Path, rows: Rows) -> Path:
    folder.mkdir(parents=True)
    tokens = [sum(map(len, row)) for row in rows]
    lengths = np.array([len(document) for row in rows for document in row], np.int32)
    counts = [len(row) for row in rows]
    file = write_shard_file(
        folder / "data-00000-of-00001.arrow",
        input_ids=np.concatenate([document for row in rows for document in row]),
        row_offsets=np.concatenate([[0], np.cumsum(tokens)]),
        seq_lengths=lengths,
        seq_offsets=np.concatenate([[0], np.cumsum(counts)]),
        groups=["web"] * len(rows),
        assistant_masks=None,
        masked_rows=None,
    )
    segments = {
        "row": pa.array(np.repeat(np.arange(len(rows)), counts), pa.int64()),
        "position": pa.array(np.concatenate([np.arange(count) for count in counts]), pa.int32()),
        "doc_id": [f"{number}" for number in range(len(lengths))],
        "first_token": pa.array(np.zeros(len(lengths)), pa.int64()),
        "tokens": pa.array(lengths, pa.int32()),
        "epoch": pa.array(np.zeros(len(lengths)), pa.int32()),
        "bytes": pa.array(lengths * 4, pa.int64()),
    }
    write_segments(folder, [pa.table(segments)])
    ledger = Ledger(
        unit="tokens",
        sequence_length=ROW,
        total=None,
        rows=len(rows),
        tokens=sum(tokens),
        longest_row=max(tokens),
        constraints=(),
        groups=(),
    )
    write_index(
        folder,
        [file],
        tokenizer_hash="none",
        sequence_length=ROW,
        seed=0,
        recipe_fingerprint="benchmark",
        ledger=ledger,
    )
    return folder


def save_model(folder: Path, size: str) -> Path:
    torch.manual_seed(0)
    with DEVICE:
        AutoModelForCausalLM.from_config(config(size), dtype=torch.bfloat16).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, "<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)
    return folder


def coupage(size: str, median: int, steps: int, adapter: Adapter | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = write_shards(folder / "shards", packed(size, median, steps * STEP))
        stage = StageTraining(
            optimizer=Optimizer(lr=1e-5), adapter=adapter, rows_per_step=STEP, save_every=0, evaluate_every=0
        )
        started = time.monotonic()
        result = train(shards, stage, str(save_model(folder / "model", size)), folder / "out")
        wall = time.monotonic() - started
        lines = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").open()]
        speeds = [line["tokens_per_second"] for line in lines]
        flops = result.flops_per_second * result.seconds / result.tokens
        return figures(speeds, flops, result.peak_memory) | {
            "seconds_of_steps": round(result.seconds, 1),
            "seconds_of_all": round(wall, 1),
            "losses": [round(line["loss"], 3) for line in lines[:3]],
        }


def figures(speeds: list[float], flops_per_token: float, peak: int) -> dict[str, Any]:
    speed = statistics.median(speeds[2:] or speeds)
    return {
        "tokens_per_second": round(speed),
        "slowest_step": round(min(speeds)),
        "utilisation": round(speed * flops_per_token / (peak_flops() or 1e12), 4),
        "peak_GB": round(peak / 2**30, 1),
    }


def other_way(size: str, median: int, steps: int, way: str) -> dict[str, Any]:
    """Bare loop: forward, backward, AdamW; each micro batch is a step, for the other ways' good."""
    at_once = 4 if way == "flex" else 1
    rows = packed(size, median, steps * 4)
    torch.manual_seed(0)
    with DEVICE:
        model = AutoModelForCausalLM.from_config(
            config(size),
            dtype=torch.float32,
            attn_implementation="flex_attention" if way == "flex" else "sdpa",
        )
    model.train()
    if way == "block mask":
        compile_layers(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    speeds, flops, tokens = [], 0.0, 0
    if GPU:
        torch.cuda.reset_peak_memory_stats()
    for number in range(0, len(rows), at_once):
        contents = [document for row in rows[number : number + at_once] for document in row]
        batch = masked(contents) if way == "block mask" else flat(contents)
        names = {"input_ids", "position_ids", "labels", "attention_mask"}
        batch = to_device({name: batch[name] for name in names & set(batch)}, DEVICE)
        started = time.perf_counter()
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        lengths = np.array([len(document) for document in contents], np.float64)
        speeds.append(lengths.sum() / (time.perf_counter() - started))
        tokens += int(lengths.sum())
        flops += training_flops(
            model, Workload(int(lengths.sum()), int(lengths.sum() - len(lengths)), lengths)
        )
    peak = torch.cuda.max_memory_allocated() if GPU else 0
    return figures(speeds[len(speeds) // 3 :], flops / tokens, peak)


LOSSES: dict[str, Loss] = {
    "coupage": lambda hidden, head, targets: mean_loss(hidden, head, targets, fused=GPU),
    "coupage, not compiled": lambda hidden, head, targets: mean_loss(hidden, head, targets, fused=False),
    "liger-kernel": lambda hidden, head, targets: liger(hidden, head, targets, None),
    "liger-kernel, float32 sums": lambda hidden, head, targets: liger(hidden, head, targets, torch.float32),
    "cut-cross-entropy": lambda hidden, head, targets: cut(hidden, head, targets, "high"),
    "cut-cross-entropy, exact": lambda hidden, head, targets: cut(hidden, head, targets, None),
}


def mean_loss(hidden: Tensor, head: Tensor, targets: Tensor, fused: bool) -> Tensor:
    return linear_cross_entropy(hidden, head, targets, torch.tensor(1 / len(targets), device=DEVICE), fused)


def liger(hidden: Tensor, head: Tensor, targets: Tensor, sums: torch.dtype | None) -> Tensor:
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    return LigerFusedLinearCrossEntropyLoss(accum_dtype=sums)(head, hidden, targets)


def cut(hidden: Tensor, head: Tensor, targets: Tensor, filter_eps: str | None) -> Tensor:
    from cut_cross_entropy import linear_cross_entropy as theirs

    return theirs(hidden, head, targets, filter_eps=filter_eps)


def compare_losses(size: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Milliseconds and memory of a micro batch of four rows; errors of gradients against float64."""
    width, vocabulary = SIZES[size][0], SIZES[size][-1]
    torch.manual_seed(0)
    hidden = torch.randn(4 * ROW if GPU else 64, width, device=DEVICE).bfloat16()
    head = (torch.randn(vocabulary, width, device=DEVICE) * 0.05).bfloat16()
    targets = torch.randint(0, vocabulary, (len(hidden),), device=DEVICE)
    few = (hidden[:512], head, targets[:512])
    exact = gradients(lambda h, w, t: cross_entropy(h @ w.T, t), few[0].double(), head.double(), few[2])
    for name, loss in LOSSES.items():
        try:
            errors = [
                float((found.double() - right).norm() / right.norm())
                for found, right in zip(gradients(loss, *few), exact, strict=True)
            ]
            yield name, {"errors": [f"{error:.1e}" for error in errors], **cost(loss, hidden, head, targets)}
        except Exception as error:  # a library that is not installed, or does not run on this card
            yield name, {"error": f"{type(error).__name__}: {error}"[:300]}


def gradients(loss: Loss, hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    leaves = [x.detach().clone().requires_grad_() for x in (hidden, head)]
    return torch.autograd.grad(loss(*leaves, targets), leaves)


def cost(loss: Loss, hidden: Tensor, head: Tensor, targets: Tensor) -> dict[str, Any]:
    gradients(loss, hidden, head, targets)
    before = torch.cuda.memory_allocated() if GPU else 0
    if GPU:
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(5):
        gradients(loss, hidden, head, targets)
    if GPU:
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() if GPU else 0
    return {
        "ms": round(200 * (time.perf_counter() - started), 1),
        "added_GB": round((peak - before) / 2**30, 2),
    }


def free_memory() -> None:
    gc.collect()
    if GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = ("loss", "coupage", "lora", "flex", "block mask")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["0.6B", "1.7B"])
    parser.add_argument("--medians", nargs="+", type=int, default=[600, 150])
    parser.add_argument("--ways", nargs="+", choices=ways, default=ways)
    parser.add_argument("--steps", type=int, default=20, help="steps of 16 rows; a third for the other ways")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin nothing after so many")
    parser.add_argument("-o", "--output", type=Path, help="a JSON line for each result")
    arguments = parser.parse_args()
    started = time.monotonic()

    def show(**result: Any) -> None:
        line = json.dumps(result | {"at": round(time.monotonic() - started)})
        print(line, flush=True)
        if arguments.output:
            with arguments.output.open("a") as file:
                file.write(line + "\n")

    show(torch=torch.__version__, device=torch.cuda.get_device_name() if GPU else "cpu")
    for size in arguments.sizes:
        if "loss" in arguments.ways:
            for name, result in compare_losses(size):
                show(way="loss", size=size, name=name, **result)
        free_memory()
        for median, way in product(arguments.medians, arguments.ways):
            if way == "loss" or time.monotonic() - started > arguments.seconds:
                continue
            try:
                if way in ("coupage", "lora"):
                    result = coupage(size, median, arguments.steps, Adapter() if way == "lora" else None)
                else:
                    result = other_way(size, median, max(2, arguments.steps // 3), way)
            except torch.OutOfMemoryError as error:
                result = {"error": str(error)[:200]}
            show(way=way, size=size, median=median, **result)
            free_memory()


if __name__ == "__main__":
    main()
