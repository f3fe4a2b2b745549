import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOAD_FROM_HUB = """
import sys
from tokenizer_tools.load import TokenizerError, load_tokenizer
try:
    files = load_tokenizer(sys.argv[1])
    print(files.revision, files.source, files.end_token, files.hash)
except TokenizerError as error:
    print("TokenizerError", error)
"""


@pytest.fixture
def folder(trained, tmp_path):
    trained.save(tmp_path / "model")
    return tmp_path / "model"


def write(folder, name, value):
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def test_a_file_and_a_folder_give_the_same_tokenizer(trained, folder):
    alone = load_tokenizer(folder / "tokenizer.json")
    whole = load_tokenizer(str(folder))
    assert alone.tokenizer_json == whole.tokenizer_json == trained.tokenizer_json
    assert (alone.end_token, whole.end_token) == ("<|endoftext|>", "<|endoftext|>")
    assert (alone.chat_template, whole.chat_template) == (None, trained.chat_template)
    assert (whole.source, whole.revision) == (str(folder), None)


def test_the_end_token_is_the_named_one_then_the_configured_then_the_generated_then_a_known_one(
    folder, trained
):
    write(folder, "generation_config.json", {"eos_token_id": [trained.token_id("<|im_end|>"), 0]})
    write(folder, "tokenizer_config.json", {"eos_token": {"content": "<|pad|>", "lstrip": False}})
    assert load_tokenizer(folder, end_token="<|im_start|>").end_token == "<|im_start|>"
    assert load_tokenizer(folder).end_token == "<|pad|>"
    (folder / "tokenizer_config.json").unlink()
    assert load_tokenizer(folder).end_token == "<|im_end|>"
    (folder / "generation_config.json").unlink()
    assert load_tokenizer(folder).end_token == "<|endoftext|>"


def test_no_end_token_says_how_to_name_one(words, tmp_path):
    words.save(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(TokenizerError, match=r'tokenizer_config.json that names the token: {"eos_token"'):
        load_tokenizer(tmp_path)
    assert load_tokenizer(tmp_path, end_token="[END]").end_token == "[END]"
    with pytest.raises(TokenizerError, match="'none' is not in the vocabulary"):
        load_tokenizer(tmp_path, end_token="none")


def test_roles_that_only_the_map_of_special_tokens_names_are_read(folder):
    write(folder, "tokenizer_config.json", {"model_max_length": 77})
    write(folder, "special_tokens_map.json", {"eos_token": {"content": "<|im_end|>"}, "bos_token": "<|pad|>"})
    loaded = load_tokenizer(folder)
    assert (loaded.end_token, loaded.begin_token) == ("<|im_end|>", "<|pad|>")
    write(folder, "tokenizer_config.json", {"eos_token": "<|endoftext|>", "added_tokens_decoder": {}})
    assert load_tokenizer(folder).end_token == "<|endoftext|>"  # then transformers does not read the map


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chat_template.jinja", "own file"),
        ("chat_template.json", {"chat_template": "own file"}),
        ("tokenizer_config.json", {"chat_template": "own file"}),
        ("tokenizer_config.json", {"chat_template": [{"name": "default", "template": "own file"}]}),
        ("tokenizer_config.json", {"chat_template": {"tools": "no", "default": "own file"}}),
    ],
)
def test_the_chat_template_is_found_wherever_models_keep_it(folder, name, value):
    (folder / "chat_template.jinja").unlink()
    write(folder, name, value)
    assert load_tokenizer(folder).chat_template == "own file"


def test_what_is_saved_is_what_was_loaded_but_for_code_to_be_run(folder, tmp_path):
    config = {
        "auto_map": {"AutoTokenizer": "evil.Tokenizer"},
        "model_max_length": 77,
        "bos_token": "<|im_start|>",
    }
    write(folder, "tokenizer_config.json", config)
    write(folder, "generation_config.json", {"eos_token_id": 0, "temperature": 0.5})
    loaded = load_tokenizer(folder)
    loaded.save(tmp_path / "again")
    again = load_tokenizer(tmp_path / "again")
    assert again.tokenizer_json == loaded.tokenizer_json
    assert (again.end_token, again.begin_token) == ("<|endoftext|>", "<|im_start|>")
    assert again.generation_config == {"eos_token_id": 0, "temperature": 0.5}
    assert again.config["model_max_length"] == 77
    assert "auto_map" not in again.config


def test_a_saved_tokenizer_with_a_begin_token_opens_in_transformers_with_the_same_ids(pieces, tmp_path):
    transformers = pytest.importorskip("transformers")
    pieces.save(tmp_path)
    opened = transformers.AutoTokenizer.from_pretrained(tmp_path)
    expected = Tokenizer.from_str(pieces.tokenizer_json.decode()).encode("juice runs").ids
    assert opened("juice runs")["input_ids"] == expected


def test_a_begin_token_the_vocabulary_lacks_is_none(folder):
    write(folder, "tokenizer_config.json", {"bos_token": "<nowhere>", "pad_token": None})
    loaded = load_tokenizer(folder)
    assert (loaded.begin_token, loaded.pad_token) == (None, None)


def test_what_is_not_a_tokenizer_is_refused_with_a_reason(tmp_path):
    with pytest.raises(TokenizerError, match="no tokenizer at"):
        load_tokenizer(tmp_path / "absent")
    with pytest.raises(TokenizerError, match=r"holds no tokenizer\.json"):
        load_tokenizer(tmp_path)
    for content, reason in (("{", "not valid JSON"), ("[]", "no model"), ('{"model": "BPE"}', "no model")):
        write(tmp_path, "tokenizer.json", content)
        with pytest.raises(TokenizerError, match=reason):
            load_tokenizer(tmp_path)


def test_files_travel_to_workers(trained):
    assert trained.vocabulary
    assert pickle.loads(pickle.dumps(trained)) == trained
    assert replace(trained, source="elsewhere").hash == trained.hash
    with pytest.raises(TokenizerError, match="no token 'absent'"):
        trained.token_id("absent")


def test_the_vocabulary_holds_added_tokens_and_unigram_pieces():
    definition = {
        "model": {"type": "Unigram", "vocab": [["a", 0.0], ["b", -1.0]]},
        "added_tokens": [{"content": "</s>", "id": 9}],
    }
    files = TokenizerFiles(tokenizer_json=json.dumps(definition).encode(), end_token="</s>")
    assert files.vocabulary == {"a": 0, "b": 1, "</s>": 9}


def from_hub(name, cache):
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(cache),
    }
    command = [sys.executable, "-c", LOAD_FROM_HUB, name]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_a_hub_id_is_taken_from_the_cache_when_offline_and_gives_its_commit(trained, tmp_path):
    repository = tmp_path / "models--owner--name"
    trained.save(repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    assert from_hub("owner/name", tmp_path) == f"{COMMIT} owner/name <|endoftext|> {trained.hash}"


def test_a_hub_id_that_is_neither_cached_nor_reachable_says_so(tmp_path):
    said = from_hub("owner/name", tmp_path)
    assert said.startswith("TokenizerError")
    assert "offline" in said
