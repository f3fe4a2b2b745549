import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tokenizer_tools.load import TokenizerFiles


@pytest.fixture(scope="session")
def by_bytes() -> TokenizerFiles:
    """A byte-level tokenizer with two merges: `ab`, and a space with an `a`."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*letters, "ab", "Ġa", "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocab, [("a", "b"), ("Ġ", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return TokenizerFiles(
        tokenizer_json=tokenizer.to_str().encode(), end_token="<|endoftext|>", source="by_bytes"
    )
