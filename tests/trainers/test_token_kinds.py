"""What kind of token each id is, in byte-level tokenizers and in those with byte fallback."""

import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer
from trainers.token_kinds import NEVER_IN_UTF8, Kind, token_kinds

TEXTS = ["must and barrel, <div> на бочке"] * 9


def byte_level(*special: str) -> TokenizerFiles:
    return train_tokenizer([pa.array(TEXTS)], TokenizerTraining(vocabulary_size=512, special_tokens=special))


def with_fallback() -> TokenizerFiles:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    special = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(special_tokens=special, initial_alphabet=["«"]))
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = [token for token in definition["added_tokens"] if token["id"] < 2]
    return TokenizerFiles(json.dumps(definition).encode(), "</s>")


def test_every_id_has_a_kind_and_bytes_that_no_text_holds_are_unused() -> None:
    for files in (byte_level("<|reserved_special_token_1|>", "<tool>"), with_fallback()):
        kinds = token_kinds(files)
        assert kinds.keys() == set(files.vocabulary.values())
        of_bytes = [token for token in kinds.values() if token.kind == Kind.BYTE]
        assert len(of_bytes) >= 256 and sum(token.unused for token in of_bytes) == len(NEVER_IN_UTF8)
        assert not any(token.kind == Kind.UNREACHABLE for token in kinds.values())
        assert not any(token.unused for token in kinds.values() if token.kind == Kind.ORDINARY)


def test_special_tokens_are_known_and_those_named_unused() -> None:
    files = byte_level("<|reserved_special_token_1|>", "<tool>", "[unused7]", "<|im_end|>")
    kinds = token_kinds(files)
    special = {
        name: kinds[number] for name, number in files.vocabulary.items() if kinds[number].kind == "special"
    }
    assert {"<tool>", "<|im_end|>", files.end_token} <= special.keys()
    assert {name for name, token in special.items() if token.unused} == {
        "<|reserved_special_token_1|>",
        "[unused7]",
    }


def test_parts_of_characters_and_tokens_that_no_text_gives() -> None:
    files = byte_level()
    definition = json.loads(files.tokenizer_json)
    vocabulary = definition["model"]["vocab"]
    lost = max(files.vocabulary.values()) + 1
    vocabulary["barrelmust"] = lost
    letter = files.vocabulary["Ð"]
    vocabulary["ÐÐ"] = lost + 1
    kinds = token_kinds(TokenizerFiles(json.dumps(definition).encode(), files.end_token))
    assert (kinds[lost].kind, kinds[lost].text) == (Kind.UNREACHABLE, "barrelmust")
    assert kinds[lost + 1].kind == Kind.PARTIAL_UTF8 and kinds[letter].kind == Kind.BYTE


@given(st.sampled_from([byte_level(), with_fallback()]), st.text(max_size=40))
def test_ordinary_is_every_whole_token_that_text_gives(files: TokenizerFiles, text: str) -> None:
    kinds = token_kinds(files)
    ids = Tokenizer.from_str(files.tokenizer_json.decode()).encode(f"must barrel {text}").ids
    assert not any(kinds[number].kind == Kind.UNREACHABLE for number in ids)
