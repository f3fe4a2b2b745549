"""Real tokens trained per second, forward and backward, against the usual ways to batch the same documents.

python benchmarks/training.py [--rounds N] [--hidden N] [--layers N] [--vocabulary N] [--tokens N] [--dtype T]

The documents have log-normal lengths with a median of 150 tokens, none longer than 4,096. Every way trains
the same Qwen3-shaped model on the same documents, with the loss of the same tokens:

packed      ours: rows of 4,096 tokens, attention document by document, loss in chunks
padded      plain `transformers.Trainer` batches: documents in random order, padded to the longest one
grouped     the same with `group_by_length`: megabatches of 50 batches sorted by length
masked row  the packed rows with a block-diagonal mask for scaled dot-product attention

Padded batches hold as many documents as a packed row does on average, so that a batch has about as many real
tokens. The ways take turns, round by round, in the same process; given are medians of the rounds and the
spread. CPU time of all threads is measured (as well as wall time), so that other work on the machine matters
little.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers.config import SmallModel
from trainers.loader import IGNORED, Row, collate
from trainers.model import build_model
from trainers.objective import PackedObjective

ROW = 4096
MEDIAN = 150


@dataclass
class Way:
    """Batches of one way, the loss of a batch, and how many tokens they train."""

    batches: list[Any]
    loss: Callable[[Any], Tensor]
    tokens: int


def documents(tokens: int, vocabulary: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found, total = [], 0
    while total < tokens:
        length = int(np.clip(rng.lognormal(np.log(MEDIAN), 1.0), 2, ROW))
        found.append(rng.integers(0, vocabulary, length))
        total += length
    return found


def best_fit(found: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Rows filled as by the mixer: longest first, into the fullest row with room."""
    rows: list[list[np.ndarray]] = []
    room: list[int] = []
    for document in sorted(found, key=len, reverse=True):
        fitting = [(left, number) for number, left in enumerate(room) if left >= len(document)]
        if fitting:
            number = min(fitting)[1]
            rows[number].append(document)
            room[number] -= len(document)
        else:
            rows.append([document])
            room.append(ROW - len(document))
    return rows


def packed_batches(found: list[np.ndarray]) -> list[dict[str, Any]]:
    rows = best_fit(found)
    return [collate([Row(np.concatenate(row), np.array([len(d) for d in row]), None)]) for row in rows]


def pad(batch: list[np.ndarray]) -> dict[str, Tensor]:
    longest = max(map(len, batch))
    ids = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros((len(batch), longest), np.int64)
    for number, document in enumerate(batch):
        ids[number, : len(document)] = document
        mask[number, : len(document)] = 1
    labels = np.where(mask, ids, IGNORED)
    return {
        n: torch.from_numpy(x) for n, x in (("input_ids", ids), ("attention_mask", mask), ("labels", labels))
    }


def padded_batches(found: list[np.ndarray], size: int, grouped: bool, seed: int) -> list[dict[str, Tensor]]:
    order = np.random.default_rng(seed).permutation(len(found)).tolist()
    if grouped:
        mega = 50 * size
        parts = [order[start : start + mega] for start in range(0, len(order), mega)]
        order = [n for part in parts for n in sorted(part, key=lambda n: len(found[n]), reverse=True)]
    batches = [[found[n] for n in order[start : start + size]] for start in range(0, len(order), size)]
    return [pad(batch) for batch in batches]


def masked_rows(packed: list[dict[str, Any]]) -> list[dict[str, Tensor]]:
    batches = []
    for batch in packed:
        document = torch.repeat_interleave(batch["cu_seq_lens_q"].diff())
        causal = torch.ones(len(document), len(document), dtype=torch.bool).tril()
        mask = (document[:, None] == document[None, :]) & causal
        names = ("input_ids", "position_ids", "labels")
        batches.append({n: batch[n] for n in names} | {"attention_mask": mask[None, None]})
    return batches


def ways(arguments: argparse.Namespace, model: Any, objective: PackedObjective) -> dict[str, Way]:
    found = documents(arguments.tokens, arguments.vocabulary, seed=1)
    packed = packed_batches(found)
    size = round(len(found) / len(packed))

    def plain(batch: dict[str, Tensor]) -> Tensor:
        return model(**batch, use_cache=False).loss

    kinds = {
        "packed": (packed, lambda batch: objective(**batch)["loss"]),
        "padded": (padded_batches(found, size, False, 2), plain),
        "grouped": (padded_batches(found, size, True, 2), plain),
        "masked row": (masked_rows(packed), plain),
    }
    return {
        name: Way(batches, loss, sum(int((b["labels"] != IGNORED).sum()) for b in batches))
        for name, (batches, loss) in kinds.items()
    }


def measure(way: Way, optimizer: torch.optim.Optimizer, dtype: torch.dtype) -> tuple[float, float]:
    """Trained tokens per wall second and per CPU second over all batches."""
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in way.batches:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = way.loss(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return way.tokens / (time.perf_counter() - wall), way.tokens / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("rounds", 3),
        ("tokens", 24_000),
        ("hidden", 256),
        ("layers", 4),
        ("vocabulary", 8192),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    arguments = parser.parse_args()
    shape = SmallModel(
        hidden_size=arguments.hidden,
        layers=arguments.layers,
        heads=arguments.hidden // 64,
        kv_heads=arguments.hidden // 64,
        intermediate_size=3 * arguments.hidden,
    )
    packed_model = build_model(shape, arguments.vocabulary, ROW, seed=0)
    objective = PackedObjective(packed_model)
    plain_model = build_model(shape, arguments.vocabulary, ROW, seed=0)
    plain_model.set_attn_implementation("sdpa")
    found = ways(arguments, plain_model, objective)
    dtype = getattr(torch, arguments.dtype)
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    optimizers = {
        name: torch.optim.AdamW(
            (packed_model if name == "packed" else plain_model).parameters(), lr=1e-4, fused=True
        )
        for name in found
    }
    for _ in range(arguments.rounds):
        for name, way in found.items():
            speeds[name].append(measure(way, optimizers[name], dtype))
    print(
        f"{torch.get_num_threads()} threads, {plain_model.num_parameters():,} parameters, {arguments.dtype}"
    )
    for place, clock in enumerate(("wall", "CPU")):
        ours = statistics.median(speed[place] for speed in speeds["packed"])
        for name, all_speeds in speeds.items():
            values = [speed[place] for speed in all_speeds]
            median = statistics.median(values)
            print(
                f"{clock:>5}  {name:<11} {median:8,.0f} tokens/s ({min(values):,.0f}-{max(values):,.0f})"
                f"   packed is {ours / median:.2f}x"
            )


if __name__ == "__main__":
    main()
