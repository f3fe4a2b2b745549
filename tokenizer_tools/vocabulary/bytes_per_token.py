"""How many bytes of text a token stands for, measured on counted words."""

import numpy as np
import pyarrow.compute as pc

from tokenizer_tools.load import TokenizerFiles
from tokenizer_tools.vocabulary.family import SPACE, Family
from tokenizer_tools.vocabulary.words import WordCounts


def bytes_per_token(files: TokenizerFiles, words: WordCounts) -> float:
    """UTF-8 bytes of all words for each token of theirs; a space counts as one byte however it is written."""
    family = Family(files)
    sizes = pc.binary_length(words.words)
    if not family.is_byte_level:
        spaces = pc.count_substring(words.words, SPACE)
        sizes = pc.subtract(sizes, pc.multiply(spaces.cast(sizes.type), len(SPACE.encode()) - 1))
    tokens = np.diff(family.segment(words.words).offsets) @ words.counts
    return float(sizes.to_numpy(zero_copy_only=False) @ words.counts / tokens)
