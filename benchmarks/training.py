"""Real tokens trained per second, forward and backward, against the usual ways to batch the same documents.

python benchmarks/training.py [--rounds N] [--ways NAME...] [--rows N] [--compile] [--hidden N] [--layers N]

The documents have log-normal lengths with a median of 150 tokens, none longer than 4,096. Every way trains
the same Qwen3-shaped model on the same documents, with the loss of the same tokens:

packed      ours: rows of 4,096 tokens, attention document by document, loss in chunks
padded      plain `transformers.Trainer` batches: documents in random order, padded to the longest one
grouped     the same with `group_by_length`: megabatches of 50 batches sorted by length
masked row  the packed rows with a block-diagonal mask for scaled dot-product attention

Padded batches hold as many documents as a packed row does on average, so that a batch has about as many
real tokens. There are enough documents for a whole megabatch. A round trains on all batches of a way, for
its few long batches cost most; but on every tenth of `padded`, which are in random order and slow, and on
`--rows` packed rows, evenly chosen. The ways take turns. Given are medians of the rounds and the spread, by
wall time and by CPU time of all threads, in which other work matters little.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers.compilation import compile_layers
from trainers.config import SmallModel
from trainers.loader import IGNORED, Row, collate
from trainers.model import build_model
from trainers.objective import PackedObjective

ROW = 4096
MEDIAN = 150
MEGABATCH = 50  # batches that transformers' group_by_length sorts together


@dataclass
class Way:
    """What each batch holds, how it becomes tensors, its loss, and the precision of both passes."""

    contents: list[list[np.ndarray]]
    batch: Callable[[list[np.ndarray]], dict[str, Any]]
    loss: Callable[[dict[str, Any]], Tensor]
    precision: Callable[[], AbstractContextManager[Any]]


def documents(tokens: int, vocabulary: int, seed: int, median: int = MEDIAN) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found, total = [], 0
    while total < tokens:
        length = int(np.clip(rng.lognormal(np.log(median), 1.0), 2, ROW))
        found.append(rng.integers(0, vocabulary, length, np.int32))
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


def flat(row: list[np.ndarray]) -> dict[str, Any]:
    return collate([Row(np.concatenate(row), np.array([len(document) for document in row]), None)])


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


def batches(found: list[np.ndarray], size: int, grouped: bool) -> list[list[np.ndarray]]:
    order = np.random.default_rng(2).permutation(len(found)).tolist()
    if grouped:
        mega = MEGABATCH * size
        parts = [order[start : start + mega] for start in range(0, len(order), mega)]
        order = [n for part in parts for n in sorted(part, key=lambda n: len(found[n]), reverse=True)]
    return [[found[n] for n in order[start : start + size]] for start in range(0, len(order), size)]


def masked(row: list[np.ndarray]) -> dict[str, Tensor]:
    batch = flat(row)
    document = torch.repeat_interleave(batch["cu_seq_lens_q"].diff())
    causal = torch.ones(len(document), len(document), dtype=torch.bool).tril()
    mask = (document[:, None] == document[None, :]) & causal
    names = ("input_ids", "position_ids", "labels")
    return {name: batch[name] for name in names} | {"attention_mask": mask[None, None]}


def ways(
    vocabulary: int, limit: int, model: Any, objective: PackedObjective, bfloat16: bool
) -> dict[str, Way]:
    found = documents(MEGABATCH * ROW, vocabulary, seed=1)
    rows = best_fit(found)
    size = round(len(found) / len(rows))
    rows = rows[:: max(1, len(rows) // limit)]

    def plain(batch: dict[str, Tensor]) -> Tensor:
        return model(**batch, use_cache=False).loss

    def autocast() -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    objective.bfloat16 = bfloat16
    return {
        "packed": Way(rows, flat, lambda batch: objective(**batch)["loss"], objective.in_precision),
        "padded": Way(batches(found, size, grouped=False), pad, plain, autocast),
        "grouped": Way(batches(found, size, grouped=True), pad, plain, autocast),
        "masked row": Way(rows, masked, plain, autocast),
    }


def measure(
    way: Way, sample: list[list[np.ndarray]], optimizer: torch.optim.Optimizer
) -> tuple[float, float]:
    """Trained tokens per wall second and per CPU second over the batches of `sample`."""
    tokens = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for contents in sample:
        batch = way.batch(contents)
        tokens += int((batch["labels"] != IGNORED).sum())
        with way.precision():
            way.loss(batch).backward()
        optimizer.step()
        optimizer.zero_grad()
    return tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("rounds", 3),
        ("hidden", 256),
        ("layers", 4),
        ("vocabulary", 8192),
        ("rows", MEGABATCH),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--compile", action="store_true", help="compile the layers of every way's model")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    names = ["packed", "padded", "grouped", "masked row"]
    parser.add_argument("--ways", nargs="+", choices=names, default=names, help="packed is needed for ratios")
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
    if arguments.compile:
        compile_layers(packed_model)
        compile_layers(plain_model)
    bfloat16 = arguments.dtype == "bfloat16"
    found = ways(arguments.vocabulary, arguments.rows, plain_model, objective, bfloat16)
    found = {name: found[name] for name in arguments.ways}
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    optimizers = {
        name: torch.optim.AdamW(
            (packed_model if name == "packed" else plain_model).parameters(), lr=1e-4, fused=True
        )
        for name in found
    }
    for name, way in found.items():  # what compiles does so here
        measure(way, way.contents[:3], optimizers[name])
    for number in range(arguments.rounds):
        for name, way in found.items():
            sample = way.contents[number % 10 :: 10] if name == "padded" else way.contents
            speeds[name].append(measure(way, sample, optimizers[name]))
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
