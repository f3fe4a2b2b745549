"""`synthetic`: a group's share of synthetic text makes two groups of it, whose weights add up to its own."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mixers.budget import Mixture, include_mixtures
from mixers.groups import assign_groups


def mixture(**more):
    return Mixture(tokens=1000, weights={"law": 3, "web": 1}, **more)


def whole(**more):
    return include_mixtures({"stage1": mixture(**more)})["stage1"]


@given(st.floats(0.01, 0.99))
def test_the_parts_have_the_weight_of_the_whole(share):
    parted = whole(synthetic={"law": share})
    assert parted.weights.keys() == {"law", "law_synthetic", "web"}
    assert parted.weights["law"] + parted.weights["law_synthetic"] == pytest.approx(3)
    assert parted.weights["law_synthetic"] / 3 == pytest.approx(share)


def groups_of(parted):
    import polars as pl

    documents = pl.DataFrame(
        {"domain": ["law", "law", "web", "web"], "parent_id": [None, "law/1", None, "web/1"]}
    )
    return pa.array(assign_groups(documents.lazy(), parted.predicates)).to_pylist()


def test_documents_with_a_parent_are_synthetic():
    assert groups_of(whole(synthetic={"law": 0.3})) == ["law", "law_synthetic", "web", "web"]


@pytest.mark.parametrize(
    "share, law", [(0.0, ["law", None]), (1.0, [None, "law"])], ids=["none is", "all is"]
)
def test_a_group_of_one_kind_keeps_its_name(share, law):
    assert groups_of(whole(synthetic={"law": share})) == [*law, "web", "web"]


def test_a_predicate_of_the_groups_own_holds_for_both_parts():
    parted = whole(
        synthetic={"law": "30%"},
        groups={"law": "domain = 'web' or domain = 'law'", "web": "domain = 'other'"},
    )
    assert groups_of(parted) == ["law", "law_synthetic", "law", "law_synthetic"]


def test_parts_are_included_and_repeated_like_their_whole():
    stages = {
        "stage1": mixture(synthetic={"law": 0.5}, group_max_epochs={"law": 2}),
        "stage2": Mixture(tokens=10, include={"stage1": 1}),
    }
    included = include_mixtures(stages)["stage2"]
    assert included.weights == {"law": 0.375, "law_synthetic": 0.375, "web": 0.25}
    assert included.epochs_allowed("law_synthetic") == 2


def test_a_group_without_a_weight_is_refused():
    with pytest.raises(ValidationError, match="synthetic"):
        mixture(synthetic={"books": 0.5})
