"""MB of UTF-8 text per CPU second of one thread: parts to ids, against the tokenizers library in one run.

python benchmarks/encoding.py [--tokenizer NAME_OR_PATH | --shape SHAPE] [FILES...]

FILES are .parquet or .arrow (every column of text), .jsonl (every text in its records, .gz too) or plain
text. Without FILES the text is the standard library of the running Python; without a tokenizer one is trained
on a tenth of it, or on all of it one of the shape of Llama 2 or Gemma, of 32,000 tokens (--shape).
Texts are cut into documents of about 4 kB and these into equal portions. One contender after the other
encodes a first portion to warm up and then every other one once, so caches of words help as much as they do
in a corpus, and not more. CPU time is measured, so that other work on the machine matters little. Given are
the median over portions, the slowest and the fastest one, and how many times as fast as the library. The
library's ids must be the Encoder's on every document of every portion.
"""

import argparse
import gzip
import json
import os
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tokenizer_tools.backends import SINGLE_THREAD

os.environ.update(SINGLE_THREAD)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from tokenizer_tools.backends import Fastokens
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.encode import Encoder, begin_id, encoding_definition
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

PORTIONS = 6
DOCUMENT = 4000


def documents(paths: list[Path]) -> list[str]:
    texts = (text for path in paths for text in texts_of(path))
    return [text[start : start + DOCUMENT] for text in texts for start in range(0, len(text), DOCUMENT)]


def texts_of(path: Path) -> Iterator[str]:
    kinds = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if kinds[:1] in ([".parquet"], [".arrow"]):
        table = pq.read_table(path) if kinds == [".parquet"] else pa.ipc.open_stream(content).read_all()
        yield from strings_in(table.to_pylist())
    elif kinds[:1] in ([".jsonl"], [".json"]):
        yield from strings_in([json.loads(line) for line in content.splitlines() if line.strip()])
    else:
        yield content.decode("utf-8", "replace")


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_in(item)


def portions(texts: list[str]) -> list[list[str]]:
    return [texts[number::PORTIONS] for number in range(PORTIONS)]


def tokenizer(name: str | None, shape: str | None, texts: list[str]) -> TokenizerFiles:
    if name is not None:
        return load_tokenizer(name)
    start = time.perf_counter()
    if shape is None:
        files = train_tokenizer([pa.array(texts[::10], pa.large_string())], TokenizerTraining())
    else:
        files = of_sentencepiece(shape, texts)
    print(f"trained {len(files.vocabulary)} tokens in {time.perf_counter() - start:.1f} s")
    return files


def of_sentencepiece(shape: str, texts: list[str]) -> TokenizerFiles:
    """A tokenizer over characters, with tokens for bytes: a space before each text, or not."""
    library = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    replace = normalizers.Replace(" ", "▁")
    library.normalizer = (
        normalizers.Sequence([normalizers.Prepend("▁"), replace]) if shape == "llama2" else replace
    )
    library.pre_tokenizer = pre_tokenizers.Split(Regex("▁*[^▁]+|▁+"), "isolated")
    special = ["<unk>", "<s>", "</s>"]
    names = special + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=32_000, special_tokens=names, limit_alphabet=1000, show_progress=False
    )
    library.train_from_iterator(texts, trainer)
    definition = json.loads(library.to_str())
    definition["added_tokens"] = [
        token for token in definition["added_tokens"] if token["content"] in special
    ]
    between = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    definition["pre_tokenizer"] = None if shape == "llama2" else between
    return TokenizerFiles(tokenizer_json=json.dumps(definition).encode(), end_token="</s>", source=shape)


def size(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def contenders(files: TokenizerFiles) -> dict[str, Callable[[pa.LargeStringArray], np.ndarray]]:
    """Name to a function from texts to the ids of all of them."""
    encoder = Encoder.build(files)
    print(f"Encoder uses {encoder.backend}" + (f": {encoder.refusal}" if encoder.refusal else ""))
    definition = json.dumps(encoding_definition(files))
    library = Tokenizer.from_str(definition)
    library.encode_special_tokens = True

    def batch(encode: Callable) -> Callable[[pa.LargeStringArray], np.ndarray]:
        def ids(texts: pa.LargeStringArray) -> np.ndarray:
            found = encode(texts.to_pylist(), add_special_tokens=False)
            return np.concatenate([np.array(encoding.ids, np.uint32) for encoding in found])

        return ids

    found = {
        "Encoder": lambda texts: encoder.encode(texts).ids,
        "encode_batch": batch(library.encode_batch),
        "encode_batch_fast": batch(library.encode_batch_fast),
    }
    try:
        backend = Fastokens(definition, control_tokens=False)
    except Exception as error:
        print(f"fastokens: {error}")
        return found
    return found | {"fastokens": lambda texts: backend.encode(texts)[0]}


def chat(files: TokenizerFiles) -> dict:
    if files.chat_template is None:
        return {}
    encoder = ChatEncoder.build(files)
    roles = ("user", "assistant")

    def conversations(texts: pa.LargeStringArray) -> None:
        cuts = [
            [text[start : start + 1000] for start in range(0, len(text), 1000)] for text in texts.to_pylist()
        ]
        encoder.encode(
            pa.array([[{"role": roles[i % 2], "content": cut} for i, cut in enumerate(row)] for row in cuts])
        )

    return {f"ChatEncoder ({encoder.backend})": conversations}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("files", nargs="*", type=Path)
    arguments.add_argument("--tokenizer")
    arguments.add_argument("--shape", choices=["llama2", "gemma"])
    given = arguments.parse_args()
    library = Path(sysconfig.get_paths()["stdlib"])
    own = (path for path in library.rglob("*.py") if "site-packages" not in path.parts)
    texts = documents(given.files or sorted(own))
    files = tokenizer(given.tokenizer, given.shape, texts)
    warm_up, *rest = [pa.array(portion, pa.large_string()) for portion in portions(texts)]
    print(f"{size(texts) / 1e6:.1f} MB in {len(texts)} documents, {len(rest)} portions after the first")
    encoders = contenders(files)
    around = begin_id(files), files.token_id(files.end_token)
    talks = chat(files)
    seconds: dict[str, list[float]] = {name: [] for name in encoders | talks}
    megabytes = [size(portion.to_pylist()) / 1e6 for portion in rest]
    right: list[np.ndarray] = []
    for name, encode in (encoders | talks).items():
        encode(warm_up)
        for number, portion in enumerate(rest):
            start = time.process_time()
            ids = encode(portion)
            seconds[name].append(time.process_time() - start)
            if name in encoders:
                ids = ids[(ids != around[0]) & (ids != around[1])]
                right += [ids] if name == "Encoder" else []
                assert np.array_equal(ids, right[number]), f"{name} gives other ids"
    for name, times in seconds.items():
        speeds = [amount / took for amount, took in zip(megabytes, times, strict=True)]
        ratio = sum(seconds["encode_batch"]) / sum(times)
        print(
            f"{name:24} {statistics.median(speeds):7.1f} MB/s   ({min(speeds):.1f} to {max(speeds):.1f})"
            f"   {ratio:.0f} x encode_batch"
        )
    print("same ids in every document")


if __name__ == "__main__":
    main()
