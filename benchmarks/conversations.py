"""MB of contents per CPU second of one thread, from conversations in Arrow to ids and mask.

python -m benchmarks.conversations [--tokenizer NAME_OR_PATH] [FILES...]

FILES hold text, by default half of the standard library of the running Python, of which conversations of
two to six turns are made, 200 to 500 characters a turn. They are cut into equal portions. One contender after
the other encodes one to warm up and then every other portion once, so that all conversations are new to it.
`tokenizers` gets the rendered conversations, and gives no mask: it is the reference of the ratio. Given are
medians over portions.
"""

import argparse
import os
import random
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path

from tokenizer_tools.backends import SINGLE_THREAD

os.environ.update(SINGLE_THREAD)

import pyarrow as pa

from tests.chat_templates import MARKED, TEMPLATES
from tokenizer_tools.chat import CHATML_TEMPLATE, ChatEncoder
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from tokenizer_tools.parity import Reference
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

PORTIONS = 6
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
UNMARKED = CHATML_TEMPLATE.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
CASES = {
    "ChatML": CHATML_TEMPLATE,
    "ChatML without marks": UNMARKED,
    "like Qwen3": MARKED["qwen3"],
    "like Qwen3 without marks": TEMPLATES["qwen3"][0],
    "like Llama 3": MARKED["llama3"],
    "like Llama 3 without marks": TEMPLATES["llama3"][0],
}


def conversations(paths: list[Path]) -> list[list[dict[str, str]]]:
    rng, made = random.Random(7), []
    for path in paths:
        text, at = path.read_text(encoding="utf-8", errors="replace"), 0
        while at < len(text):
            roles = ["user", "assistant"] * rng.randint(1, 3)
            messages = [{"role": "system", "content": "Answer briefly."}] * (rng.random() < 0.3)
            for role in roles:
                size = rng.randint(200, 500)
                messages.append({"role": role, "content": text[at : at + size].strip() or "Yes."})
                at += size
            made.append(messages)
    rng.shuffle(made)
    return made


def tokenizer(name: str | None, found: list[list[dict[str, str]]]) -> TokenizerFiles:
    if name is not None:
        return load_tokenizer(name)
    sample = [message["content"] for messages in found[::10] for message in messages]
    control = {token for _, tokens in TEMPLATES.values() for token in tokens.control}
    training = TokenizerTraining(special_tokens=sorted(control - {"<|endoftext|>"}))
    return train_tokenizer([pa.array(sample, pa.large_string())], training)


def contenders(files: TokenizerFiles, template: str) -> dict:
    from transformers import AutoTokenizer

    encoder = ChatEncoder.build(files, template)
    reference = Reference(files.tokenizer_json.decode(), control_tokens=True)
    with tempfile.TemporaryDirectory() as folder:
        files.save(folder)
        opened = AutoTokenizer.from_pretrained(folder)
    opened.chat_template = template

    def transformers(portion: pa.Array) -> None:
        has_marks = "generation" in template.replace("add_generation_prompt", "")
        for messages in portion.slice(0, len(portion) // 20).to_pylist():
            opened.apply_chat_template(messages, return_assistant_tokens_mask=has_marks, return_dict=True)

    return {
        f"ChatEncoder ({encoder.backend})": (encoder.encode, 1),
        "tokenizers, rendered": (reference.encode, 1),
        "transformers": (transformers, 20),
    }, encoder


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("files", nargs="*", type=Path)
    arguments.add_argument("--tokenizer")
    given = arguments.parse_args()
    library = Path(sysconfig.get_paths()["stdlib"])
    own = sorted(path for path in library.rglob("*.py") if "site-packages" not in path.parts)[::2]
    found = conversations(given.files or own)
    files = tokenizer(given.tokenizer, found)
    size = sum(len(message["content"].encode()) for messages in found for message in messages)
    print(f"{size / 1e6:.1f} MB in {len(found)} conversations, {PORTIONS} portions")
    for name, template in CASES.items():
        speeds = measured(files, template, found)
        reference = speeds["tokenizers, rendered"]
        for contender, speed in speeds.items():
            print(f"{name:28} {contender:26} {speed:7.1f} MB/s {speed / reference:6.1f}x")


def measured(files: TokenizerFiles, template: str, found: list) -> dict[str, float]:
    encoders, encoder = contenders(files, template)
    speeds: dict[str, list[float]] = {name: [] for name in encoders}
    portions = [found[number::PORTIONS] for number in range(PORTIONS)]
    rendered = [
        pa.array([encoder.render(messages) for messages in portion], pa.large_string())
        for portion in portions
    ]
    for name, (encode, part) in encoders.items():
        for portion, texts in zip(portions, rendered, strict=True):
            size = sum(len(message["content"].encode()) for messages in portion for message in messages)
            given = texts if name == "tokenizers, rendered" else pa.array(portion, MESSAGES)
            start = time.process_time()
            encode(given)
            speeds[name].append(size / part / (time.process_time() - start) / 1e6)
    return {name: statistics.median(each[1:]) for name, each in speeds.items()}


if __name__ == "__main__":
    main()
