from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.dedup.exact import content_hash, first_equal
from tests.filters.strategies import documents


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


@given(st.lists(st.binary(max_size=3)), st.integers(0, 3))
def test_first_equal_is_the_lowest_index_of_the_same_value(values: list[bytes], start: int) -> None:
    values = values[start:]
    expected = [values.index(value) for value in values]
    for type_ in (pa.binary(), pa.large_binary()):
        sliced = pa.array([b"x"] * start + values, type_).slice(start)
        assert first_equal(sliced).tolist() == expected


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.binary(2)])
def test_first_equal_of_any_kind_of_value(type_: pa.DataType) -> None:
    assert first_equal(pa.array(["ab", "cd", "ab", "AB", "cd"], type_)).tolist() == [0, 1, 0, 3, 1]


def test_first_equal_of_many_values() -> None:
    numbers = np.random.default_rng(1).integers(0, 40_000, 100_000)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    assert np.array_equal(first_equal(pa.array(numbers).cast(pa.string())), first[inverse])
