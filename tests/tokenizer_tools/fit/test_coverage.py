import numpy as np
import pyarrow as pa
import pytest
from small_corpus import CORPUS, texts

from tokenizer_tools.encode import Encoder
from tokenizer_tools.fit.coverage import fit_of


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
