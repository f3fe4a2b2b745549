"""What a changed vocabulary brings a small model, against the same model with its old one.

    python -m benchmarks.vocabulary.models FOLDER OUT [--seeds N...] [--starts NAME...] [--work FOLDER]
    python -m benchmarks.vocabulary.models FOLDER OUT --sweep

FOLDER is one of `benchmarks.vocabulary.prepare`. Per seed, which decides new weights and the order of texts:

- A base model is trained from new weights on its old domain, English, with some Russian and other text.
- The domain is Russian, of other works, with a share of English repeated in it (replay).
- Starts: bits per byte of held-out Russian before any training.
- Arms: `extended` and `replaced` train the new rows alone, which begin as calibrated means, then all
  embeddings, nothing else ever, each phase at a rate of its own; `all weights` and `embeddings` are the base
  with its old vocabulary, which trains as its name says. All see the same mixture, in tokens, and are trained
  with the same number of operations, counted as parameters in matrix products × tokens: where the extended
  head is larger, the others get more steps. So that a token of the extended arm holds more text is its
  advantage, and the only one. Weights that do not train are counted as if they did.

`--sweep` comes first where rates are to be tuned: it trains every arm at as many rates (NEW_ROWS and
EMBEDDINGS for the two phases, RATES for the rivals) on a seed that is not reported, judged by other texts
than those reported, and writes OUT/sweep.json. Of it every arm gets what is best for Russian; the changed
vocabularies only what leaves English within 0.6 % of the base.

OUT gets a file for each seed, so that seeds may run side by side, and of all that are there `results.json`
and `results.md`: means over seeds, with 95 % intervals (Student's t); differences are paired.
`benchmarks.vocabulary.figure` draws the curves.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.student import half_interval
from benchmarks.vocabulary.shards import ShardsWriter
from benchmarks.vocabulary.sizes import ENGLISH, OTHER, RUSSIAN, SIZES, Size
from mixers.shards import Shards
from tokenizer_tools.load import load_tokenizer
from trainers.config import FirstEmbeddings, NewTokens, Optimizer, Phase, SmallModel, StageTraining
from trainers.evaluate import evaluate
from trainers.model import load_model, vocabulary_size
from trainers.new_tokens.add import add_embeddings
from trainers.new_tokens.find import new_tokens, own_tokenizer
from trainers.train import train
from trainers.undertrained import find_undertrained

BASE_MIXTURE = {ENGLISH: 0.75, RUSSIAN: 0.2, OTHER: 0.05}
REPLAY = 0.2
OUR_STARTS = {
    **{start: NewTokens(start=start) for start in get_args(FirstEmbeddings)},
    "mean, calibrated": NewTokens(calibrate=True),
}
STARTS = (*OUR_STARTS, "transformers", "transformers, random")
RIVALS = ("all weights", "embeddings")
RATES = (1e-3, 3e-3, 6e-3, 1e-2)
NEW_ROWS, EMBEDDINGS = (5e-3, 1e-2), (2e-3, 3e-3)
MOST_LOST = 0.006
"""Of bits per byte on English, so that other seeds stay within a hundredth."""
Rates = tuple[float, ...]
"""Of one phase after another."""
SWEEP = "sweep.json"
TUNING_SEED = 0


class Prepared:
    """A folder of `benchmarks.vocabulary.prepare`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.size = SIZES[(folder / "size").read_text()]
        self.tokenizers = {path.name: path for path in sorted((folder / "tokenizers").iterdir())}
        self.files = {name: load_tokenizer(path) for name, path in self.tokenizers.items()}

    def documents(self, tokenizer: str, use: str) -> dict[str, pa.Table]:
        """Language to documents."""
        folder = self._folder / "documents" / tokenizer / use
        return {path.stem: pq.read_table(path) for path in sorted(folder.iterdir())}


class Seed:
    """The base model of a seed, and everything that is made of it."""

    def __init__(self, seed: int, prepared: Prepared, folder: Path, judges: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._seed, self._prepared, self._folder, self._size = seed, prepared, folder, prepared.size
        self.arms = [*(name for name in prepared.files if name != "base"), *RIVALS]
        self._writers = {
            name: ShardsWriter(files, self._size.sequence_length) for name, files in prepared.files.items()
        }
        for name, writer in self._writers.items():
            writer.write_held_out(folder / "held_out" / name, prepared.documents(name, judges))

    def train_base(self) -> dict[str, Any]:
        shards = self._write_shards("of base", "base", "base", self._size.base_steps, BASE_MIXTURE)
        return self._train("base", "base", self._size.model, shards, self._stage(self._size.base_rate, ()))

    def train_arm(self, arm: str, rates: Rates) -> dict[str, Any]:
        phases: tuple[Phase, ...] = {
            "all weights": (),
            "embeddings": (Phase(train="embeddings"),),
        }.get(
            arm,
            (
                Phase(train="new_embeddings", steps=self._size.new_rows_steps, lr=rates[0]),
                Phase(train="embeddings"),
            ),
        )
        base, stage = self._folder / "base", self._stage(rates[-1], phases)
        if arm not in RIVALS:
            stage = stage.model_copy(update={"new_tokens": NewTokens(calibrate=True)})
        return self._train(arm, self._tokenizer(arm), base, self._shards(arm), stage)

    def undertrained(self, arm: str) -> dict[str, Any]:
        """The new tokens of a trained arm, and how many of them are under-trained."""
        found = find_undertrained(self._folder / arm, self._folder / "base")
        return {
            "new": found.new_tokens,
            "under_trained": [suspect.text for suspect in found.under_trained],
            "indicator": found.indicator,
            "controls": found.controls,
        }

    def starts(self, names: Iterable[str]) -> dict[str, float]:
        """Bits per byte of held-out Russian of the extended model, before training.

        `transformers, random` is `resize_token_embeddings` without `mean_resizing`, its way of older days.
        """
        own = own_tokenizer(self._folder / "base")
        added = new_tokens(own, self._prepared.tokenizers["extended"])
        shards = Shards.open(self._shards("extended"))
        found = {}
        for start in names:
            torch.manual_seed(self._seed)
            model = load_model(self._folder / "base")
            if start in OUR_STARTS:
                add_embeddings(model, added, OUR_STARTS[start], own, shards, self._seed)
            else:
                rows = vocabulary_size(max(added))
                model.resize_token_embeddings(rows, mean_resizing=start == "transformers")
            folder = self._folder / "start"
            model.save_pretrained(folder)
            scores = evaluate(folder, self._folder / "held_out" / "extended", micro_batch_rows=8)
            found[start] = scores.groups[RUSSIAN].bits_per_byte
            shutil.rmtree(folder)
        return found

    def _tokenizer(self, arm: str) -> str:
        return arm if arm in self._prepared.files else "base"

    def _shards(self, arm: str) -> Path:
        """The shards that an arm trains on, in its tokenizer and as many rows as its operations allow."""
        shards = self._folder / "shards" / arm
        if not shards.exists():
            name = self._tokenizer(arm)
            steps = round(self._size.steps * self._operations("extended") / self._operations(name))
            self._write_shards(arm, name, "domain", steps, {RUSSIAN: 1 - REPLAY, ENGLISH: REPLAY})
        return shards

    def _write_shards(
        self, folder: str, tokenizer: str, use: str, steps: int, mixture: dict[str, float]
    ) -> Path:
        """Shards of documents in the order of this seed."""
        order = np.random.default_rng(self._seed)
        shuffled = {
            language: table.take(order.permutation(len(table)))
            for language, table in self._prepared.documents(tokenizer, use).items()
        }
        rows = steps * self._size.rows_per_step
        return self._writers[tokenizer].write_training(
            self._folder / "shards" / folder,
            rows,
            {name: (mixture[name], shuffled[name]) for name in mixture},
        )

    def _train(
        self, arm: str, tokenizer: str, model: Path | SmallModel, shards: Path, stage: StageTraining
    ) -> dict[str, Any]:
        output = self._folder / arm
        shutil.rmtree(output, ignore_errors=True)
        began = time.monotonic()
        held_out = self._folder / "held_out" / tokenizer
        result = train(shards, stage, model, output, self._prepared.tokenizers[tokenizer], held_out)
        per_step = result.tokens / result.steps
        curve = [
            {"tokens": evaluation.step * per_step}
            | {language: evaluation.groups[language].bits_per_byte for language in (RUSSIAN, ENGLISH)}
            for evaluation in result.evaluations
        ]
        seconds = time.monotonic() - began
        print(
            f"  {arm:<12} {result.tokens:,} tokens in {seconds:.0f} s:"
            f" Russian {curve[0][RUSSIAN]:.3f} to {curve[-1][RUSSIAN]:.3f},"
            f" English {curve[0][ENGLISH]:.3f} to {curve[-1][ENGLISH]:.3f}",
            flush=True,
        )
        operations = 6 * result.parameters * result.tokens
        return {"curve": curve, "tokens": result.tokens, "operations": operations, "seconds": seconds}

    def _stage(self, rate: float, phases: tuple[Phase, ...]) -> StageTraining:
        size = self._size
        return StageTraining(
            optimizer=Optimizer(lr=rate, warmup="5%"),
            phases=phases,
            rows_per_step=size.rows_per_step,
            micro_batch_rows=size.rows_per_step,
            evaluate_every="20%",
            save_every=0,
            compile=False,
            seed=self._seed,
        )

    def _operations(self, tokenizer: str) -> int:
        """Parameters in matrix products: embeddings are tied, so all count once, as the head."""
        size, shape = self._size, self._size.model
        key_value = shape.hidden_size // shape.heads * shape.kv_heads
        attention = 2 * shape.hidden_size * (shape.hidden_size + key_value)
        layer = attention + 3 * shape.hidden_size * shape.intermediate_size
        vocabulary = vocabulary_size(max(self._prepared.files[tokenizer].vocabulary.values()))
        return size.model.layers * layer + vocabulary * shape.hidden_size


def sweep(seed: Seed, out: Path) -> None:
    """Train every arm at every rate, and write what Russian and English come to."""
    found: dict[str, Any] = {"base": seed.train_base()["curve"][-1], "arms": {}}
    for arm in seed.arms:
        found["arms"][arm] = [[rates, seed.train_arm(arm, rates)["curve"][-1]] for rates in tried(arm)]
        (out / SWEEP).write_text(json.dumps(found, indent=1))


def tried(arm: str) -> Iterable[Rates]:
    """As many for each arm."""
    return ((rate,) for rate in RATES) if arm in RIVALS else product(NEW_ROWS, EMBEDDINGS)


def best_rates(size: Size, out: Path) -> dict[str, Rates]:
    """The rates of each arm that are best for Russian; where the vocabulary is changed, of those that leave
    English as good as `MOST_LOST` says, if there are any."""
    if not (out / SWEEP).exists():
        return size.rates
    found = json.loads((out / SWEEP).read_text())
    most = (1 + MOST_LOST) * found["base"][ENGLISH]
    best = {}
    for arm, scores in found["arms"].items():
        kept = [(rates, score) for rates, score in scores if score[ENGLISH] <= most]
        rates, _ = min(scores if arm in RIVALS or not kept else kept, key=lambda each: each[1][RUSSIAN])
        best[arm] = tuple(rates)
    return best


def seeds_in(out: Path) -> Iterable[dict[str, Any]]:
    """The results of the seeds that ran, or still run, into a folder."""
    return (json.loads(path.read_text()) for path in sorted(out.glob("seed*.json")))


def interval(values: Iterable[float], form: str) -> str:
    """The mean and half its 95 % interval."""
    numbers = np.array(list(values))
    if len(numbers) < 2:
        return format(numbers.mean(), form)
    return f"{numbers.mean():{form}} ± {half_interval(numbers):{form.removeprefix('+')}}"


def summary(results: dict[str, Any]) -> str:
    """Two tables: starts, and arms after training."""
    seeds = results["seeds"]
    lines = ["| Start | Bits per byte, Russian |", "|---|---|"]
    before = [one["base"]["curve"][-1] for one in seeds]
    lines.append(f"| the base, old vocabulary | {interval((one[RUSSIAN] for one in before), '.3f')} |")
    lines += [
        f"| {start} | {interval((one['starts'][start] for one in seeds), '.3f')} |"
        for start in seeds[0]["starts"]
    ]
    lines += [
        "",
        "| Arm | Tokens | Operations | Russian | against `all weights` | against `embeddings` "
        "| English | against the base | New tokens under-trained |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in seeds[0]["arms"]:
        trained = [one["arms"][arm] for one in seeds]
        last = [each["curve"][-1] for each in trained]
        cells = [
            arm,
            f"{trained[0]['tokens'] / 1e6:.2f} M",
            f"{trained[0]['operations']:.2e}",
            interval((one[RUSSIAN] for one in last), ".3f"),
        ]
        for rival in RIVALS:
            against = [one["arms"][rival]["curve"][-1][RUSSIAN] for one in seeds]
            steps = [100 * (one[RUSSIAN] / two - 1) for one, two in zip(last, against, strict=True)]
            cells.append("" if arm in RIVALS else interval(steps, "+.1f") + " %")
        steps = [100 * (one[ENGLISH] / two[ENGLISH] - 1) for one, two in zip(last, before, strict=True)]
        cells += [interval((one[ENGLISH] for one in last), ".3f"), interval(steps, "+.2f") + " %"]
        checked = [each["tokens_checked"] for each in trained if "tokens_checked" in each]
        cells.append(", ".join(f"{len(each['under_trained'])} of {each['new']:,}" for each in checked))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--starts", nargs="*", choices=STARTS, default=STARTS)
    parser.add_argument("--work", type=Path, help="shards and models are kept here")
    parser.add_argument("--sweep", action="store_true", help="the learning rates of every arm")
    options = parser.parse_args()
    prepared, out = Prepared(options.folder), options.out
    work = options.work or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    if options.sweep:
        sweep(Seed(TUNING_SEED, prepared, work / "sweep", judges="tuning"), out)
        return
    size, rates = prepared.size, best_rates(prepared.size, out)
    for number in options.seeds:
        print(f"seed {number}, rates {rates}", flush=True)
        seed = Seed(number, prepared, work / str(number), judges="held out")
        one: dict[str, Any] = {"seed": number, "base": seed.train_base(), "arms": {}}
        one["starts"] = seed.starts(options.starts)
        print(f"  starts {one['starts']}", flush=True)
        for arm in seed.arms:
            one["arms"][arm] = seed.train_arm(arm, rates[arm])
            (out / f"seed{number}.json").write_text(json.dumps(one, indent=1))
        for arm in set(seed.arms) - set(RIVALS):
            one["arms"][arm]["tokens_checked"] = seed.undertrained(arm)
        (out / f"seed{number}.json").write_text(json.dumps(one, indent=1))
        results = {
            "size": asdict(size) | {"model": size.model.model_dump()},
            "rates": rates,
            "seeds": [one for one in seeds_in(out) if len(one["arms"]) == len(seed.arms)],
        }
        (out / "results.json").write_text(json.dumps(results, indent=1))
        (out / "results.md").write_text(summary(results))
    print(summary(results))


if __name__ == "__main__":
    main()
