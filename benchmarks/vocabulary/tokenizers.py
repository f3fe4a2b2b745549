"""Real tokenizers with 4,000 tokens more, or other, for a language, for code and for a technical domain.

    python -m benchmarks.vocabulary.tokenizers DATA TOKENIZER[=SCRIPT,...]... [--tokens N] [--documents N]
        [--json FILE]

DATA is a folder of `benchmarks.vocabulary.data`; TOKENIZER a tokenizer.json, for `replace` with the scripts
whose tokens may go, where those that no text here uses are too few. Half of the works of each kind are learnt
from, half are held out. The documents that are checked for violations are encoded by the tokenizers library,
which knows nothing of the change; all held-out text by the fast encoder, which has to agree with it on them:

bytes per token   of held-out text of the kind: of the base, of ours, and of the usual way, a new BPE that the
                  library trains on the same text, whose tokens that the base lacks go into the base by
                  `add_tokens`: its first N, or those of a new BPE of N tokens in all, which are fewer
used              share of the new tokens that occur in that held-out text; and how much of its tokens are new
unreachable       new tokens that the library gives for no text: neither for their own nor for any here
violations        of held-out documents, half of them of the kind, where new tokens replaced by their pieces
                  do not give the base's ids; under a replacement, among documents that hold no replaced token
specials          added tokens of the base that have another id, alone or in a text
English           tokens of the base that are not there any more, in held-out English
reference         the same in the other half of the English, by which `replace` judges what is needed
ids               the number of ids, and the size padded to 64, after less before
"""

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import AddedToken, Tokenizer, decoders, models, trainers

from benchmarks.vocabulary.data import dealt, texts
from tokenizer_tools.backends import Coupage
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter, WordCounts

DOMAINS = ("russian", "code", "technical")
BATCH = 512

Ids = list[npt.NDArray[np.int64]]


@dataclass
class Halves:
    """Texts to learn from and held-out ones, of each kind."""

    learnt: dict[str, list[str]]
    held_out: dict[str, list[str]]

    @classmethod
    def of(cls, data: Path) -> "Halves":
        found = {
            kind: dealt(texts(data, kind), {"learnt": 0.5, "held out": 0.5}) for kind in (*DOMAINS, "english")
        }
        return cls(
            {kind: each["learnt"] for kind, each in found.items()},
            {kind: each["held out"] for kind, each in found.items()},
        )

    def checked(self, first: str, count: int) -> list[str]:
        """So many held-out documents: half of one kind, then of the others in turn."""
        others = [kind for kind in self.held_out if kind != first]
        own = self.held_out[first][: count // 2]
        in_turn = zip_longest(*(self.held_out[kind] for kind in others))
        rest = (text for texts in in_turn for text in texts if text is not None)
        return own + list(islice(rest, count - len(own)))


def encode_fast(
    tokenizer: Tokenizer, found: list[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All ids, and offsets of texts."""
    definition = json.loads(tokenizer.to_str()) | {"post_processor": None}
    texts = pa.array(found, pa.large_string())
    ids, offsets = Coupage(json.dumps(definition), control_tokens=True).encode(texts)
    return ids.astype(np.int64), offsets


def encode(tokenizer: Tokenizer, found: list[str]) -> Ids:
    """Of each text; by the library."""
    return [
        np.array(encoding.ids, np.int64)
        for at in range(0, len(found), BATCH)
        for encoding in tokenizer.encode_batch_fast(found[at : at + BATCH], add_special_tokens=False)
    ]


def usual_way(base: TokenizerFiles, found: list[str], wanted: int) -> tuple[Tokenizer, list[str], int]:
    """A new BPE merged into the base by `add_tokens`.

    Returns:
        The base with the first `wanted` tokens, in merge order, that it lacks; their texts; and how many of
        them a new BPE of `wanted` tokens in all has.
    """
    plain = Tokenizer.from_str(base.tokenizer_json.decode())
    decoder = decoders.ByteLevel()
    new = Tokenizer(models.BPE())
    new.pre_tokenizer = plain.pre_tokenizer
    new.train_from_iterator(found, trainers.BpeTrainer(vocab_size=32 * wanted, show_progress=False))
    tokens = {number: token for token, number in new.get_vocab().items() if token not in base.vocabulary}
    decoded = {number: decoder.decode([tokens[number]]) for number in sorted(tokens)}
    whole = {number: text for number, text in decoded.items() if "\ufffd" not in text}
    same_size = sum(number < wanted for number in whole)
    lacking = list(whole.values())[:wanted]
    plain.add_tokens(as_added(lacking))
    return plain, lacking, same_size


def as_added(found: list[str]) -> list[AddedToken]:
    """Sought in text as it is written, as the fast encoder does."""
    return [AddedToken(text, normalized=False) for text in found]


def undone(ids: Ids, pieces: dict[int, tuple[int, ...]], largest: int) -> Ids:
    """Each new id replaced by its pieces."""
    table = [np.array(pieces.get(number, (number,))) for number in range(largest + 1)]
    new = np.zeros(largest + 1, bool)
    new[list(pieces)] = True
    return [
        np.concatenate([table[number] for number in found]) if new[found].any() else found for found in ids
    ]


def unreachable(tokenizer: Tokenizer, new: Iterable[int], seen: set[int]) -> int:
    """New ids that neither occurred nor are given for their own text, or for its bytes as a word."""
    lacking = 0
    for number in set(new) - seen:
        name = tokenizer.id_to_token(number)
        text = decoders.ByteLevel().decode([name])
        as_word = [token.id for token in tokenizer.model.tokenize(name)]
        lacking += number not in (as_word[0] if len(as_word) == 1 else None, *_alone(tokenizer, name, text))
    return lacking


def _alone(tokenizer: Tokenizer, *found: str) -> list[int]:
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in found]
    return [each[0] for each in ids if len(each) == 1]


def changed_specials(base: TokenizerFiles, changed: Tokenizer) -> int:
    names = {token["content"]: token["id"] for token in base.definition.get("added_tokens", ())}
    return sum(
        changed.token_to_id(name) != number
        or changed.encode(f"a{name}b", add_special_tokens=False).ids.count(number) != 1
        for name, number in names.items()
    )


def share_lost(base: Tokenizer, changed: Tokenizer, found: list[str]) -> float:
    """Of the base's tokens in texts, those that the other tokenizer does not give at the same place."""
    lost = total = 0
    for at in range(0, len(found), BATCH):
        batches = [
            one.encode_batch(found[at : at + BATCH], add_special_tokens=False) for one in (base, changed)
        ]
        for old, new in zip(*batches, strict=True):
            placed = set(zip(old.ids, old.offsets, strict=True))
            total += len(placed)
            lost += len(placed) - len(placed.intersection(zip(new.ids, new.offsets, strict=True)))
    return lost / total


class Trial:
    """One real tokenizer, with what the library makes of the held-out texts under it."""

    def __init__(self, base: TokenizerFiles, halves: Halves, options: argparse.Namespace) -> None:
        self._base, self._halves, self._options = base, halves, options
        self._library = Tokenizer.from_str(base.tokenizer_json.decode())

    def extension(self, kind: str) -> dict[str, Any]:
        began = time.monotonic()
        changed = change_vocabulary(
            self._base,
            self._words(kind),
            extension=VocabularyExtension(tokens=self._options.tokens),
            replacement=None,
        )
        return self._measured(kind, "extend", changed, time.monotonic() - began)

    def replacement(self, kind: str, scripts: tuple[str, ...]) -> dict[str, Any]:
        """The reference is the English to learn from, which a user would repeat in training."""
        began = time.monotonic()
        changed = change_vocabulary(
            self._base,
            self._words(kind),
            extension=None,
            replacement=VocabularyReplacement(tokens=self._options.tokens, scripts=scripts),
            reference=self._words("english"),
        )
        return self._measured(kind, "replace", changed, time.monotonic() - began)

    def _words(self, kind: str) -> WordCounts:
        counter = WordCounter(self._base)
        counter.add(pa.array(self._halves.learnt[kind], pa.large_string()))
        return counter.counts()

    def _measured(self, kind: str, change: str, ours: ChangedTokenizer, seconds: float) -> dict[str, Any]:
        held_out = self._halves.held_out
        library = Tokenizer.from_str(ours.files.tokenizer_json.decode())
        checked = self._halves.checked(kind, self._options.documents)
        ids, offsets = encode_fast(library, held_out[kind])
        by_library = encode(library, checked)
        number = min(self._options.documents // 2, len(held_out[kind]))
        if not np.array_equal(np.concatenate(by_library[:number]), ids[: offsets[number]]):
            raise SystemExit("the fast encoder differs from the library")
        used = set(np.unique(ids).tolist())
        violations, documents = self._violations(checked, by_library, ours)
        before, after = (max(each.vocabulary.values()) + 1 for each in (self._base, ours.files))
        return {
            "tokenizer": self._base.source,
            "text": kind,
            "change": change,
            "seconds": seconds,
            "base": {
                "bytes_per_token": self._bytes_per_token(kind, encode_fast(self._library, held_out[kind])[0])
            },
            "ours": {
                "tokens": len(ours.pieces),
                "bytes_per_token": self._bytes_per_token(kind, ids),
                "used": len(used & ours.pieces.keys()) / len(ours.pieces),
                "of_tokens": _share(ids, ours.pieces),
                "unreachable": unreachable(library, ours.pieces, used),
                "english_lost": share_lost(self._library, library, held_out["english"]),
                "reference_lost": share_lost(self._library, library, self._halves.learnt["english"]),
            },
            "violations": violations,
            "documents": documents,
            "specials": changed_specials(self._base, library),
            "ids": [before, after],
            "padded": [-(-before // 64) * 64, -(-after // 64) * 64],
        }

    def rivals(self, kind: str) -> dict[str, dict[str, Any]]:
        most, added, same_size = usual_way(self._base, self._halves.learnt[kind], self._options.tokens)
        fewer = Tokenizer.from_str(self._base.tokenizer_json.decode())
        fewer.add_tokens(as_added(added[:same_size]))
        return {
            "add_tokens": self._rival(kind, most, added),
            "add_tokens, same size": self._rival(kind, fewer, added[:same_size]),
        }

    def _rival(self, kind: str, rival: Tokenizer, added: list[str]) -> dict[str, Any]:
        ids, offsets = encode_fast(rival, self._halves.held_out[kind])
        some = encode(rival, self._halves.held_out[kind][:1000])
        if not np.array_equal(np.concatenate(some), ids[: offsets[len(some)]]):
            raise SystemExit("the fast encoder differs from the library")
        used = set(np.unique(ids).tolist())
        new = {rival.token_to_id(text): text for text in added}
        alone = (number in used or number in _alone(rival, text) for number, text in new.items())
        return {
            "tokens": len(new),
            "bytes_per_token": self._bytes_per_token(kind, ids),
            "used": len(used & new.keys()) / len(new),
            "of_tokens": _share(ids, new),
            "unreachable": len(new) - sum(alone),
            "english_lost": share_lost(self._library, rival, self._halves.held_out["english"]),
        }

    def _bytes_per_token(self, kind: str, ids: npt.NDArray[np.int64]) -> float:
        return sum(len(text.encode()) for text in self._halves.held_out[kind]) / len(ids)

    def _violations(self, checked: list[str], ids: Ids, ours: ChangedTokenizer) -> tuple[int, int]:
        """Documents whose undone ids are not the base's, and how many were looked at."""
        gone = np.array(sorted(ours.replaced), np.int64)
        violations = looked_at = 0
        back = undone(ids, ours.pieces, max(ours.files.vocabulary.values()))
        for old, one in zip(encode(self._library, checked), back, strict=True):
            if not np.isin(old, gone).any():
                looked_at += 1
                violations += not np.array_equal(one, old)
        return violations, looked_at


def _share(ids: npt.NDArray[np.int64], new: Iterable[int]) -> float:
    """Of all tokens in texts, those that are new."""
    return float(np.isin(ids, list(new)).mean())


TOKENIZERS = ("ours", "add_tokens, same size", "add_tokens")
HEAD = """
Of ours / of `add_tokens` with a new BPE of the same size / of `add_tokens` with as many new tokens:

| Tokenizer | Text | Change | New tokens | Bytes per token, before | after | Used | Of tokens | Unreachable \
| English lost | reference lost | Violations | Specials | Ids | Padded |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def row(found: dict[str, Any]) -> str:
    def each(name: str, form: str) -> str:
        return " / ".join(format(found[one][name], form) for one in TOKENIZERS)

    cells = [
        Path(found["tokenizer"]).stem,
        found["text"],
        found["change"],
        each("tokens", ","),
        f"{found['base']['bytes_per_token']:.3f}",
        each("bytes_per_token", ".3f"),
        each("used", ".1%"),
        each("of_tokens", ".1%"),
        each("unreachable", ","),
        each("english_lost", ".3%"),
        f"{found['ours']['reference_lost']:.3%}",
        f"{found['violations']} of {found['documents']:,}",
        str(found["specials"]),
        *(f"{found[name][1] - found[name][0]:+,}" for name in ("ids", "padded")),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("tokenizers", nargs="+")
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=DOMAINS)
    parser.add_argument("--changes", nargs="+", choices=["extend", "replace"], default=["extend", "replace"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    halves = Halves.of(options.data)
    for kind, found in halves.held_out.items():
        size = sum(len(text.encode()) for text in found)
        print(f"{kind}: {len(found):,} held-out documents, {size / 1e6:.1f} MB", flush=True)
    print(HEAD, flush=True)
    results = []
    for name in options.tokenizers:
        path, _, scripts = name.partition("=")
        trial = Trial(load_tokenizer(path), halves, options)
        for kind in options.domains:
            rivals = trial.rivals(kind)
            for change in options.changes:
                named = tuple(filter(None, scripts.split(",")))
                ours = trial.extension(kind) if change == "extend" else trial.replacement(kind, named)
                results.append(ours | rivals)
                print(row(results[-1]), flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
