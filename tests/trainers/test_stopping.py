"""A model that was trained on conversations answers, and stops by itself."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from mixers.ledger import Ledger
from mixers.shards import write_index, write_segments, write_shard_file
from tests.chat_templates import TEMPLATES, make_tokenizer
from tests.trainers.shards_folder import documents, pack, write_shards
from tokenizer_tools.chat import ChatEncoder
from tokenizer_tools.load import TokenizerFiles, load_tokenizer
from trainers.config import Adapter, Optimizer, SmallModel, StageTraining
from trainers.train import train

ANSWERS = {
    "What is in the vat?": "Clear juice.",
    "Who turns the press?": "Two men and a mule.",
    "Where do the barrels lie?": "In the cellar, under the house.",
}
OPEN_THOUGHT = "<think>\n"
"""With it DeepSeek's template ends a prompt, though it leaves the thoughts of answers away."""
LONGEST = 80
"""Most tokens that may be generated: several times the longest answer."""


def chat(question: str, answer: str | None = None) -> list[dict[str, str]]:
    answered = [] if answer is None else [{"role": "assistant", "content": answer}]
    return [{"role": "user", "content": question}, *answered]


def write_chat_shards(folder: Path, tokenizer: Path, times: int = 10) -> Path:
    """The conversations, one a row, again and again."""
    encoder = ChatEncoder.build(load_tokenizer(tokenizer))
    messages = pa.array([chat(*turn) for turn in ANSWERS.items()])
    encoded = encoder.encode(messages)
    assert not encoded.failures
    lengths = np.tile(np.diff(encoded.offsets), times).astype(np.int32)
    count, longest = len(lengths), int(lengths.max())
    folder.mkdir()
    file = write_shard_file(
        folder / "data-00000-of-00001.arrow",
        input_ids=np.tile(encoded.ids, times).astype(np.uint16),
        row_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        seq_lengths=lengths,
        seq_offsets=np.arange(count + 1),
        groups=["chat"] * count,
        assistant_masks=np.tile(encoded.assistant_mask, times),
    )
    segments = {
        "row": pa.array(range(count), pa.int64()),
        "position": pa.array([0] * count, pa.int32()),
        "doc_id": [str(number) for number in range(count)],
        "first_token": pa.array([0] * count, pa.int64()),
        "tokens": pa.array(lengths, pa.int32()),
        "epoch": pa.array([0] * count, pa.int32()),
        "bytes": pa.array(lengths, pa.int64()),
    }
    write_segments(folder, [pa.table(segments)])
    ledger = Ledger(
        unit="tokens",
        sequence_length=longest,
        total=None,
        rows=count,
        tokens=int(lengths.sum()),
        longest_row=longest,
        constraints=(),
        groups=(),
    )
    write_index(
        folder,
        [file],
        tokenizer_hash="none",
        sequence_length=longest,
        seed=0,
        recipe_fingerprint="chats",
        ledger=ledger,
    )
    return folder


TURN_ENDS = {
    "qwen3": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma3": "<end_of_turn>",
    "mistral": "</s>",
    "phi": "<|end|>",
    "deepseek": "<｜end▁of▁sentence｜>",
    "chatml": "<|im_end|>",
    "zephyr": "</s>",
}


def write_tokenizer(folder: Path, family: str, template: str | None = None) -> TokenizerFiles:
    texts = [f"{question} {answer}" for question, answer in ANSWERS.items()]
    return load_tokenizer(make_tokenizer(folder, family, template, texts))


SHAPE = SmallModel(hidden_size=48, layers=2, heads=2, kv_heads=1, intermediate_size=96)
MEMORISE = StageTraining(
    optimizer=Optimizer(lr=1e-2, warmup=5, weight_decay=0.0),
    rows_per_step=3,
    micro_batch_rows=3,
    epochs=9,
    dtype="float32",
    save_every=0,
)


def require_answers(model_folder: Path) -> None:
    """It stops by itself after any prompt, and answers what it was taught."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder)

    def continuation(prompt: str) -> str:
        inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        generated = model.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)[0]
        ids = generated[inputs["input_ids"].shape[1] :]
        assert len(ids) < LONGEST // 2
        return tokenizer.decode(ids, skip_special_tokens=True)

    for question, answer in ANSWERS.items():
        prompt = tokenizer.apply_chat_template(chat(question), add_generation_prompt=True, tokenize=False)
        said = continuation(prompt)
        if prompt.endswith(OPEN_THOUGHT):
            said = continuation(prompt.removesuffix(OPEN_THOUGHT))
        assert said.replace("<think>", "").replace("</think>", "").strip() == answer


def stops(model_folder: Path) -> list[int]:
    said = json.loads((model_folder / "generation_config.json").read_text())["eos_token_id"]
    return said if isinstance(said, list) else [said]


@pytest.fixture(scope="module")
def chatml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chatml") / "tokenizer"
    write_tokenizer(folder, "chatml")
    return folder


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory, chatml: Path) -> Path:
    folder = tmp_path_factory.mktemp("talking")
    shards = write_chat_shards(folder / "shards", chatml)
    return train(shards, MEMORISE, SHAPE, folder / "model", chatml).output


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_model_trained_on_chats_stops_at_the_end_of_its_turn(family: str, tmp_path: Path) -> None:
    files = write_tokenizer(tmp_path / "tokenizer", family)
    shards = write_chat_shards(tmp_path / "shards", tmp_path / "tokenizer")
    model = train(shards, MEMORISE, SHAPE, tmp_path / "model", tmp_path / "tokenizer").output
    require_answers(model)
    assert set(stops(model)) == {files.token_id(files.end_token), files.token_id(TURN_ENDS[family])}


@pytest.mark.parametrize("adapter", [None, Adapter(rank=2)], ids=["whole", "merged adapter"])
def test_a_later_stage_without_chats_keeps_the_stops(
    talking: Path, chatml: Path, tmp_path: Path, adapter: Adapter | None
) -> None:
    text = write_shards(tmp_path / "text", pack(documents(6, seed=4, longest=16)))
    small_step = StageTraining(
        optimizer=Optimizer(lr=1e-9), max_steps=1, save_every=1, dtype="float32", adapter=adapter
    )
    after = train(text, small_step, talking, tmp_path / "after", chatml).output
    require_answers(after)
    assert stops(after) == stops(talking)


def test_text_alone_teaches_no_end_of_turn(chatml: Path, tmp_path: Path) -> None:
    text = write_shards(tmp_path / "text", pack(documents(6, seed=4, longest=16)))
    output = train(
        text, StageTraining(max_steps=1, dtype="float32"), SHAPE, tmp_path / "model", chatml
    ).output
    assert stops(output) == [load_tokenizer(chatml).token_id("<|endoftext|>")]


def test_answers_that_end_with_no_control_token_are_warned_of(
    chatml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}{% endfor %}"
    write_tokenizer(tmp_path / "tokenizer", "chatml", plain)
    for name, folder in (("plain", tmp_path / "tokenizer"), ("chatml", chatml)):
        shards = write_chat_shards(tmp_path / f"{name}-shards", folder, times=1)
        train(shards, MEMORISE.model_copy(update={"epochs": 1}), SHAPE, tmp_path / name, folder)
        said = " ".join(capsys.readouterr().err.split())
        assert ("will not stop by itself" in said) == (name == "plain")
