"""What a changed vocabulary brings a small model, against the same model with its old one.

    python -m benchmarks.vocabulary.models DATA OUT [--size small|medium] [--seeds N...] [--work FOLDER]
    python -m benchmarks.vocabulary.models DATA OUT --sweep

DATA is a folder of `benchmarks.vocabulary.data` with `russian`, `english`, `technical` (English, too) and
`other` (scripts that nobody needs: their tokens are what `replace` may take). Per seed, which decides new
weights and the order of texts:

- A base model is trained from new weights on its old domain, English, with a little Russian and other text;
  its tokenizer, from text of which Russian is a small part, cuts Russian words into many pieces.
- The domain is Russian, of other works, with a share of English repeated in it (replay). Tokenizers are
  extended, or tokens in them replaced, from the texts that are then trained on. Held-out works reach neither.
- Starts: bits per byte of held-out Russian before any training.
- Arms: `extended` and `replaced` train the new rows alone, then all embeddings, nothing else ever; `all
  weights` and `embeddings` are the base with its old vocabulary, which trains as its name says. All see the
  same mixture, in tokens, and are trained with the same number of operations, counted as parameters in
  matrix products × tokens: where the extended head is larger, the others get more steps. So that a token of
  the extended arm holds more text is its advantage, and the only one. Weights that do not train are counted
  as if they did.

`--sweep` comes first where rates are to be tuned: it trains every arm at each of RATES on a seed that is not
reported, judged by other texts than those reported, and writes OUT/sweep.json. Of it every arm gets the rate
that is best for Russian; the changed vocabularies only one that leaves English within 1 % of the base.

OUT gets `results.json` and `results.md`: means over seeds, with 95 % intervals (Student's t); differences are
paired. `benchmarks.vocabulary.figure` draws the curves.
"""

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.augmentation.__main__ import STUDENT
from benchmarks.vocabulary.data import dealt, stretches, texts
from benchmarks.vocabulary.shards import ShardsWriter
from mixers.shards import Shards
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter, WordCounts
from trainers.config import Optimizer, Phase, SmallModel, StageTraining
from trainers.evaluate import evaluate
from trainers.model import load_model, vocabulary_size
from trainers.new_tokens.add import add_embeddings
from trainers.new_tokens.find import new_tokens, own_tokenizer
from trainers.precision import default_device
from trainers.train import train
from trainers.undertrained import find_undertrained

ENGLISH, RUSSIAN, OTHER = "English", "Russian", "other"
BASE_MIXTURE = {ENGLISH: 0.75, RUSSIAN: 0.2, OTHER: 0.05}
REPLAY = 0.2
SCRIPTS = ("Han", "Hangul", "Hiragana", "Katakana")
"""Whose tokens `replace` may take."""
VOCABULARY_TEXT = {ENGLISH: 4_000_000, OTHER: 1_000_000, RUSSIAN: 40_000}
"""Bytes that the base tokenizer learns from."""
OUR_STARTS = ("mean", "position", "length", "omp", "distill", "random")
RIVALS = ("all weights", "embeddings")
RATES = (5e-4, 1.5e-3, 5e-3)
SWEEP = "sweep.json"
TUNING_SEED = 0


@dataclass(frozen=True)
class Size:
    """How large everything is, and the peak learning rates that the sweep found."""

    vocabulary: int
    new_tokens: int
    model: SmallModel
    sequence_length: int
    rows_per_step: int
    base_steps: int
    new_rows_steps: int
    """Of the first phase, part of `steps`."""
    steps: int
    held_out_bytes: int
    """Of each language."""
    base_rate: float
    rates: dict[str, float]

    @property
    def document_bytes(self) -> int:
        """So that a document has a place in a row, whatever its tokens."""
        return self.sequence_length - 2


SIZES = {
    "small": Size(
        vocabulary=4096,
        new_tokens=400,
        model=SmallModel(hidden_size=128, layers=3, heads=4, kv_heads=2, intermediate_size=384),
        sequence_length=256,
        rows_per_step=4,
        base_steps=1200,
        new_rows_steps=30,
        steps=150,
        held_out_bytes=40_000,
        base_rate=3e-3,
        rates={"extended": 3e-3, "replaced": 3e-3, "all weights": 1e-3, "embeddings": 3e-3},
    ),
    "medium": Size(
        vocabulary=16384,
        new_tokens=2000,
        model=SmallModel(hidden_size=512, layers=8, heads=8, kv_heads=4, intermediate_size=1536),
        sequence_length=1024,
        rows_per_step=32,
        base_steps=300,
        new_rows_steps=25,
        steps=100,
        held_out_bytes=200_000,
        base_rate=2e-3,
        rates={"extended": 2e-3, "replaced": 2e-3, "all weights": 5e-4, "embeddings": 2e-3},
    ),
}


class Texts:
    """What is read by whom, in documents that a row has room for. Works are never divided."""

    def __init__(self, data: Path, size: Size) -> None:
        def cut(found: list[str]) -> list[str]:
            return [part for text in found for part in stretches(text, size.document_bytes) if part.strip()]

        english = dealt(
            texts(data, "english", "technical"),
            {"base": 0.8, "replay": 0.14, "held out": 0.03, "tuning": 0.03},
        )
        russian = dealt(
            texts(data, "russian"), {"base": 0.25, "domain": 0.59, "held out": 0.08, "tuning": 0.08}
        )
        self.english = {name: cut(found) for name, found in english.items()}
        self.russian = {name: cut(found) for name, found in russian.items()}
        self.other = cut(dealt(texts(data, "other"), {"base": 1})["base"])

    def judged(self, name: str, size: Size) -> dict[str, list[str]]:
        """The documents that models are judged by, the same for all seeds."""
        return {
            language: _sample(found[name], size.held_out_bytes)
            for language, found in ((RUSSIAN, self.russian), (ENGLISH, self.english))
        }


def _sample(found: list[str], size: int) -> list[str]:
    """Texts from everywhere, of about so many bytes together."""
    shuffled = random.Random(1).sample(found, len(found))
    ends = np.cumsum([len(text.encode()) for text in shuffled])
    return shuffled[: int(np.searchsorted(ends, size)) + 1]


def tokenizers(found: Texts, size: Size) -> dict[str, TokenizerFiles]:
    """The base tokenizer, and what an extension and a replacement make of it."""
    learnt = [
        *_sample(found.english["base"], VOCABULARY_TEXT[ENGLISH]),
        *_sample(found.other, VOCABULARY_TEXT[OTHER]),
        *_sample(found.russian["base"], VOCABULARY_TEXT[RUSSIAN]),
    ]
    base = train_tokenizer([_array(learnt)], TokenizerTraining(vocabulary_size=size.vocabulary))
    words, replay = (_words(base, texts) for texts in (found.russian["domain"], found.english["replay"]))
    extension = VocabularyExtension(tokens=size.new_tokens)
    replacement = VocabularyReplacement(tokens=size.new_tokens, scripts=SCRIPTS)
    extended = change_vocabulary(base, words, extension=extension, replacement=None)
    replaced = change_vocabulary(base, words, extension=None, replacement=replacement, reference=replay)
    return {"base": base, "extended": extended.files, "replaced": replaced.files}


def _words(base: TokenizerFiles, found: list[str]) -> WordCounts:
    counter = WordCounter(base)
    counter.add(_array(found))
    return counter.counts()


def _array(found: Iterable[str]) -> pa.Array:
    return pa.array(found, pa.large_string())


class Seed:
    """The base model of a seed, and everything that is made of it."""

    def __init__(
        self, seed: int, size: Size, found: Texts, files: dict[str, TokenizerFiles], folder: Path, judges: str
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._seed, self._size, self._files, self._folder = seed, size, files, folder
        self._found = found
        self.arms = [*(name for name in files if name != "base"), *RIVALS]
        self._writers = {name: ShardsWriter(each, size.sequence_length) for name, each in files.items()}
        for name, each in files.items():
            each.save(folder / "tokenizers" / name)
            self._writers[name].write_held_out(folder / "held_out" / name, found.judged(judges, size))

    def train_base(self) -> dict[str, Any]:
        size, found = self._size, self._found
        texts_of = {ENGLISH: found.english["base"], RUSSIAN: found.russian["base"], OTHER: found.other}
        mixture = {
            language: (share, self._shuffled(texts_of[language])) for language, share in BASE_MIXTURE.items()
        }
        shards = self._writers["base"].write_training(
            self._folder / "shards" / "of base", size.base_steps * size.rows_per_step, mixture
        )
        return self._train("base", "base", size.model, shards, self._stage(size.base_rate, ()))

    def train_arm(self, arm: str, rate: float) -> dict[str, Any]:
        phases: tuple[Phase, ...] = {
            "all weights": (),
            "embeddings": (Phase(train="embeddings"),),
        }.get(
            arm,
            (Phase(train="new_embeddings", steps=self._size.new_rows_steps), Phase(train="embeddings")),
        )
        base = self._folder / "base"
        return self._train(arm, self._tokenizer(arm), base, self._shards(arm), self._stage(rate, phases))

    def undertrained(self, arm: str) -> dict[str, Any]:
        """The new tokens of a trained arm, and how many of them are under-trained."""
        found = find_undertrained(self._folder / arm, self._folder / "base")
        return {
            "new": found.new_tokens,
            "under_trained": [suspect.text for suspect in found.under_trained],
            "indicator": found.indicator,
            "controls": found.controls,
        }

    def starts(self) -> dict[str, float]:
        """Bits per byte of held-out Russian of the extended model, before training.

        `transformers, random` is `resize_token_embeddings` without `mean_resizing`, its way of older days.
        """
        own = own_tokenizer(self._folder / "base")
        added = new_tokens(own, self._folder / "tokenizers" / "extended")
        shards = Shards.open(self._shards("extended"))
        found = {}
        for start in (*OUR_STARTS, "transformers", "transformers, random"):
            torch.manual_seed(self._seed)
            model = load_model(self._folder / "base")
            if start in OUR_STARTS:
                model.to(default_device() if start in ("distill", "omp") else "cpu")
                add_embeddings(model, added, start, own, shards, self._seed)
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
        return arm if arm in self._files else "base"

    def _shards(self, arm: str) -> Path:
        """The shards that an arm trains on, in its tokenizer and as many rows as its operations allow."""
        shards = self._folder / "shards" / arm
        if not shards.exists():
            name = self._tokenizer(arm)
            steps = round(self._size.steps * self._operations("extended") / self._operations(name))
            mixture = {
                RUSSIAN: (1 - REPLAY, self._shuffled(self._found.russian["domain"])),
                ENGLISH: (REPLAY, self._shuffled(self._found.english["replay"])),
            }
            self._writers[name].write_training(shards, steps * self._size.rows_per_step, mixture)
        return shards

    def _train(
        self, arm: str, tokenizer: str, model: Path | SmallModel, shards: Path, stage: StageTraining
    ) -> dict[str, Any]:
        output = self._folder / arm
        shutil.rmtree(output, ignore_errors=True)
        began = time.monotonic()
        held_out = self._folder / "held_out" / tokenizer
        result = train(shards, stage, model, output, self._folder / "tokenizers" / tokenizer, held_out)
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
        vocabulary = vocabulary_size(max(self._files[tokenizer].vocabulary.values()))
        return size.model.layers * layer + vocabulary * shape.hidden_size

    def _shuffled(self, found: list[str]) -> list[str]:
        return random.Random(self._seed).sample(found, len(found))


def sweep(seed: Seed, out: Path) -> None:
    """Train every arm at every rate, and write what Russian and English come to."""
    found: dict[str, Any] = {"base": seed.train_base()["curve"][-1], "arms": {}}
    for arm in seed.arms:
        found["arms"][arm] = {str(rate): seed.train_arm(arm, rate)["curve"][-1] for rate in RATES}
        (out / SWEEP).write_text(json.dumps(found, indent=1))


def best_rates(size: Size, out: Path) -> dict[str, float]:
    """The rate of each arm that is best for Russian; where the vocabulary is changed, of those that leave
    English within 1 % of the base, if there are any."""
    if not (out / SWEEP).exists():
        return size.rates
    found = json.loads((out / SWEEP).read_text())
    most = 1.01 * found["base"][ENGLISH]
    rates = {}
    for arm, scores in found["arms"].items():
        kept = {rate: score for rate, score in scores.items() if score[ENGLISH] <= most}
        allowed = scores if arm in RIVALS or not kept else kept
        rates[arm] = float(min(allowed, key=lambda rate: allowed[rate][RUSSIAN]))
    return rates


def interval(values: Iterable[float], form: str) -> str:
    """The mean and half its 95 % interval."""
    numbers = np.array(list(values))
    if len(numbers) < 2:
        return format(numbers.mean(), form)
    half = STUDENT[len(numbers)] * numbers.std(ddof=1) / len(numbers) ** 0.5
    return f"{numbers.mean():{form}} ± {half:{form.removeprefix('+')}}"


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
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--work", type=Path, help="shards and models are kept here")
    parser.add_argument("--sweep", action="store_true", help="the learning rates of every arm")
    options = parser.parse_args()
    size, out = SIZES[options.size], options.out
    work = options.work or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    found = Texts(options.data, size)
    files = tokenizers(found, size)
    if options.sweep:
        sweep(Seed(TUNING_SEED, size, found, files, work / "sweep", judges="tuning"), out)
        return
    rates = best_rates(size, out)
    results: dict[str, Any] = {
        "size": asdict(size) | {"model": size.model.model_dump()},
        "rates": rates,
        "seeds": [],
    }
    for number in options.seeds:
        print(f"seed {number}, rates {rates}", flush=True)
        seed = Seed(number, size, found, files, work / str(number), judges="held out")
        one: dict[str, Any] = {"seed": number, "base": seed.train_base(), "starts": seed.starts(), "arms": {}}
        print(f"  starts {one['starts']}", flush=True)
        results["seeds"].append(one)
        for arm in seed.arms:
            one["arms"][arm] = seed.train_arm(arm, rates[arm])
            if arm not in RIVALS:
                one["arms"][arm]["tokens_checked"] = seed.undertrained(arm)
            (out / f"seed{number}.json").write_text(json.dumps(one, indent=1))
        (out / "results.json").write_text(json.dumps(results, indent=1))
        (out / "results.md").write_text(summary(results))
    print(summary(results))


if __name__ == "__main__":
    main()
