"""Carrying learnt embeddings to a fine-tuned sibling, against fine-tuning again (`trainers.carry_over`).

python -m benchmarks.carry_over [--seeds N...] [--train PHASE] [--embedding-shares X...]
                                [--data FOLDER] [--scale X]

For each seed a small world of its own:

base        a small model, trained on prose with a little of a domain, and a tokenizer learnt on the prose
sibling     the base, fine-tuned on a skill: given a line of text and a word, in several wordings, it is to
            say the word in a format, `[A] first [/A]`, and to stop; with some prose, so that it keeps its
            language as fine-tuned models do. Its embeddings learn at a share of the rate
            (`--embedding-shares`): the smaller, the more of the skill is in the inner weights
adapted     the base with a tokenizer extended for the domain, trained on domain text: of its weights the new
            rows alone, or with `--train embeddings` all embeddings
carried     the sibling with the adapted model's tokenizer and embeddings, by each method
tuned again adapted, fine-tuned on the same conversations as the sibling: what carrying over is to spare

Two more show what is lost by what: the sibling with the base's old rows (no new tokens at all), and the
carried model by `conversion` with the sibling's rows of the eight tokens of the format.

Given are, for held-out lines of the prose and of the domain, the share of answers in the format and the share
of right ones, by chance a quarter; bits per byte on held-out text of both kinds, and how many fewer than the
same seed's sibling has (`gained`); means over seeds with 95 % intervals (Student's t).
Prose and domain are docstrings and code of Python's standard library; with --data, a folder with
tgcontest_categories and ru_novels, English news and Russian novels.
"""

import argparse
import ast
import json
import random
import re
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from benchmarks.student import half_interval
from mixers.ledger import Ledger
from mixers.shards import token_dtype, write_index, write_segments, write_shard_file
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.extend import extend_tokenizer
from trainers.carry_over import METHODS, carry_over
from trainers.config import Optimizer, Phase, SmallModel, StageTraining
from trainers.evaluate import evaluate
from trainers.precision import default_device
from trainers.train import train

ROW = 256
SHAPE = SmallModel(hidden_size=128, layers=2, heads=4, kv_heads=2, intermediate_size=256, positions=ROW)
BASE_TOKENS, ADAPTED_TOKENS = 600_000, 200_000
CONVERSATIONS, REPLAYED = 6_000, 40_000
WORDS = ("first", "other", "same", "time")
NEW_TOKENS = 800
ASKED = 60
WORDINGS = (
    "{line}\nThe word is {word}. Say it.",
    "What word is this? {word}, for {line}",
    "Text: {line}\nWord: {word}\nGive the word.",
    "{word} is the word of {line}",
)
ASK, ANSWER = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", "[A] {} [/A]<|im_end|>"


def library_texts() -> tuple[list[str], list[str]]:
    """Docstrings, and code without comments."""
    prose, code = [], []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            source = path.read_text("utf-8")
            tree = ast.parse(source)
        except (UnicodeDecodeError, SyntaxError):
            continue
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        prose += [text for node in [tree, *functions] if len(text := ast.get_docstring(node) or "") > 80]
        code += re.split(r"\n(?=def |class )", ast.unparse(tree))
    return prose, [text for text in code if len(text) > 80]


def data_texts(folder: Path) -> tuple[list[str], list[str]]:
    """English news, and paragraphs of Russian novels."""
    news = [
        line
        for path in sorted((folder / "tgcontest_categories").glob("en_*.tsv"))
        for line in path.read_text("utf-8").splitlines()
    ]
    novels = [
        paragraph.strip()
        for path in sorted((folder / "ru_novels").glob("*.txt"))
        for paragraph in re.split(r"\n\s*\n|\n(?=\s)", path.read_text("utf-8", errors="replace"))
    ]
    return [text for text in news if len(text) > 80], [text for text in novels if len(text) > 80]


class Coder:
    """Texts to ids, control tokens as control tokens."""

    def __init__(self, files: TokenizerFiles) -> None:
        self.files = files
        self._tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
        self.end = files.token_id(files.end_token)
        added = {token["id"] for token in files.definition.get("added_tokens", ())}
        self.ordinary = set(files.vocabulary.values()) - added

    def ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def text(self, ids: Sequence[int]) -> str:
        found: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return found


Piece = tuple[np.ndarray, np.ndarray | None, int, str]
"""Ids, mask, bytes of text and group."""


def text_pieces(coder: Coder, texts: Sequence[str], group: str) -> Iterator[Piece]:
    """Texts as pieces that fit a row; bytes are shared out by tokens."""
    for text in texts:
        ids = np.array([*coder.ids(text), coder.end])
        size = len(text.encode())
        for start in range(0, len(ids), ROW):
            part = ids[start : start + ROW]
            yield part, None, round(size * len(part) / len(ids)), group


def chat_pieces(coder: Coder, chats: Sequence[tuple[str, str]]) -> Iterator[Piece]:
    for question, answer in chats:
        asked, said = coder.ids(question), coder.ids(answer)
        mask = np.array([0] * len(asked) + [1] * len(said), np.uint8)
        yield np.array(asked + said), mask, len((question + answer).encode()), "chat"


def write_shards(folder: Path, pieces: Sequence[Piece], coder: Coder) -> Path:
    """Pieces of a group packed as they come, one group a row."""
    rows: list[list[Piece]] = []
    for _, found in groupby(pieces, key=lambda piece: piece[3]):
        room = 0
        for piece in found:
            if len(piece[0]) > room:
                rows.append([])
                room = ROW
            rows[-1].append(piece)
            room -= len(piece[0])
    random.Random(0).shuffle(rows)
    folder.mkdir(parents=True)
    flat = [piece for row in rows for piece in row]
    lengths = np.array([len(ids) for ids, *_ in flat], np.int32)
    ids = np.concatenate([ids for ids, *_ in flat])
    masked = np.array([row[0][1] is not None for row in rows])
    row_tokens = [sum(len(piece[0]) for piece in row) for row in rows]
    file = write_shard_file(
        folder / "data-00000-of-00001.arrow",
        input_ids=ids.astype(token_dtype(int(ids.max()))),
        row_offsets=np.cumsum([0, *row_tokens]),
        seq_lengths=lengths,
        seq_offsets=np.cumsum([0, *map(len, rows)]),
        groups=[row[0][3] for row in rows],
        assistant_masks=np.concatenate(
            [np.ones(len(ids), np.uint8) if mask is None else mask for ids, mask, *_ in flat]
        ),
        masked_rows=masked,
    )
    segments = {
        "row": [number for number, row in enumerate(rows) for _ in row],
        "position": [position for row in rows for position in range(len(row))],
        "doc_id": [str(number) for number in range(len(flat))],
        "first_token": [0] * len(flat),
        "tokens": lengths,
        "epoch": [0] * len(flat),
        "bytes": [size for *_, size, _ in flat],
    }
    write_segments(folder, [pa.table(segments)])
    ledger = Ledger(
        unit="tokens",
        sequence_length=ROW,
        total=None,
        rows=len(rows),
        tokens=len(ids),
        longest_row=max(row_tokens),
        constraints=(),
        groups=(),
    )
    write_index(
        folder,
        [file],
        tokenizer_hash=coder.files.hash,
        sequence_length=ROW,
        seed=0,
        recipe_fingerprint="benchmark",
        ledger=ledger,
    )
    return folder


def pieces_of_tokens(coder: Coder, texts: Sequence[str], group: str, tokens: float) -> list[Piece]:
    """Pieces up to a number of tokens, the texts as often as that needs."""
    found: list[Piece] = []
    while tokens > 0:
        for piece in text_pieces(coder, texts, group):
            found.append(piece)
            tokens -= len(piece[0])
            if tokens <= 0:
                break
    return found


Chat = tuple[str, str]


def chats_about(texts: Sequence[str], count: int, rng: random.Random) -> list[Chat]:
    """Questions about lines of the texts that have none of the words themselves, and their answers."""
    lines = [line.strip()[:60] for text in texts for line in text.splitlines() if len(line.strip()) > 20]
    lines = [line for line in lines if not any(word in line.lower() for word in WORDS)]
    chats = []
    for _ in range(count):
        word = rng.choice(WORDS)
        asked = rng.choice(WORDINGS).format(line=rng.choice(lines), word=word)
        chats.append((ASK.format(asked), ANSWER.format(word)))
    return chats


def answers(folder: Path, chats: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """The share of answers in the format, and of exact ones, greedily and in plain transformers."""
    coder = Coder(load_tokenizer(folder))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(default_device()).eval()
    stop = coder.files.token_id("<|im_end|>")
    asked = sorted(
        ((coder.ids(question), answer) for question, answer in chats), key=lambda each: len(each[0])
    )
    formal = right = 0
    formats = {ANSWER.format(word) for word in WORDS}
    for _, same_length in groupby(asked, key=lambda each: len(each[0])):
        batch = list(same_length)
        ids = torch.tensor([question for question, _ in batch], device=model.device)
        said = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=24,
            do_sample=False,
            eos_token_id=stop,
            pad_token_id=stop,
        )
        for row, (_, answer) in zip(said[:, ids.shape[1] :].tolist(), batch, strict=True):
            until = row[: row.index(stop) + 1] if stop in row else row
            formal += coder.text(until) in formats
            right += coder.text(until) == answer
    return formal / len(chats), right / len(chats)


def relative_changes(base: Path, sibling: Path) -> torch.Tensor:
    """How far each row moved, in norms of the row."""
    before, after = (
        AutoModelForCausalLM.from_pretrained(name).get_input_embeddings().weight.detach()
        for name in (base, sibling)
    )
    return (after - before).norm(dim=1) / before.norm(dim=1)


def with_rows(folder: Path, source: Path, ids: Collection[int], output: Path) -> Path:
    """The model with another's embeddings of some tokens."""
    rows = sorted(ids)
    model, other = (
        AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32) for name in (folder, source)
    )
    with torch.no_grad():
        model.get_input_embeddings().weight[rows] = other.get_input_embeddings().weight[rows]
    model.save_pretrained(output)
    load_tokenizer(folder).save(output)
    return output


def stage(lr: float, seed: int, embedding_lr: float | None = None, **more: Any) -> StageTraining:
    return StageTraining(
        optimizer=Optimizer(lr=lr, warmup="5%", embedding_lr=embedding_lr),
        rows_per_step=4,
        micro_batch_rows=4,
        save_every=0,
        evaluate_every=0,
        dtype="float32",
        compile=False,
        seed=seed,
        **more,
    )


@dataclass(frozen=True)
class World:
    """What the models of one seed learn from and are asked."""

    folder: Path
    seed: int
    old: Coder
    new: Coder
    asked: dict[str, list[Chat]]
    held_out: dict[str, Path]


def write_world(folder: Path, seed: int, prose: list[str], domain: list[str], scale: float) -> World:
    """Tokenizers and shards."""
    rng = random.Random(seed)
    prose, domain = rng.sample(prose, len(prose)), rng.sample(domain, len(domain))
    held, learnt = (prose[:60], domain[:60]), (prose[60:], domain[60:])
    base_files = train_tokenizer([pa.array(learnt[0][:2000])], TokenizerTraining(vocabulary_size=1500))
    changed = extend_tokenizer(
        base_files, [pa.array(learnt[1][:2000])], VocabularyExtension(tokens=NEW_TOKENS)
    )
    base_files.save(folder / "tokenizer")
    changed.files.save(folder / "changed")
    old, new = Coder(base_files), Coder(changed.files)
    asked = {"prose": chats_about(held[0], ASKED, rng), "domain": chats_about(held[1], ASKED, rng)}
    taught = [
        *chats_about(learnt[0], int(0.7 * CONVERSATIONS * scale), rng),
        *chats_about(learnt[1], int(0.3 * CONVERSATIONS * scale), rng),
    ]
    rng.shuffle(taught)
    shards = {
        "base": [
            *pieces_of_tokens(old, learnt[0], "prose", 0.7 * BASE_TOKENS * scale),
            *pieces_of_tokens(old, learnt[1], "domain", 0.3 * BASE_TOKENS * scale),
        ],
        "chat": [
            *chat_pieces(old, taught),
            *pieces_of_tokens(old, learnt[0], "prose", REPLAYED * scale),
        ],
    }
    changed_shards = {
        "adapt": [
            *pieces_of_tokens(new, learnt[1], "domain", 0.7 * ADAPTED_TOKENS * scale),
            *pieces_of_tokens(new, learnt[0], "prose", 0.3 * ADAPTED_TOKENS * scale),
        ],
        "changed chat": [
            *chat_pieces(new, taught),
            *pieces_of_tokens(new, learnt[0], "prose", REPLAYED * scale),
        ],
    }
    held_out = {}
    for coder, name, made in ((old, "old", shards), (new, "new", changed_shards)):
        for key, pieces in made.items():
            write_shards(folder / key, pieces, coder)
        both = [*text_pieces(coder, held[0], "prose"), *text_pieces(coder, held[1], "domain")]
        held_out[name] = write_shards(folder / name, both, coder)
    return World(folder, seed, old, new, asked, held_out)


def measures(world: World, model: Path, tokens: str) -> dict[str, float]:
    groups = evaluate(model, world.held_out[tokens], 8, "float32").groups
    found: dict[str, float] = {}
    for kind, chats in world.asked.items():
        formal, right = answers(model, chats)
        found |= {f"format, {kind}": formal, f"right, {kind}": right}
    return found | {f"bits/byte, {kind}": groups[kind].bits_per_byte for kind in world.asked}


Measured = dict[str, dict[str, float]]


def one_sibling(world: World, base: Path, adapted: Path, share: float) -> dict[str, Measured]:
    """A sibling whose embeddings learn at a share of the rate, and all that comes of it."""
    folder = world.folder / f"sibling-{share}"
    tuning = stage(2e-3, world.seed, 2e-3 * share)
    sibling = train(
        world.folder / "chat", tuning, base, folder / "sibling", world.folder / "tokenizer"
    ).output
    started = time.monotonic()
    again = train(
        world.folder / "changed chat", tuning, adapted, folder / "again", world.folder / "changed"
    ).output
    seconds = {"tuned again": time.monotonic() - started}
    models = {"sibling": (sibling, "old")}
    for method in METHODS:
        started = time.monotonic()
        done = carry_over(base, adapted, sibling, folder / method, method)
        seconds[method] = time.monotonic() - started
        assert not done.moved
        models[f"carried, {method}"] = (folder / method, "new")
    models["tuned again"] = (again, "new")
    ordinary = world.old.ordinary
    of_format = ordinary & set(world.old.ids("".join(ANSWER.format(word) for word in WORDS)))
    models["sibling, rows of base"] = (with_rows(sibling, base, ordinary, folder / "base-rows"), "old")
    models["conversion, rows kept"] = (
        with_rows(folder / "conversion", sibling, of_format, folder / "format-rows"),
        "new",
    )
    change = relative_changes(base, sibling)
    moved = {
        "format": float(change[sorted(of_format)].median()),
        "other": float(change[sorted(ordinary - of_format)].median()),
    }
    found = {name: measures(world, model, tokens) for name, (model, tokens) in models.items()}
    for kind in world.asked:
        column = f"bits/byte, {kind}"
        for values in found.values():
            values[f"gained, {kind}"] = found["sibling"][column] - values[column]
    return {"models": found, "other": {"seconds": seconds, "embeddings moved": moved}}


def one_seed(
    folder: Path, seed: int, prose: list[str], domain: list[str], arguments: argparse.Namespace
) -> dict[str, dict[str, Measured]]:
    """All models of a seed, by the share of the rate."""
    world = write_world(folder, seed, prose, domain, arguments.scale)
    base = train(folder / "base", stage(3e-3, seed), SHAPE, folder / "m-base", folder / "tokenizer").output
    embeddings = stage(1.5e-3, seed, phases=(Phase(train=arguments.train),))
    adapted = train(folder / "adapt", embeddings, base, folder / "m-adapted", folder / "changed").output
    before = {"base": measures(world, base, "old"), "adapted": measures(world, adapted, "new")}
    return {"before": {"models": before, "other": {}}} | {
        f"share {share:g}": one_sibling(world, base, adapted, share) for share in arguments.embedding_shares
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", choices=("new_embeddings", "embeddings"), default="new_embeddings")
    parser.add_argument(
        "--embedding-shares",
        type=float,
        nargs="+",
        default=[0.01, 1.0],
        help="the sibling's rate for embeddings, of that for the rest",
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of all amounts of training")
    arguments = parser.parse_args()
    prose, domain = data_texts(arguments.data) if arguments.data else library_texts()
    seeds = []
    for seed in arguments.seeds:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            seeds.append(one_seed(Path(folder), seed, prose, domain, arguments))
        print(json.dumps({"seed": seed, "total": time.monotonic() - started} | seeds[-1]), flush=True)
    for part in seeds[0]:
        print_part(part, [seed[part] for seed in seeds])


def print_part(part: str, seeds: Sequence[dict[str, Measured]]) -> None:
    models = seeds[0]["models"]
    columns = list(next(iter(models.values())))
    print("".join(f"{name:>24}" for name in [part, *columns]))
    for name in models:
        cells = [interval([seed["models"][name][column] for seed in seeds]) for column in columns]
        print("".join(f"{cell:>24}" for cell in [name, *cells]))
    for what, values in seeds[0]["other"].items():
        shown = [f"{name} {interval([seed['other'][what][name] for seed in seeds])}" for name in values]
        print(f"{what}: {'; '.join(shown)}")


def interval(values: Sequence[float]) -> str:
    """Mean and half the 95 % interval."""
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ± {half_interval(values):.3f}"


if __name__ == "__main__":
    main()
