"""Extending a tokenizer's vocabulary for a domain or a language."""

from collections.abc import Iterable

import pyarrow as pa

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.change import change_vocabulary
from tokenizer_tools.vocabulary.changed import ChangedTokenizer
from tokenizer_tools.vocabulary.config import VocabularyExtension
from tokenizer_tools.vocabulary.words import WordCounter


def extend_tokenizer(
    base: TokenizerFiles, texts: Iterable[pa.Array], config: VocabularyExtension
) -> ChangedTokenizer:
    """Add the tokens that shorten `texts` most. Their order does not matter.

    Raises:
        TokenizerError: The tokenizer is of another kind, nothing can be learnt, or the gate does not hold.
    """
    counter = WordCounter(base)
    for array in texts:
        counter.add(array)
    return change_vocabulary(base, counter.counts(), extension=config, replacement=None)
