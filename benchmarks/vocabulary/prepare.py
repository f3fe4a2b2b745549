"""The tokenizers of the experiment, and its texts in each of them.

    python -m benchmarks.vocabulary.prepare DATA FOLDER [--size small|medium]

DATA is a folder of `benchmarks.vocabulary.data` with `russian`, `english`, `technical` (English, too) and
`other` (scripts that nobody needs: their tokens are what `replace` may take). FOLDER is what
`benchmarks.vocabulary.models` trains on: on the machine with the GPU no tokenizer is changed or run.

The base tokenizer learns from text of which Russian is a small part, so it cuts Russian words into many
pieces. It is extended, or tokens in it are replaced, from the Russian texts that are then trained on;
held-out works reach neither.
"""

import argparse
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.vocabulary.data import dealt, stretches, texts
from benchmarks.vocabulary.sizes import ENGLISH, OTHER, RUSSIAN, SIZES, Size
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.config import VocabularyExtension, VocabularyReplacement
from tokenizer_tools.vocabulary.words import WordCounter, WordCounts

SHARES = {
    ENGLISH: {"base": 0.8, "domain": 0.14, "held out": 0.03, "tuning": 0.03},
    RUSSIAN: {"base": 0.25, "domain": 0.59, "held out": 0.08, "tuning": 0.08},
    OTHER: {"base": 1.0},
}
"""Of the works of a language: what the base trains on, what its domain and the replay in it are, and what
models are judged by."""
SCRIPTS = ("Han", "Hangul", "Hiragana", "Katakana")
"""Whose tokens `replace` may take."""
VOCABULARY_TEXT = {ENGLISH: 4_000_000, OTHER: 1_000_000, RUSSIAN: 40_000}
"""Bytes that the base tokenizer learns from."""

Texts = dict[tuple[str, str], list[str]]
"""By what they are for and their language, in documents that a row has room for."""


def read(data: Path, size: Size) -> Texts:
    kinds = {ENGLISH: ("english", "technical"), RUSSIAN: ("russian",), OTHER: ("other",)}
    found = {}
    for language, shares in SHARES.items():
        for use, whole in dealt(texts(data, *kinds[language]), shares).items():
            cut = [part for text in whole for part in stretches(text, size.document_bytes) if part.strip()]
            found[use, language] = _sample(cut, size.held_out_bytes) if use in ("held out", "tuning") else cut
    return found


def _sample(found: list[str], size: int) -> list[str]:
    """Texts from everywhere, of about so many bytes together."""
    shuffled = random.Random(1).sample(found, len(found))
    ends = np.cumsum([len(text.encode()) for text in shuffled])
    return shuffled[: int(np.searchsorted(ends, size)) + 1]


def tokenizers(found: Texts, size: Size) -> dict[str, TokenizerFiles]:
    """The base tokenizer, and what an extension and a replacement make of it."""
    learnt = [
        text
        for language, wanted in VOCABULARY_TEXT.items()
        for text in _sample(found["base", language], wanted)
    ]
    base = train_tokenizer([_array(learnt)], TokenizerTraining(vocabulary_size=size.vocabulary))
    words, replay = (_words(base, found["domain", language]) for language in (RUSSIAN, ENGLISH))
    extension = VocabularyExtension(tokens=size.new_tokens)
    replacement = VocabularyReplacement(tokens=size.new_tokens, scripts=SCRIPTS)
    extended = change_vocabulary(base, words, extension=extension, replacement=None)
    replaced = change_vocabulary(base, words, extension=None, replacement=replacement, reference=replay)
    return {"base": base, "extended": extended.files, "replaced": replaced.files}


def _words(base: TokenizerFiles, found: list[str]) -> WordCounts:
    counter = WordCounter(base)
    counter.add(_array(found))
    return counter.counts()


def _array(found: Iterable[str]) -> pa.LargeStringArray:
    return pa.array(found, pa.large_string())


def documents(encoder: Encoder, found: list[str]) -> pa.Table:
    """Ids and bytes of documents. Each begins and ends with the end token, so that every token of its text is
    predicted, and bits per byte are plain perplexity."""
    encoded = encoder.encode(_array(found))
    ids = [
        np.concatenate([[encoder.end_id], part]).astype(np.int32)
        for part in np.split(encoded.ids, encoded.offsets[1:-1])
    ]
    return pa.table({"ids": ids, "bytes": [len(text.encode()) for text in found]})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=list(SIZES), default="small")
    options = parser.parse_args()
    size = SIZES[options.size]
    found = read(options.data, size)
    for name, files in tokenizers(found, size).items():
        files.save(options.folder / "tokenizers" / name)
        encoder = Encoder.build(files)
        for (use, language), of_use in found.items():
            if use == "base" and name != "base":
                continue
            table = documents(encoder, of_use)
            folder = options.folder / "documents" / name / use
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / f"{language}.parquet", compression="zstd")
            size_of = sum(table["bytes"].to_pylist())
            tokens = len(table["ids"].combine_chunks().values)
            print(
                f"{name:<9} {use:<9} {language:<8} {len(table):>7,} documents, {size_of / 1e6:6.2f} MB,"
                f" {size_of / tokens:.2f} bytes per token",
                flush=True,
            )
    (options.folder / "size").write_text(options.size)


if __name__ == "__main__":
    main()
