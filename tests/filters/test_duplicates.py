from __future__ import annotations

import itertools
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.candidates import HUBS, WHOLE_BUCKET, candidate_pairs, ends, merged
from filters.duplicates import survivors
from filters.exact import content_hash
from filters.jaccard import verified
from filters.minhash import NO_WORDS, MinHash
from tests.filters.strategies import documents


def vocabulary(seed: int, size: int) -> list[str]:
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("abcdefghij"), 6)) for _ in range(size)]


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


def siphash_2_4_128(data: bytes) -> bytes:
    """The reference algorithm, key zero, one step a line."""
    mask = 2**64 - 1

    def rotate(value: int, bits: int) -> int:
        return (value << bits | value >> (64 - bits)) & mask

    def rounds(v: list[int], number: int) -> None:
        for _ in range(number):
            v[0] = (v[0] + v[1]) & mask
            v[2] = (v[2] + v[3]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[1]) & mask
            v[0] = (v[0] + v[3]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = rotate(v[2], 32)

    v = [0x736F6D6570736575, 0x646F72616E646F6D ^ 0xEE, 0x6C7967656E657261, 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for (block,) in struct.iter_unpack("<Q", padded):
        v[3] ^= block
        rounds(v, 2)
        v[0] ^= block
    v[2] ^= 0xEE
    rounds(v, 4)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(v, 4)
    return struct.pack("<QQ", low, v[0] ^ v[1] ^ v[2] ^ v[3])


@given(documents)
def test_content_hash_is_siphash_of_the_normalised_text(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    lower = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    normalised = " ".join(lower.split())
    assert content_hash(pa.array([text])).to_pylist()[0] == siphash_2_4_128(normalised.encode("utf-32-le"))


def test_content_hash_ignores_case_and_white_space_only() -> None:
    same = content_hash(pa.array(["Привет,  Мир\n", "привет, мир", " ПРИВЕТ,\tмир "])).to_pylist()
    assert len(set(same)) == 1
    different = content_hash(pa.array(["a b", "ab", "a, b", "a 1", "á b", ""])).to_pylist()
    assert len(set(different)) == 6


@given(documents, documents, st.integers(1, 6))
def test_similarity_is_symmetric_and_one_with_itself(a: str, b: str, ngram: int) -> None:
    texts = pa.array([text.encode("utf-8", "replace").decode() for text in (a, b)])
    ab, ba, aa = verified(np.array([0, 1, 0]), np.array([1, 0, 0]), texts, ngram)
    assert ab == ba
    assert 0 <= ab <= 1
    assert aa == (
        0.0
        if MinHash(ngram=ngram).band_keys(MinHash(ngram=ngram).signatures(texts))[0][0].as_py()
        == int(NO_WORDS)
        else 1.0
    )


@pytest.mark.parametrize("ngram", [1, 3, 5])
def test_verified_is_the_jaccard_similarity_of_the_shingle_sets(ngram: int) -> None:
    words = edited_copies(40)
    a, b = map(np.array, zip(*itertools.combinations(range(40), 2), strict=True))
    found = verified(a, b, pa.array([" ".join(w) for w in words]), ngram)
    expected = [jaccard(words[i], words[j], ngram) for i, j in zip(a, b, strict=True)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_signatures_estimate_similarity_as_well_as_datasketch() -> None:
    datasketch = pytest.importorskip("datasketch")
    words = edited_copies(120)
    hasher = MinHash(bands=16, rows=8)
    signatures = np.array(hasher.signatures(pa.array([" ".join(w) for w in words])).to_pylist())
    ours, theirs = [], []
    for at in range(0, len(words), 2):
        truth = jaccard(words[at], words[at + 1], 5)
        peers = [datasketch.MinHash(num_perm=128, seed=7) for _ in range(2)]
        for peer, document in zip(peers, words[at : at + 2], strict=True):
            peer.update_batch([" ".join(shingle).encode() for shingle in shingle_set(document, 5)])
        ours.append((signatures[at] == signatures[at + 1]).mean() - truth)
        theirs.append(peers[0].jaccard(peers[1]) - truth)
    assert np.sqrt(np.mean(np.square(ours))) < 1.15 * np.sqrt(np.mean(np.square(theirs)))


def test_signatures_ignore_case_accents_punctuation_and_white_space() -> None:
    texts = pa.array(["The café, in — Paris: today's ÉLAN vital", "the cafe in paris\ntoday s elan vital"])
    first, second = MinHash().signatures(texts).to_pylist()
    assert first == second


def test_scripts_without_spaces_are_compared_by_character() -> None:
    text = "今天天气很好我们去公园散步然后回家吃饭"
    assert verified(np.array([0]), np.array([1]), pa.array([text, text[:-1] + "酒"]), 5)[0] == pytest.approx(
        14 / 16
    )


def test_short_texts_have_one_shingle_and_texts_without_words_match_nothing() -> None:
    hasher = MinHash()
    texts = pa.array(["one two", "One, two!", "one three", "", "?!", "\u0301"])
    keys = np.array(hasher.band_keys(hasher.signatures(texts)).to_pylist(), dtype=np.uint64)
    assert (keys[0] == keys[1]).all()
    assert (keys[0] != keys[2]).all()
    assert (keys[3:] == NO_WORDS).all()
    assert len(candidate_pairs(keys[:, 0], np.arange(6)).pairs) == 1


def test_signatures_depend_on_text_and_seed_alone() -> None:
    texts = pa.array([" ".join(words) for words in edited_copies(5)], pa.large_string())
    whole = MinHash(seed=3).signatures(texts)
    assert whole == MinHash(seed=3).signatures(pa.chunked_array([texts.slice(0, 3), texts.slice(3)]))
    assert whole.slice(4, 3).to_pylist() == MinHash(seed=3).signatures(texts.slice(4, 3)).to_pylist()
    assert whole != MinHash(seed=4).signatures(texts)
    sliced = MinHash(seed=3).band_keys(whole.slice(4, 3)).to_pylist()
    assert sliced == MinHash(seed=3).band_keys(whole).to_pylist()[4:7]


def test_signatures_of_another_configuration_are_refused() -> None:
    signatures = MinHash(bands=2, rows=3).signatures(pa.array(["a"]))
    with pytest.raises(ValueError, match="Compute them again"):
        MinHash().band_keys(signatures)


@given(st.lists(st.integers(0, 6), max_size=40))
def test_small_buckets_make_all_pairs_once(keys: list[int]) -> None:
    documents = np.arange(len(keys))[::-1] * 3
    pairs = candidate_pairs(np.array(keys, dtype=np.uint64), documents)
    expected = {
        (min(x, y), max(x, y))
        for (i, x), (j, y) in itertools.combinations(enumerate(documents.tolist()), 2)
        if keys[i] == keys[j]
    }
    assert list(zip(*map(np.ndarray.tolist, ends(pairs.pairs)), strict=True)) == sorted(expected)
    assert pairs.bounded == 0


def test_huge_buckets_are_bounded_and_counted() -> None:
    size = 5000
    pairs = candidate_pairs(np.zeros(size, dtype=np.uint64), np.arange(size))
    assert len(pairs.pairs) + pairs.bounded == size * (size - 1) // 2
    assert len(pairs.pairs) < 50 * size
    made = set(zip(*map(np.ndarray.tolist, ends(pairs.pairs)), strict=True))
    assert len(made) == len(pairs.pairs)
    assert all((hub, document) in made for hub in range(HUBS) for document in range(WHOLE_BUCKET, size))


def first_of_each(names: list[int]) -> np.ndarray:
    return np.array([names.index(name) for name in names])


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, np.ndarray]:
    count = draw(st.integers(1, 25))
    index = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(index, index, st.sampled_from([0.5, 0.79, 0.8, 0.9, 1.0])), max_size=40))
    edges = [edge for edge in edges if edge[0] != edge[1]]
    return {
        "rank": np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))),
        "exact_group": first_of_each(draw(st.lists(st.integers(0, count), min_size=count, max_size=count))),
        "a": np.array([edge[0] for edge in edges], dtype=np.int64),
        "b": np.array([edge[1] for edge in edges], dtype=np.int64),
        "similarity": np.array([edge[2] for edge in edges], dtype=np.float64),
        "eligible": np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count))),
    }


@given(graphs())
def test_every_removal_has_evidence_and_every_survivor_a_reason(graph: dict[str, np.ndarray]) -> None:
    threshold = 0.8
    found = survivors(**graph, threshold=threshold)
    group, rank, eligible = graph["exact_group"], graph["rank"], graph["eligible"]
    similarity: dict[tuple[int, int], float] = {}
    for a, b, value in zip(graph["a"], graph["b"], graph["similarity"], strict=True):
        for pair in ((group[a], group[b]), (group[b], group[a])):
            similarity[pair] = max(value, similarity.get(pair, 0.0))

    def reach(a: int, b: int) -> float:
        return 1.0 if group[a] == group[b] else similarity.get((group[a], group[b]), 0.0)

    kept = np.flatnonzero(found.kept)
    for document, method in enumerate(found.method.to_pylist()):
        survivor = int(found.kept_doc[document])
        if not eligible[document]:
            assert not found.kept[document] and survivor == -1 and method is None
        elif found.kept[document]:
            assert survivor == -1 and method is None
            assert all(reach(document, other) < threshold for other in kept if other != document)
        else:
            assert found.kept[survivor]
            assert (rank[survivor], survivor) < (rank[document], document)
            assert reach(document, survivor) == found.similarity[document] >= threshold
            assert method == ("exact" if group[survivor] == group[document] else "minhash")


@given(graphs())
def test_components_connect_equal_and_similar_documents(graph: dict[str, np.ndarray]) -> None:
    networkx = pytest.importorskip("networkx")
    count = len(graph["rank"])
    network = networkx.Graph()
    network.add_nodes_from(range(count))
    for i, j in itertools.combinations(range(count), 2):
        if graph["exact_group"][i] == graph["exact_group"][j]:
            network.add_edge(i, j)
    for a, b, value in zip(graph["a"], graph["b"], graph["similarity"], strict=True):
        if value >= 0.8:
            network.add_edge(int(a), int(b))
    component = survivors(**graph, threshold=0.8).component
    for members in networkx.connected_components(network):
        assert {int(component[member]) for member in members} == {min(members)}


def test_planted_duplicates_are_found() -> None:
    words = edited_copies(400, seed=5)
    texts = pa.array([" ".join(w) for w in words], pa.large_string())
    hasher = MinHash()
    keys = np.array(hasher.band_keys(hasher.signatures(texts)).to_pylist(), dtype=np.uint64)
    bands = [candidate_pairs(keys[:, band], np.arange(len(words))).pairs for band in range(hasher.bands)]
    pairs = np.concatenate(list(merged(bands, 1000)))
    found = pairs[verified(*ends(pairs), texts, 5) >= 0.8]
    found = set(zip(*map(np.ndarray.tolist, ends(found)), strict=True))
    truth = {(at, at + 1) for at in range(0, len(words), 2) if jaccard(words[at], words[at + 1], 5) >= 0.8}
    assert found <= truth
    assert len(found) >= 0.95 * len(truth)
