import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import CORPUS, texts

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.coverage import Fit, fit_of


@pytest.fixture(scope="module")
def encoder(trained):
    return Encoder.build(trained)


def test_each_group_is_measured_as_if_alone(encoder):
    groups = ["b", "a", "b", "c", "a"]
    table = fit_of(encoder, texts(*CORPUS[:5]), pa.array(groups))
    assert table["group"].to_pylist() == ["a", "b", "c"]
    for row in table.to_pylist():
        own = [text for text, group in zip(CORPUS, groups, strict=False) if group == row["group"]]
        ids = [encoder.encode(texts(text)).ids[:-1] for text in own]
        assert row["documents"] == len(own)
        assert row["bytes"] == sum(len(text.encode()) for text in own)
        assert row["words"] == sum(len(text.split()) for text in own)
        assert row["tokens"] == sum(map(len, ids))
        assert row["used_tokens"] == len(np.unique(np.concatenate(ids)))
        assert row["unknown_tokens"] == 0
        assert row["bytes_per_token"] == row["bytes"] / row["tokens"]
        assert row["fertility"] == row["tokens"] / row["words"]
        assert row["unused_tokens"] == encoder.max_id + 1 - row["used_tokens"]


COUNTS = [
    *("documents", "bytes", "characters", "words", "tokens"),
    *("words_in_two", "single_byte_tokens", "unknown_tokens"),
]


@pytest.fixture(scope="module", params=["trained", "pieces", "words"])
def each(request):
    return Encoder.build(request.getfixturevalue(request.param))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(CORPUS[:5]), st.text(st.characters(exclude_categories=["Cs"]))),
            st.integers(0, 3),
        ),
        max_size=8,
    )
)
def test_groups_add_up_to_the_whole_and_shares_are_shares(each, documents):
    fit = Fit(each, texts(*(text for text, _ in documents)))
    table = fit.by(pa.array([group for _, group in documents], pa.int64()))
    assert [sum(table[name].to_pylist()) for name in COUNTS] == [
        sum(fit.by()[name].to_pylist()) for name in COUNTS
    ]
    for name in (name for name in table.column_names if name.endswith("_share")):
        assert all(0 <= share <= 1 for share in table[name].to_pylist() if share == share)


def test_words_and_lone_bytes_are_those_of_a_byte_level_tokenizer(by_bytes):
    row = fit_of(Encoder.build(by_bytes), texts("ab a, ж\nabc\u3000é")).to_pylist()[0]
    # a, | , | ж: its two bytes without the space before them | ab c | é: two bytes
    expected = {"words": 5, "tokens": 14, "words_in_two": 5, "single_byte_tokens": 7}
    assert {name: row[name] for name in expected} == expected
    assert row["characters_per_token"] == 13 / 14 and row["bytes_per_token"] == 17 / 14


def test_a_vocabulary_of_words_knows_its_words_alone(words):
    row = fit_of(Encoder.build(words), texts("the barrel, and-the-wine barrel")).to_pylist()[0]
    assert (row["words"], row["words_in_two"], row["tokens"], row["unknown_tokens"]) == (4, 3, 9, 5)


def test_terms_that_split_worst_are_those_that_cost_most(by_bytes):
    fit = Fit(Encoder.build(by_bytes), texts("жа, abcd «жа» abcd ab ab ab once-upon ", "y" * 65, "y" * 65))
    terms = fit.worst_terms()
    assert [(term.term, term.count, term.tokens) for term in terms] == [("жа", 2, 4), ("abcd", 2, 3)]
    assert [term.pieces for term in terms] == [["\\xd0", "\\xb6", "\\xd0", "\\xb0"], ["ab", "c", "d"]]
    assert len(fit.worst_terms(1)) == 1


def test_text_without_a_script_needs_no_tokens_of_it(trained):
    latin = Fit(Encoder.build(trained), texts(CORPUS[0], CORPUS[2])).unneeded_scripts()
    assert list(latin) and latin["Cyrillic"] == max(latin.values())
    assert "Cyrillic" not in Fit(Encoder.build(trained), texts(CORPUS[1])).unneeded_scripts()


def test_unknown_tokens_are_counted(words):
    row = fit_of(Encoder.build(words), texts("the barrel leaks", "wine", "the")).to_pylist()[0]
    assert (row["group"], row["tokens"], row["unknown_tokens"]) == ("all", 5, 2)


def test_begin_tokens_are_not_the_texts_own(pieces):
    encoder = Encoder.build(pieces)
    row = fit_of(encoder, texts("juice", "")).to_pylist()[0]
    assert row["tokens"] == len(encoder.encode(texts("juice")).ids) - 2


def test_nothing_to_measure_is_an_empty_table_or_not_finite(encoder):
    assert fit_of(encoder, texts()).num_rows == 0
    row = fit_of(encoder, texts("")).to_pylist()[0]
    assert not np.isfinite([row["bytes_per_token"], row["fertility"]]).any()
