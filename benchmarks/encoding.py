"""MB of UTF-8 text per CPU second of one thread, for each backend, on text none of them has seen before.

python benchmarks/encoding.py [--tokenizer NAME_OR_PATH] [FILES...]

Without FILES the text is the standard library of the running Python; without a tokenizer one is trained on a
tenth of it. The text is cut into documents of about 4 kB and the documents into equal portions. After a first
portion to warm up, each backend encodes every portion once, so caches of words help as much as they do in a
corpus, and not more. CPU time is measured, so that other work on the machine matters little. Given are the
median over portions, the slowest and the fastest one.
"""

import argparse
import os
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path

from tokenizer_tools.backends import SINGLE_THREAD

os.environ.update(SINGLE_THREAD)

import numpy as np
import pyarrow as pa

from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.encode import Encoder
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.parity import Reference
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

PORTIONS = 6
DOCUMENT = 4000


def documents(paths: list[Path]) -> list[str]:
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    return [text[start : start + DOCUMENT] for text in texts for start in range(0, len(text), DOCUMENT)]


def portions(texts: list[str]) -> list[list[str]]:
    return [texts[number::PORTIONS] for number in range(PORTIONS)]


def tokenizer(name: str | None, texts: list[str]) -> TokenizerFiles:
    if name is not None:
        return load_tokenizer(name)
    start = time.perf_counter()
    sample = texts[::10]
    files = train_tokenizer([pa.array(sample, pa.large_string())], TokenizerTraining())
    seconds = time.perf_counter() - start
    print(f"trained {len(files.vocabulary)} tokens on {size(sample) / 1e6:.1f} MB in {seconds:.1f} s")
    return files


def size(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def contenders(files: TokenizerFiles) -> dict:
    """Name to a function from a list of texts to the ids of the first."""
    from transformers import AutoTokenizer

    encoder = Encoder.build(files)
    print(f"Encoder uses {encoder.backend}" + (f": {encoder.refusal}" if encoder.refusal else ""))
    reference = Reference(files.tokenizer_json.decode(), control_tokens=False)
    with tempfile.TemporaryDirectory() as folder:
        files.save(folder)
        opened = AutoTokenizer.from_pretrained(folder, split_special_tokens=True)

    def ours(texts: list[str]) -> list[int]:
        encoded = encoder.encode(pa.array(texts, pa.large_string()))
        return encoded.ids[: encoded.offsets[1] - 1].tolist()

    def library(texts: list[str]) -> list[int]:
        ids, offsets = reference.encode(texts)
        return ids[: offsets[1]].tolist()

    def transformers(texts: list[str]) -> list[int]:
        return opened(texts, add_special_tokens=False)["input_ids"][0]

    return {"Encoder": ours, "tokenizers": library, "transformers": transformers} | gigatoken(files)


def gigatoken(files: TokenizerFiles) -> dict:
    try:
        from gigatoken import Tokenizer
    except ImportError:
        return {}
    other = Tokenizer.from_json(files.tokenizer_json.decode())
    return {"gigatoken": lambda texts: np.asarray(other.encode_batch(texts, parallel=False)[0]).tolist()}


def chat(files: TokenizerFiles) -> dict:
    if files.chat_template is None:
        return {}
    encoder = ChatEncoder.build(files)
    roles = ("user", "assistant")

    def conversations(texts: list[str]) -> None:
        cuts = [[text[start : start + 1000] for start in range(0, len(text), 1000)] for text in texts]
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
    given = arguments.parse_args()
    library = Path(sysconfig.get_paths()["stdlib"])
    own = (path for path in library.rglob("*.py") if "site-packages" not in path.parts)
    texts = documents(given.files or sorted(own))
    files = tokenizer(given.tokenizer, texts)
    warm_up, *rest = portions(texts)
    print(f"{size(texts) / 1e6:.1f} MB in {len(texts)} documents, {len(rest)} portions after the first")
    encoders = contenders(files)
    expected = encoders["tokenizers"](warm_up)
    for name, encode in encoders.items():
        print(f"{name:24} {'same ids' if encode(warm_up) == expected else 'OTHER IDS'} as tokenizers")
    encoders |= chat(files)
    speeds: dict[str, list[float]] = {name: [] for name in encoders}
    for portion in rest:
        for name, encode in encoders.items():
            start = time.process_time()
            encode(portion)
            speeds[name].append(size(portion) / (time.process_time() - start) / 1e6)
    for name, found in speeds.items():
        print(f"{name:24} {statistics.median(found):7.1f} MB/s   ({min(found):.1f} to {max(found):.1f})")


if __name__ == "__main__":
    main()
