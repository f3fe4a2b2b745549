import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer

from tokenizer_tools.load import TokenizerError, load_tokenizer
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

RUN = """
import random, pyarrow as pa
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
letters = random.Random(5)
words = ["".join(letters.choices("abcdeёжз漢 字", k=letters.randint(1, 9))) for _ in range(3000)]
documents = [" ".join(letters.choices(words, k=50)) for _ in range(200)]
arrays = [pa.array(documents[:70], pa.large_string()), pa.array(documents[70:], pa.large_string())]
print(train_tokenizer(arrays, TokenizerTraining(vocabulary_size=1200)).hash)
"""


def test_the_same_texts_give_the_same_bytes_whatever_the_threads_and_hash_seeds():
    root = Path(__file__).parents[2]
    found = set()
    for seed, threads, parallel in (
        ("0", "1", "false"),
        ("1", "2", "true"),
        ("2", "7", "true"),
        ("3", "3", "true"),
    ):
        environment = os.environ | {
            "PYTHONPATH": str(root),
            "PYTHONHASHSEED": seed,
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": parallel,
        }
        command = [sys.executable, "-c", RUN]
        found.add(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    assert len(found) == 1


def test_how_the_texts_are_split_into_arrays_does_not_matter():
    config = TokenizerTraining(vocabulary_size=600)
    whole = train_tokenizer([texts(*CORPUS)], config)
    parts = train_tokenizer((texts(text) for text in CORPUS), config)
    assert whole.tokenizer_json == parts.tokenizer_json


def test_digits_stay_single_and_marks_stay_in_their_words():
    corpus = ["1987 1987 1987 12345 12345 रस साफ़ रस साफ़ it's it's"] * 10
    files = train_tokenizer([texts(*corpus)], TokenizerTraining(vocabulary_size=600))
    tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
    assert tokenizer.encode("1987").tokens == list("1987")
    assert len(tokenizer.encode(" साफ़").ids) == 1
    assert tokenizer.encode("it's").tokens == ["it", "'s"]


def test_spelled_control_tokens_in_the_corpus_are_text():
    corpus = ["<|endoftext|> <|im_start|>user"] * 100
    files = train_tokenizer([texts(*corpus)], TokenizerTraining(vocabulary_size=600))
    tokenizer = Tokenizer.from_str(files.tokenizer_json.decode())
    tokenizer.encode_special_tokens = True
    assert len(tokenizer.encode("<|endoftext|>").ids) > 1


def test_the_saved_folder_opens_in_transformers_with_its_roles_and_template(trained, tmp_path):
    transformers = pytest.importorskip("transformers")
    trained.save(tmp_path)
    opened = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (opened.eos_token, opened.pad_token, opened.bos_token) == ("<|endoftext|>", "<|pad|>", None)
    ours = Tokenizer.from_str(trained.tokenizer_json.decode())
    for text in CORPUS[:5]:
        assert opened(text)["input_ids"] == ours.encode(text).ids
        assert opened.decode(opened(text)["input_ids"]) == text
    assert opened.chat_template == trained.chat_template
    again = load_tokenizer(tmp_path)
    assert (again.hash, again.end_token, again.pad_token) == (trained.hash, "<|endoftext|>", "<|pad|>")


def test_without_chatml_tokens_there_is_no_chat_template():
    files = train_tokenizer([texts("abc abc")], TokenizerTraining(vocabulary_size=512, special_tokens=()))
    assert files.chat_template is None
    assert files.end_token in files.vocabulary


def test_no_text_is_an_error_and_nulls_are_no_text():
    with pytest.raises(TokenizerError, match="no text"):
        train_tokenizer([], TokenizerTraining())
    with pytest.raises(TokenizerError, match="no text"):
        train_tokenizer([pa.array([None], pa.large_string())], TokenizerTraining())
