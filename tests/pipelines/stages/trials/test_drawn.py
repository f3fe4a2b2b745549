"""Which documents take part in a trial: of each group a share of its tokens, in an order of their own."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.trials.trial_mix import drawn

documents_of_groups = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 500)), min_size=1, max_size=60
).map(lambda rows: (np.array([g for g, _ in rows]), np.array([t for _, t in rows])))


def table(tokens):
    return pa.table({"doc_id": [f"d{number}" for number in range(len(tokens))], "tokens": tokens})


@given(documents_of_groups, st.floats(0.01, 1), st.integers(0, 9))
def test_each_group_has_its_share_and_not_a_document_more(documents, share, seed):
    groups, tokens = documents
    chosen = drawn(pa.array(groups), table(tokens), share, seed)
    for group in set(groups.tolist()):
        here = groups == group
        there, most = tokens[here & chosen].sum(), tokens[here].sum()
        assert there >= share * most - 1e-6
        assert there - share * most < tokens[here].max()


@given(documents_of_groups, st.integers(0, 9))
def test_a_smaller_share_is_a_part_of_a_larger_one(documents, seed):
    groups, tokens = documents
    small, large = (drawn(pa.array(groups), table(tokens), share, seed) for share in (0.2, 0.6))
    assert not (small & ~large).any()


def test_the_draw_is_of_the_document_and_the_seed_alone():
    tokens = np.full(1000, 10)
    groups = pa.array(np.zeros(1000, int))
    documents = table(tokens)
    order = np.random.default_rng(0).permutation(1000)
    first = drawn(groups, documents, 0.1, 1)
    again = drawn(groups, documents.take(order), 0.1, 1)
    assert (again == first[order]).all()
    other = drawn(groups, documents, 0.1, 2)
    assert 0 < (first & other).sum() < 40  # of 100 each, 10 by chance
