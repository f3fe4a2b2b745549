"""Counts: sums do not depend on order, come back from JSON as they were, and tell what does not close."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.execution.counts import Count, Counts, total
from pipelines.execution.fingerprint import canonical_json
from pipelines.execution.manifest import Damaged, Manifest, read_manifest, write_sealed

NAMES = st.sampled_from(["", "web", "law", "a in b", "fails a: b", "emptied by", "Текст", '"', "a\nb"])
KEYS = st.builds(Count, st.sampled_from(["tokens", "failed_rule", "emptied", "in"]), NAMES, NAMES)
NUMBERS = st.integers(0, 1 << 53)


@st.composite
def counts(draw) -> Counts:
    """Some whose sums close."""
    drawn = Counts()
    for unit in draw(st.lists(st.sampled_from(["documents", "bytes"]))):
        left, dropped = draw(NUMBERS), draw(st.dictionaries(KEYS, NUMBERS, max_size=4))
        drawn.flow(unit, entered=left + sum(dropped.values()), left=left, dropped=dropped)
    for key, number in draw(st.lists(st.tuples(KEYS, NUMBERS), max_size=6)):
        drawn.add(key.what, number, scope=key.scope, reason=key.reason)
    return drawn


def as_json(some: Counts) -> bytes:
    return canonical_json(some.model_dump())


@given(st.lists(counts(), max_size=5), st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_order_or_grouping(many, random):
    expected = as_json(total(many))
    middle = random.randint(0, len(many))
    assert as_json(total([total(many[:middle]), total(many[middle:])])) == expected
    random.shuffle(many)
    assert as_json(total(many)) == expected
    assert not total(many).unclosed()


@given(counts())
def test_json_holds_all_in_an_order_that_is_always_the_same(some):
    again = Counts.model_validate(orjson.loads(as_json(some)))
    assert again == some and as_json(again) == as_json(some)
    rows = some.model_dump()["facts"]
    keys = [(row["what"], row["scope"], row["reason"]) for row in rows]
    assert keys == sorted(set(keys)) == sorted(some.facts)
    for row in rows:
        assert again.number(row["what"], scope=row["scope"], reason=row["reason"]) == row["number"]


@given(counts(), st.integers(1, 1 << 40))
def test_what_does_not_close_is_named(some, lost):
    some.flow("tokens", entered=lost, left=0)
    assert some.unclosed() == [f"tokens: {lost} in, 0 out, 0 dropped: {lost} unaccounted for"]


def test_one_kind_is_read_by_scope_and_reason():
    some = Counts()
    some.add("failed_rule", 2, scope="web", reason="min_words")
    some.add("failed_rule", 1, scope="law", reason="min_words")
    some.add("failed_rule", 3, scope="web", reason="min_words")
    some.add("failed_rules", 9)
    assert list(some.rows("failed_rule")) == [
        (("failed_rule", "law", "min_words"), 1),
        (("failed_rule", "web", "min_words"), 5),
    ]
    assert some.number("failed_rule", scope="web") == 0


def test_drops_of_nothing_are_left_out_and_facts_of_nothing_are_kept():
    some = Counts()
    some.flow("documents", entered=3, left=3, dropped={Count("emptied", "mask_pii"): 0})
    some.add("reused", 0)
    assert not some.dropped("documents") and not some.dropped("bytes")
    assert some.model_dump() == {
        "flows": {"documents": {"entered": 3, "left": 3, "dropped": []}},
        "facts": [{"what": "reused", "scope": "", "reason": "", "number": 0}],
    }


def manifest(facts: object) -> dict[str, object]:
    plain = Manifest(
        stage="ingest",
        scope="web",
        version=1,
        fingerprint="",
        settings={},
        inputs={},
        tasks=[],
        files=[],
        counts=Counts(),
        seconds=0,
    ).model_dump()
    return plain | {"counts": {"flows": {}, "facts": facts}}


@pytest.mark.parametrize("facts", [{"edit c4_lines: lines": 3}, [{"what": "tokens"}], ["tokens"], None])
def test_a_manifest_of_another_format_is_said_to_be_one(tmp_path, facts):
    write_sealed(tmp_path / "manifest.json", manifest(facts))
    with pytest.raises(Damaged, match="not a manifest of this version"):
        read_manifest(tmp_path)


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    row = {"what": "tokens", "scope": "", "reason": "", "number": 3}
    write_sealed(tmp_path / "manifest.json", manifest([row]))
    found = read_manifest(tmp_path)
    assert found is not None and found.counts.number("tokens") == 3
    assert found.model_dump() == manifest([row])
