import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import texts
from tokenizers import Tokenizer, models, processors

from tokenizer_tools.backends import Fastokens, Reference
from tokenizer_tools.encode import Encoder, control_tokens, encoding_definition
from tokenizer_tools.load import TokenizerError, TokenizerFiles, load_tokenizer
from tokenizer_tools.parity import HOSTILE_TEXTS, first_difference

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LOOK_ALIKES = st.sampled_from(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>", "<|", "|>", "<"])
HOSTILE = st.lists(st.one_of(ANY_TEXT, LOOK_ALIKES), max_size=6).map("".join)


@pytest.fixture(scope="module")
def encoder(trained):
    encoder = Encoder.build(trained)
    encoder.encode(texts("a"))  # compiles what an encoding needs
    return encoder


@pytest.fixture(scope="module")
def decoder(trained):
    return Tokenizer.from_str(trained.tokenizer_json.decode())


def document(encoded, number):
    return encoded.ids[encoded.offsets[number] : encoded.offsets[number + 1]]


def test_a_tokenizer_of_ours_is_encoded_by_the_fast_backend(encoder):
    assert encoder.backend == "coupage"
    assert encoder.refusal is None


@given(st.lists(HOSTILE, max_size=5))
def test_decoding_gives_the_text_back_and_every_document_ends_once(encoder, decoder, documents):
    encoded = encoder.encode(pa.array(documents, pa.large_string()))
    assert encoded.ids.dtype == np.uint32
    assert encoded.offsets.dtype == np.int64
    assert len(encoded.offsets) == len(documents) + 1
    for number, text in enumerate(documents):
        ids = document(encoded, number).tolist()
        assert ids[-1] == encoder.end_id
        assert decoder.decode(ids[:-1], skip_special_tokens=False) == text
        assert encoder.end_id not in ids[:-1]


@given(HOSTILE)
def test_no_text_becomes_a_control_token(trained, encoder, text):
    ids = document(encoder.encode(texts(text)), 0)[:-1]
    assert not set(ids.tolist()) & set(control_tokens(trained).values())


@settings(max_examples=200)
@given(HOSTILE)
def test_backends_agree_on_any_text(backends, text):
    fast, reference = backends
    assert first_difference(fast, reference, [text]) is None


GPT_2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
KINDS = {
    "as trained": {},
    "composing characters": {"normalizer": {"type": "NFC"}},
    "cutting like GPT-2": {"pre_tokenizer": GPT_2},
}


@pytest.fixture(scope="module", params=KINDS)
def backends(trained, request):
    definition = json.dumps(encoding_definition(trained) | KINDS[request.param])
    return Fastokens(definition, control_tokens=False), Reference(definition, control_tokens=False)


def test_backends_agree_on_all_hostile_texts_at_once(backends):
    assert first_difference(*backends, list(HOSTILE_TEXTS)) is None


def test_the_first_text_that_differs_is_named(backends, pieces):
    other = Reference(pieces.tokenizer_json.decode(), control_tokens=False)
    said = first_difference(backends[0], other, ["", "barrel"])
    assert "'barrel'" in said
    assert "text 1" in said


def test_a_tokenizer_the_fast_backend_cannot_load_goes_to_the_reference(words):
    encoder = Encoder.build(words)
    assert encoder.backend == "tokenizers"
    assert "fastokens" in encoder.refusal
    encoded = encoder.encode(texts("the barrel [END] leaks", ""))
    assert encoder.end_id not in document(encoded, 0)[:-1]
    assert document(encoded, 0)[:2].tolist() == [3, 2]
    assert document(encoded, 1).tolist() == [encoder.end_id]


def test_max_id_is_the_largest_id_even_above_the_vocabulary_size(trained):
    definition = json.loads(trained.tokenizer_json)
    definition["added_tokens"].append(dict(definition["added_tokens"][0], id=70_000, content="<|far|>"))
    files = replace(trained, tokenizer_json=json.dumps(definition).encode())
    assert Encoder.build(files).max_id == 70_000
    assert Encoder.build(trained).max_id == len(trained.vocabulary) - 1


def test_a_tokenizer_that_begins_texts_gives_every_document_its_begin_token_once(pieces):
    encoder = Encoder.build(pieces)
    encoded = encoder.encode(texts("juice", "", "<s></s>"))
    reference = Tokenizer.from_str(pieces.tokenizer_json.decode())
    assert document(encoded, 0).tolist() == [*reference.encode("juice").ids, encoder.end_id]
    assert document(encoded, 1).tolist() == [encoder.begin_id, encoder.end_id]
    assert encoder.begin_id not in document(encoded, 2)[1:]
    assert encoder.end_id not in document(encoded, 2)[:-1]


FAMILIES = (
    ("LlamaTokenizerFast", "llama"),
    ("LlamaTokenizer", "mistral"),
    ("GemmaTokenizerFast", "gemma"),
    ("Qwen2TokenizerFast", "qwen3"),
    ("GPT2TokenizerFast", "gpt2"),
    ("CohereTokenizerFast", "cohere"),
    ("PreTrainedTokenizerFast", "llama"),
    ("TokenizersBackend", "phi"),
)
"""Class of the tokenizer and type of the model beside it."""
POST_PROCESSORS = {"nothing": "$A", "begin": "<s> $A", "end": "$A </s>", "both": "<s> $A </s>"}
FLAGS = (None, False, True)


def write_model_folder(folder, pieces, added, flag, kind, model_type):
    tokenizer = Tokenizer.from_str(pieces.tokenizer_json.decode())
    ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=added, pair=None, special_tokens=ids)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": kind, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if flag is not None:
        config |= {"add_bos_token": flag, "add_eos_token": flag}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: f"add_bos_token {flag}")
@pytest.mark.parametrize("added", POST_PROCESSORS.values(), ids=POST_PROCESSORS)
@pytest.mark.parametrize(("kind", "model_type"), FAMILIES, ids=lambda value: value)
def test_a_document_begins_as_the_saved_tokenizer_begins_it_in_transformers(
    pieces, tmp_path, kind, model_type, added, flag
):
    transformers = pytest.importorskip("transformers")
    write_model_folder(tmp_path / "model", pieces, added, flag, kind, model_type)
    files = load_tokenizer(tmp_path / "model")
    encoder = Encoder.checked(files, "tokenizers")
    ids = document(encoder.encode(texts("juice runs")), 0).tolist()
    assert (ids[0] == files.token_id("<s>")) == added.startswith("<s>")
    assert ids.count(encoder.end_id) == 1

    files.save(tmp_path / "run")
    files.save(tmp_path / "trained")
    shutil.copy(tmp_path / "model/config.json", tmp_path / "trained")
    with_end = [] if added.endswith("</s>") else [encoder.end_id]
    for folder in ("run", "trained"):
        saved = transformers.AutoTokenizer.from_pretrained(tmp_path / folder)
        assert saved("juice runs").input_ids + with_end == ids
    original = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    begin = files.token_id("<s>")
    assert (original("juice runs").input_ids[0] == begin) == (ids[0] == begin)


def test_truncation_padding_and_unmarked_control_tokens_of_the_file_are_ignored(trained, encoder):
    definition = json.loads(trained.tokenizer_json)
    definition["truncation"] = {
        "direction": "Right",
        "max_length": 2,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    definition["padding"] = {
        "strategy": {"Fixed": 64},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "<|pad|>",
    }
    for token in definition["added_tokens"]:
        token["special"] = False
    changed = Encoder.build(replace(trained, tokenizer_json=json.dumps(definition).encode()))
    sample = texts("The press turns slowly <|im_start|>", "<|pad|>", "")
    assert changed.encode(sample).ids.tolist() == encoder.encode(sample).ids.tolist()


def test_an_ordinary_added_token_keeps_its_id(trained):
    definition = json.loads(trained.tokenizer_json)
    think = dict(definition["added_tokens"][0], id=len(trained.vocabulary), content="<think>", special=False)
    definition["added_tokens"].append(think)
    encoder = Encoder.build(replace(trained, tokenizer_json=json.dumps(definition).encode()))
    assert len(trained.vocabulary) in encoder.encode(texts("a <think> b")).ids


def test_a_model_that_holds_its_control_token_as_a_piece_is_refused():
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("</s>", 0.0), ("a", -1.0)], unk_id=0))
    tokenizer.add_special_tokens(["</s>"])
    files = TokenizerFiles(tokenizer_json=tokenizer.to_str().encode(), end_token="</s>", source="unigram")
    with pytest.raises(TokenizerError, match="forge"):
        Encoder.build(files)


def test_a_unigram_model_may_give_its_unknown_token_for_a_control_token_spelled_out():
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("a", -1.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.add_special_tokens(["<unk>", "<stop>"])
    files = TokenizerFiles(tokenizer_json=tokenizer.to_str().encode(), end_token="<stop>", source="unigram")
    ids = Encoder.build(files).encode(texts("a<stop>", "a")).ids
    assert ids.tolist() == [2, 0, 3, 2, 3]


def test_a_document_without_text_is_named_by_its_row(encoder):
    with pytest.raises(TokenizerError, match="Row 1"):
        encoder.encode(pa.array(["a", None], pa.large_string()))


def test_chunked_and_sliced_arrays_are_encoded_as_their_values(encoder):
    whole = texts("one", "two <|im_end|>", "", "three")
    expected = encoder.encode(whole.slice(1))
    for form in (pa.chunked_array([whole.slice(1, 1), whole.slice(2)]), whole.slice(1).cast(pa.string())):
        found = encoder.encode(form)
        assert found.ids.tolist() == expected.ids.tolist()
        assert found.offsets.tolist() == expected.offsets.tolist()
    assert len(encoder.encode(whole.slice(0, 0)).ids) == 0


def test_the_fingerprint_changes_with_the_tokenizer_and_the_end_token(trained, pieces):
    prints = [
        Encoder.build(files).fingerprint for files in (trained, pieces, replace(trained, end_token="<|pad|>"))
    ]
    assert len(set(prints)) == 3
    assert Encoder.build(trained).fingerprint == prints[0]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$"])
def test_a_text_on_which_the_library_breaks_down_has_no_ids_and_the_others_theirs(pattern):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "!": 1}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    reference = Reference(tokenizer.to_str(), control_tokens=False)
    runaway = "a" * 40 + "!"
    ids, offsets = reference.encode(texts("a", runaway, "aa!", runaway, runaway, "!"))
    assert np.diff(offsets).tolist() == [1, 0, 3, 0, 0, 1]
    assert ids.tolist() == [0, 0, 0, 1, 1]
