"""Which documents a model is asked about: every prefix of the order keeps the weights."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.synthesis.asked_documents import weighted_order

TOKENS = st.integers(1, 1000)
WEIGHTS = st.dictionaries(st.sampled_from(["law", "web", "code"]), st.floats(0.1, 10), min_size=1)


def documents(sizes: dict[str, list[int]]) -> pa.Table:
    groups = [group for group, tokens in sizes.items() for _ in tokens]
    tokens = [each for some in sizes.values() for each in some]
    keys = np.random.default_rng(1).integers(0, 2**63, len(tokens), dtype=np.uint64)
    return pa.table({"group": groups, "tokens": pa.array(tokens, pa.int64()), "key": keys})


@given(st.data(), WEIGHTS)
def test_while_all_groups_last_none_is_a_document_from_its_share(data, weights):
    sizes = {group: data.draw(st.lists(TOKENS, min_size=1, max_size=60)) for group in weights}
    table = documents(sizes)
    order = weighted_order(table, weights)
    assert sorted(order) == list(range(table.num_rows))
    flowed = {group: 0 for group in weights}
    last = min(sum(sizes[group]) / weight for group, weight in weights.items())
    largest = 1000 / min(weights.values())
    for place in order:
        row = table.slice(place, 1).to_pylist()[0]
        flowed[row["group"]] += row["tokens"]
        times = [flowed[group] / weight for group, weight in weights.items()]
        if max(times) < last:
            assert max(times) - min(times) <= 2 * largest


@given(st.lists(TOKENS, min_size=1, max_size=50))
def test_within_a_group_the_order_is_that_of_the_keys(tokens):
    table = documents({"law": tokens})
    keys = table.column("key").to_numpy()
    assert list(weighted_order(table, {"law": 2.0})) == list(np.argsort(keys, kind="stable"))
