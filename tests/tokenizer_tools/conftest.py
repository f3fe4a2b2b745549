import json

import pytest
from hypothesis import settings
from small_corpus import CORPUS, texts
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.train import TokenizerTraining, train_tokenizer

# The first call of a kernel compiles it, so no deadline can be set.
settings.register_profile("tokenizers", deadline=None)
settings.load_profile("tokenizers")


@pytest.fixture(scope="session")
def trained() -> TokenizerFiles:
    return train_tokenizer([texts(*CORPUS)], TokenizerTraining(vocabulary_size=900))


@pytest.fixture(scope="session")
def pieces() -> TokenizerFiles:
    """A tokenizer of the Llama 2 kind: pieces with byte fallback; begins each text with <s>."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"]
    letters = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)],
        limit_alphabet=100,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, letters)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = [
        token for token in definition["added_tokens"] if token["content"] in special
    ]
    return TokenizerFiles(
        tokenizer_json=json.dumps(definition).encode(), end_token="</s>", begin_token="<s>", source="pieces"
    )


@pytest.fixture(scope="session")
def words() -> TokenizerFiles:
    """A tokenizer with a word for a token, which knows few of them."""
    vocab = {"[UNK]": 0, "[END]": 1, "barrel": 2, "the": 3}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[END]"])
    return TokenizerFiles(tokenizer_json=tokenizer.to_str().encode(), end_token="[END]", source="words")
