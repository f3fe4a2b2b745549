import polars as pl
import pytest

from mixers.budget import Mixture, MixtureError, include_mixtures
from mixers.groups import assign_groups

CORPUS = pl.LazyFrame(
    {
        "domain": ["law", "law", "web", None, "code"],
        "language": ["ru", "en", "ru", "ru", None],
        "quality": [0.9, 0.1, 0.95, 0.5, None],
    }
)


def test_each_document_is_in_the_group_whose_predicate_holds():
    predicates = {
        "law_ru": "domain = 'law' and language = 'ru'",
        "law_other": "domain == 'law' AND language != 'ru'",
        "best_web": "domain in ('web', 'books') and quality > 0.9",
    }
    assert assign_groups(CORPUS, predicates).to_pylist() == ["law_ru", "law_other", "best_web", None, None]


def test_a_group_without_a_predicate_is_the_domain_of_its_name():
    mixture = Mixture(
        tokens=9, weights={"web": 1, "ru": 1, "it's": 1}, groups={"ru": "language = 'ru' and domain = 'law'"}
    )
    assert assign_groups(CORPUS, mixture.predicates).to_pylist() == ["ru", None, "web", None, None]
    overlapping = mixture.model_copy(update={"groups": {"ru": "language = 'ru'"}})
    with pytest.raises(MixtureError, match="1 of 5 documents are in both groups"):
        assign_groups(CORPUS, overlapping.predicates)


def test_no_predicates_and_no_documents_are_no_trouble():
    assert assign_groups(CORPUS, {}).to_pylist() == [None] * 5
    assert assign_groups(CORPUS.head(0), {"law": "domain = 'law'"}).to_pylist() == []


def test_overlapping_groups_are_named_and_counted():
    with pytest.raises(MixtureError, match="2 of 5 documents are in both groups 'law' and 'ru'") as raised:
        assign_groups(CORPUS, {"law": "domain = 'law'", "ru": "language = 'ru' or language = 'en'"})
    assert "(domain = 'law') and not (language = 'ru' or language = 'en')" in str(raised.value)


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ('domain = "law"', "single quotes"),
        ("subject = 'law'", "subject"),
        ("domain = 'law' and", "cannot be evaluated"),
        ("exists (select 1)", "cannot be evaluated"),
        ("domain > 3", "cannot be evaluated"),
        ("quality", "does not say yes or no"),
        ("sum(quality) > 1", "does not say yes or no"),
    ],
)
def test_a_predicate_that_is_none_is_named(predicate, message):
    with pytest.raises(MixtureError, match=message) as raised:
        assign_groups(CORPUS, {"mine": predicate})
    assert "'mine'" in str(raised.value)


def test_an_included_stage_brings_its_shares_predicates_and_epochs():
    stage1 = Mixture(
        tokens=100,
        weights={"web": 3, "law": 1},
        groups={"law": "domain = 'law'"},
        group_max_epochs={"law": 2},
    )
    stage2 = Mixture(tokens=100, weights={"qa": 50, "law": 10}, include={"stage1": 40})
    merged = include_mixtures({"stage1": stage1, "stage2": stage2})
    assert merged["stage1"] == stage1
    assert merged["stage2"].weights == {"qa": 50, "law": 20, "web": 30}
    assert merged["stage2"].groups == stage1.groups
    assert merged["stage2"].epochs_allowed("law") == 2
    assert not merged["stage2"].include


def test_a_stage_may_be_nothing_but_another():
    stages = {
        "stage1": Mixture(tokens=9, weights={"a": 2}),
        "stage2": Mixture(tokens=9, include={"stage1": 1}),
    }
    assert include_mixtures(stages)["stage2"].weights == {"a": 1}


@pytest.mark.parametrize("included", ["stage2", "stage3", "nowhere"])
def test_a_stage_cannot_include_itself_or_a_later_one(included):
    stages = {
        "stage1": Mixture(tokens=9, weights={"a": 1}),
        "stage2": Mixture(tokens=9, include={included: 1}),
        "stage3": Mixture(tokens=9, weights={"a": 1}),
    }
    with pytest.raises(MixtureError, match="those before it: stage1"):
        include_mixtures(stages)
