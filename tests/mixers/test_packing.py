import numpy as np
import pytest
from corpora import web_lengths
from hypothesis import given
from hypothesis import strategies as st

from mixers.packing import pack as pack_groups

documents = st.lists(st.integers(1, 200), max_size=300)


def pack(lengths, sequence_length):
    """One group of all documents."""
    return pack_groups([np.arange(len(lengths))], np.asarray(lengths, np.int32), sequence_length)


def packs_of(packing):
    """Each pack as a list of (document, first token, tokens)."""
    pieces = list(zip(packing.document, packing.first_token, packing.tokens, strict=True))
    return [pieces[a:b] for a, b in zip(packing.offsets[:-1], packing.offsets[1:], strict=True)]


@given(documents, st.integers(2, 130))
def test_every_token_is_in_exactly_one_row_and_only_long_documents_are_cut(lengths, sequence_length):
    packs = packs_of(pack(lengths, sequence_length))
    covered = {document: [] for document in range(len(lengths))}
    for pieces in packs:
        assert 0 < sum(tokens for _, _, tokens in pieces) <= sequence_length
        for document, first_token, tokens in pieces:
            covered[document].append((first_token, tokens))
    for document, length in enumerate(lengths):
        pieces = sorted(covered[document])
        full, tail = divmod(length, sequence_length)
        expected = [sequence_length] * full + [tail] * (tail > 0)
        assert [tokens for _, tokens in pieces] == expected
        assert [first for first, _ in pieces] == [i * sequence_length for i in range(len(expected))]


@given(documents, st.integers(2, 130))
def test_a_row_is_closed_only_when_nothing_that_waits_would_fit(lengths, sequence_length):
    packs = packs_of(pack(lengths, sequence_length))
    for number, pieces in enumerate(packs):
        room = sequence_length - sum(tokens for _, _, tokens in pieces)
        later = [tokens for other in packs[number + 1 :] for _, _, tokens in other]
        assert not later or min(later) > room


def pack_slowly(lengths, sequence_length):
    """The rows that the module's docstring describes, as lists of piece lengths, from plain lists."""

    def longest_within(room):
        return max((length for length in waiting if length <= room), default=0)

    def next_length(room):
        longest = longest_within(room)
        if longest == 0 or longest_within(room - longest):
            return longest
        shorter = sorted({length for length in waiting if length < longest}, reverse=True)[:16]
        return min([longest, *shorter], key=lambda first: room - first - longest_within(room - first))

    rows = [[sequence_length] for length in lengths for _ in range((length - 1) // sequence_length)]
    waiting = [(length - 1) % sequence_length + 1 for length in lengths]
    while waiting:
        row = [waiting[0]]
        waiting.remove(row[0])
        while following := next_length(sequence_length - sum(row)):
            row.append(following)
            waiting.remove(following)
        rows.append(row)
    return rows


@given(documents, st.integers(2, 130))
def test_rows_are_those_of_the_slow_reference(lengths, sequence_length):
    packs = packs_of(pack(lengths, sequence_length))
    rows = [[int(tokens) for _, _, tokens in pieces] for pieces in packs]
    assert sorted(rows) == sorted(pack_slowly(lengths, sequence_length))


@pytest.mark.parametrize("sequence_length", [2048, 4096, 8192])
def test_web_like_lengths_fill_at_least_99_5_percent(sequence_length):
    lengths = web_lengths(200_000)
    packing = pack(lengths, sequence_length)
    assert lengths.sum() / (len(packing) * sequence_length) >= 0.995


def test_no_document_waits_longer_than_the_window():
    lengths = web_lengths(60_000, longest=4000)
    packing = pack(lengths, 4096)
    pack_of_piece = np.repeat(np.arange(len(packing)), np.diff(packing.offsets))
    arrival_in_packs = np.cumsum(lengths)[packing.document] / 4096
    assert np.abs(pack_of_piece - arrival_in_packs).max() < 8192 + 4096


def test_nothing_gives_nothing():
    assert len(pack([], 16)) == 0


@given(documents, st.integers(0, 2**32), st.integers(2, 130))
def test_groups_follow_one_another_each_packed_as_if_alone(lengths, seed, sequence_length):
    group = np.random.default_rng(seed).integers(0, 4, len(lengths))
    members = [
        np.random.default_rng(seed).permutation(np.flatnonzero(group == number)) for number in range(4)
    ]
    packing = pack_groups(members, np.array(lengths, np.int32), sequence_length)
    packs = packs_of(packing)
    assert packing.starts[0] == 0 and packing.starts[-1] == len(packs)
    for number, documents_of_group in enumerate(members):
        alone = packs_of(pack(np.array(lengths)[documents_of_group], sequence_length))
        expected = [
            [(documents_of_group[document], first, tokens) for document, first, tokens in pieces]
            for pieces in alone
        ]
        assert packs[packing.starts[number] : packing.starts[number + 1]] == expected
