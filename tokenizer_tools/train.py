"""Training a tokenizer on a corpus: byte-level BPE, the same bytes from the same texts."""

import itertools
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tokenizer_tools.chat import CHATML_TEMPLATE, CHATML_TOKENS
from tokenizer_tools.load import TokenizerError, TokenizerFiles

VERSION = 1
"""To be raised when the same texts give another tokenizer."""

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"  # English contractions
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"  # a word of any script with its marks, and the character before it
    r"|\p{N}"  # every digit alone
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"  # punctuation
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"  # white space
)
"""How text is cut before merging, as in Qwen3.5: GPT-4's pattern with single digits and with combining marks
kept in their words (without \\p{M} every vowel sign of Hindi or Thai ends a word)."""


class TokenizerTraining(BaseModel):
    """How to train a tokenizer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary_size: int = Field(
        default=32768,
        ge=512,
        description="Tokens in all, special ones included; fewer where the corpus is too small.",
    )
    end_token: str = Field(default="<|endoftext|>", description="Ends every document.")
    pad_token: str = Field(default="<|pad|>", description="Fills batches; never trained on.")
    special_tokens: tuple[str, ...] = Field(
        default=CHATML_TOKENS,
        description="Further control tokens. With ChatML's two among them, ChatML becomes the chat template.",
    )


def train_tokenizer(texts: Iterable[pa.Array], config: TokenizerTraining) -> TokenizerFiles:
    """Train a byte-level BPE tokenizer (tokenizers' BpeTrainer) on arrays of texts.

    The result depends on the texts and the config alone: neither on threads nor on hash seeds. A pair seen
    once is not merged. Control tokens that texts spell out are cut like punctuation, so no merge makes one.

    Raises:
        TokenizerError: There is no text.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary_size,
        min_frequency=2,
        special_tokens=list(dict.fromkeys([config.end_token, config.pad_token, *config.special_tokens])),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_batches(texts), trainer)
    has_chatml = set(CHATML_TOKENS) <= set(config.special_tokens)
    return TokenizerFiles(
        tokenizer_json=tokenizer.to_str(pretty=True).encode(),
        end_token=config.end_token,
        pad_token=config.pad_token,
        chat_template=CHATML_TEMPLATE if has_chatml else None,
        source="trained",
    )


def _batches(texts: Iterable[pa.Array]) -> Iterator[list[str]]:
    batches = (array.drop_null().to_pylist() for array in texts)
    full = (batch for batch in batches if batch)
    first = next(full, None)
    if first is None:
        raise TokenizerError("There is no text to train a tokenizer on. Give it at least one document.")
    yield from itertools.chain([first], full)
