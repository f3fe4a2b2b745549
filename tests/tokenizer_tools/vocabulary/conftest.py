"""Small tokenizers of each family."""

import json
from dataclasses import replace

import pytest
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from vocabulary_texts import FAMILIES

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.words import WordCounter


@pytest.fixture(scope="session")
def families(trained, pieces) -> dict[str, TokenizerFiles]:
    """By name; `llama` joins pieces across spaces, too, as it was trained on whole texts."""
    definition = json.loads(trained.tokenizer_json)
    definition["model"]["ignore_merges"] = True
    whole_words_first = replace(trained, tokenizer_json=json.dumps(definition).encode())
    made = (trained, whole_words_first, pieces, _gemma(), _unigram())
    return dict(zip(FAMILIES, made, strict=True))


def _gemma() -> TokenizerFiles:
    """Spaces and line breaks are letters; words are found by the model alone."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)],
        limit_alphabet=110,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    definition = json.loads(tokenizer.to_str())
    definition["pre_tokenizer"]["behavior"] = "MergedWithPrevious"
    definition["pre_tokenizer"]["pattern"] = {"String": " "}
    definition["added_tokens"] = [
        token for token in definition["added_tokens"] if token["content"] in special
    ]
    return TokenizerFiles(
        json.dumps(definition).encode(), "<eos>", "<bos>", "<pad>", source="of the Gemma kind"
    )


def _unigram() -> TokenizerFiles:
    """Of the T5 kind; its control tokens are no ordinary pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([*CORPUS, "< / s p a d >"], trainer)
    tokenizer.add_special_tokens(["</s>", "<pad>"])
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = [
        token for token in definition["added_tokens"] if token["content"] != "<unk>"
    ]
    return TokenizerFiles(json.dumps(definition).encode(), "</s>", pad_token="<pad>", source="of the T5 kind")


@pytest.fixture(scope="session")
def counted():
    """Counts the words of documents."""

    def count(base, documents):
        counter = WordCounter(base)
        counter.add(texts(*documents))
        return counter.counts()

    return count
