"""Slow, obvious references of near-duplicate detection, and documents that are similar to a known degree."""

import unicodedata

import numpy as np
import pyarrow as pa

from filters.dedup.candidates import candidate_pairs, ends, merged
from filters.dedup.minhash import MinHash
from filters.text.folding import DROPPED, IDEOGRAPH, SEPARATOR, word_folding


def vocabulary(seed: int, size: int) -> list[str]:
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("abcdefghij"), 6)) for _ in range(size)]


def folded_words(text: str) -> list[str]:
    """The words that are compared, by the table of folded characters and Python strings."""
    table = word_folding()
    words, word = [], ""
    for character in text:
        point = int(table[ord(character)])
        if point == DROPPED:
            continue
        if point == SEPARATOR or point & IDEOGRAPH:
            words.append(word)
            word = ""
        if point & IDEOGRAPH:
            words.append(chr(point & ~IDEOGRAPH))
        elif point != SEPARATOR:
            word += chr(point)
    return [word for word in (*words, word) if word]


def plain_words(text: str) -> list[str]:
    """The same without that table, for texts in scripts with spaces."""
    visible = (c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    plain = (unicodedata.normalize("NFKD", c).lower()[0] if c.isalnum() else " " for c in visible)
    return "".join(plain).split()


def shingle_set(words: list[str], ngram: int) -> set[tuple[str, ...]]:
    size = min(ngram, len(words))
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)} if words else set()


def jaccard(a: list[str], b: list[str], ngram: int) -> float:
    first, second = shingle_set(a, ngram), shingle_set(b, ngram)
    return len(first & second) / len(first | second) if first | second else 0.0


def edited_copies(count: int, seed: int = 0) -> list[list[str]]:
    """Documents in pairs, the second of each with some words replaced."""
    generator = np.random.default_rng(seed)
    pool = vocabulary(seed, 5000)
    found = []
    for _ in range(count):
        words = [pool[index] for index in generator.integers(0, len(pool), 300)]
        copy = list(words)
        for at in generator.integers(0, 300, generator.integers(0, 25)):
            copy[at] = pool[generator.integers(0, len(pool))]
        found += [words, copy]
    return found


def pairs_of_similarity(similarity: float, count: int, seed: int) -> list[list[str]]:
    """Documents in pairs that begin alike and go on differently, of about this similarity."""
    generator = np.random.default_rng(seed)
    shared = round(160 * 2 * similarity / (1 + similarity)) + 4
    found = []
    for _ in range(count):
        numbers = generator.choice(10**9, 2 * 164 - shared, replace=False)
        words = [f"w{number}" for number in numbers]
        found += [words[:164], words[:shared] + words[164:]]
    return found


def joined(documents: list[list[str]]) -> pa.LargeStringArray:
    return pa.array([" ".join(words) for words in documents], pa.large_string())


def band_matrix(hasher: MinHash, texts: pa.Array) -> np.ndarray:
    """The band keys: uint64 of shape (documents, bands)."""
    return hasher.band_keys(hasher.signatures(texts)).flatten().to_numpy().reshape(-1, hasher.bands)


def all_candidates(hasher: MinHash, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the candidate pairs of all bands."""
    keys = band_matrix(hasher, texts)
    bands = [candidate_pairs(keys[:, band], np.arange(len(keys))).pairs for band in range(hasher.bands)]
    return ends(np.concatenate(list(merged(bands, 1000))))
