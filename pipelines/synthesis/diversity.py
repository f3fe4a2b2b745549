"""How varied new texts are, how far they are from what they are about, and how much there is of them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import xxhash

from pipelines.sources.endpoint import Vectors

SAMPLE_WORDS = 100_000
"""Words that are looked at: more text has fewer distinct n-grams a word, so samples of one size compare."""
_WORD = re.compile(r"\w+")


def sample_words(texts: Sequence[str], words: int = SAMPLE_WORDS) -> list[list[str]]:
    """The casefolded words of texts, of as many as have `words` in all; the last one may be cut.

    The texts are taken in an order that is as good as random and depends on them alone.
    """
    left = words
    sample = []
    for text in sorted(texts, key=lambda text: (xxhash.xxh3_64_intdigest(_bytes(text)), text)):
        found = list(islice(_words(text), left))
        if found:
            sample.append(found)
        left -= len(found)
        if not left:
            break
    return sample


def distinct_ngrams(sample: Sequence[Sequence[str]], n: int) -> float | None:
    """Distinct n-grams over all n-grams: 1 where none comes twice; None where there is none.

    "distinct-n" of Li et al. 2016, "A diversity-promoting objective function for neural conversation models".
    No n-gram spans two texts.
    """
    ngrams = [ngram for words in sample for ngram in _ngrams(words, n)]
    return len(set(ngrams)) / len(ngrams) if ngrams else None


def compression_ratio(sample: Sequence[Sequence[str]]) -> float | None:
    """Bytes over compressed bytes of a sample's words: the higher, the more of it is repeated.

    Shaib et al. 2024, "Standardizing the measurement of text diversity", arXiv 2403.00553, found it to say as
    much as costlier measures. By zlib at level 9, which looks back 32 KB.
    """
    data = _bytes("\n".join(" ".join(words) for words in sample))
    return len(data) / len(zlib.compress(data, 9)) if data else None


def embedding_spread(vectors: Vectors) -> float | None:
    """The mean cosine distance of two different texts, from 0 (all mean the same) to about 1.

    Args:
        vectors: Of texts, of length 1: float32, shape (texts, dimensions), as embedders give them.

    Returns:
        None where there are fewer than two. Takes time linear in the texts.
    """
    count = len(vectors)
    if count < 2:
        return None
    total = vectors.sum(axis=0, dtype=np.float64)
    own = np.square(vectors, dtype=np.float64).sum()
    return float(1 - (total @ total - own) / (count * (count - 1)))


def copied_share(text: str, passages: Sequence[str], n: int = 5) -> float:
    """The share of a text's n-grams that stand in the passages: 1 is a copy, 0 says all in other words."""
    known = {ngram for passage in passages for ngram in _ngrams(list(_words(passage)), n)}
    ngrams = list(_ngrams(list(_words(text)), n))
    return sum(ngram in known for ngram in ngrams) / len(ngrams) if ngrams else 0.0


def expansion(new_tokens: int, passage_tokens: int) -> float | None:
    """New tokens for each token that was asked about, as EntiGraph made 455 M of 1.3 M: 350.

    Yang et al. 2024, "Synthetic continued pretraining", arXiv 2409.07431. None where nothing was asked about.
    """
    return new_tokens / passage_tokens if passage_tokens else None


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in _WORD.finditer(text.casefold()))


def _ngrams(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
