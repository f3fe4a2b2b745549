import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from corpora import corpus, table, web_lengths
from hypothesis import given, settings
from hypothesis import strategies as st

from mixers import arrays
from mixers.budget import Mixture, MixtureError, include_mixtures
from mixers.plan import FEW_DOCUMENTS, most_of_a_document, plan_held_out, plan_mixture


@st.composite
def recipes(draw):
    """A corpus of 2-40 groups of heavy-tailed documents and a mixture of them."""
    names = [f"group{number}" for number in range(draw(st.integers(2, 40)))]
    sequence_length = draw(st.sampled_from([64, 500, 2048]))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    groups = rng.choice(names, size=len(names) * 60)
    groups[: len(names)] = names
    tokens = np.clip(
        rng.lognormal(np.log(sequence_length / 6), draw(st.floats(0.3, 2.5)), len(groups)), 1, 10**6
    )
    indivisible = rng.random(len(groups)) < draw(st.sampled_from([0, 0.3]))
    indivisible[: len(names)] = False
    documents = table(groups.tolist(), tokens, indivisible=indivisible)
    weights = {name: draw(st.floats(0.001, 1)) for name in names}
    mixture = Mixture(
        tokens=int(tokens.sum() * draw(st.floats(0.05, 3))) + 1,
        weights=weights,
        sequence_length=sequence_length,
        unit=draw(st.sampled_from(["tokens", "loss_tokens"])),
        max_epochs=draw(st.floats(1, 4)),
        on_shortage=draw(st.sampled_from(["repeat", "renormalize"])),
    )
    return documents, mixture, seed


@st.composite
def replays(draw):
    """A corpus, and a second stage of some groups of its own and of a first stage's mix."""
    documents, first, seed = draw(recipes())
    own = draw(st.lists(st.sampled_from(sorted(first.weights)), unique=True))
    second = Mixture(
        tokens=max(1, int(first.tokens * draw(st.floats(0.01, 2)))),
        weights={name: draw(st.floats(0.001, 1)) for name in own},
        include={"stage1": draw(st.floats(0.001, 1))},
        sequence_length=first.sequence_length,
        unit=draw(st.sampled_from(["tokens", "loss_tokens"])),
        on_shortage=draw(st.sampled_from(["repeat", "renormalize"])),
    )
    return documents, include_mixtures({"stage1": first, "stage2": second})["stage2"], seed


def plan_or_discard(documents, mixture, seed):
    from hypothesis import reject

    try:
        return plan_mixture(documents, mixture, seed)
    except MixtureError:
        reject()


def largest_prefix_deviations(plan):
    """Group to its largest distance from its quota over all prefixes, the obvious way."""
    rows = plan.rows.to_pydict()
    amounts = np.array(rows[plan.unit], np.int64)
    deviations = {}
    for name, quota in plan.budget.quotas.items():
        of_group = np.array(rows["group"]) == name
        share = quota / plan.budget.total
        deviations[name] = np.abs(np.cumsum(amounts * of_group) - share * np.cumsum(amounts)).max(initial=0)
    return deviations


@settings(max_examples=120)
@given(recipes() | replays())
def test_every_prefix_of_every_stage_of_a_random_recipe_is_within_one_row_of_every_quota(recipe):
    documents, mixture, seed = recipe
    plan = plan_or_discard(documents, mixture, seed)
    deviations = largest_prefix_deviations(plan)
    assert max(deviations.values()) < mixture.sequence_length
    ledger = plan.ledger.check()
    for entry in ledger.groups:
        assert abs(entry.quota.built - plan.budget.quotas[entry.group]) < mixture.sequence_length
        assert entry.quota.largest_prefix_deviation == pytest.approx(deviations[entry.group], abs=1e-6)


@settings(max_examples=40)
@given(recipes())
def test_segments_hold_whole_documents_or_cuts_of_long_ones_and_add_up(recipe):
    documents, mixture, seed = recipe
    plan = plan_or_discard(documents, mixture, seed)
    length = mixture.sequence_length
    size = documents["tokens"].to_numpy()
    segments = {name: plan.segments[name].to_numpy() for name in plan.segments.column_names}
    tokens, document = segments["tokens"], segments["document"]

    per_row = np.bincount(segments["row"], weights=tokens, minlength=len(plan))
    assert per_row.max(initial=0) <= length
    assert per_row.tolist() == plan.rows["tokens"].to_pylist()

    is_cut = tokens < size[document]
    assert (size[document[is_cut]] > length).all()
    assert not documents["indivisible"].to_numpy()[document[is_cut]].any()
    assert (segments["first_token"] + tokens <= size[document]).all()

    groups = np.array(documents["group"].to_pylist())
    assert (groups[document] == np.array(plan.rows["group"].to_pylist())[segments["row"]]).all()

    whole_epochs = {}
    for doc, epoch, first, count, amount in zip(
        document, segments["epoch"], segments["first_token"], tokens, segments["bytes"], strict=True
    ):
        whole_epochs.setdefault((doc, epoch), []).append((first, count, amount))
    for (doc, _), parts in whole_epochs.items():
        assert len({first for first, _, _ in parts}) == len(parts)
        if sum(count for _, count, _ in parts) == size[doc]:
            assert sum(amount for _, _, amount in parts) == documents["bytes"][int(doc)].as_py()


def test_the_same_inputs_give_the_same_plan_and_another_seed_another():
    documents = corpus({"a": 3000, "b": 500})
    mixture = Mixture(tokens="1M", weights={"a": 1, "b": 1}, max_epochs=8)
    first, second = (plan_mixture(documents, mixture, 3) for _ in range(2))
    assert first.segments.equals(second.segments)
    assert first.ledger == second.ledger
    assert not first.segments.equals(plan_mixture(documents, mixture, 4).segments)


def test_the_order_of_weights_and_the_chunks_of_the_table_change_nothing():
    documents = corpus({"a": 3000, "b": 500, "c": 100})
    chunked = pa.concat_tables([documents.slice(0, 700), documents.slice(700)]).unify_dictionaries()
    plain = documents.set_column(0, "group", documents["group"].cast(pa.string()))
    mixture = Mixture(tokens="300k", weights={"a": 1, "b": 1, "c": 0.1}, max_epochs=8)
    turned = Mixture(tokens="300k", weights={"c": 0.1, "b": 1, "a": 1}, max_epochs=8)
    segments = plan_mixture(documents, mixture, 3).segments
    assert plan_mixture(chunked, mixture, 3).segments.equals(segments)
    assert plan_mixture(plain, turned, 3).segments.equals(segments)


def test_segments_of_a_range_of_rows_are_those_of_the_whole():
    plan = plan_mixture(corpus({"a": 3000}), Mixture(tokens="500k", weights={"a": 1}), 0)
    parts = [plan.segments_between(start, min(start + 50, len(plan))) for start in range(0, len(plan), 50)]
    assert pa.concat_tables(parts).equals(plan.segments)


def test_documents_of_other_groups_and_of_none_are_left_alone():
    documents = table(["a", "b", None] * 400, web_lengths(1200))
    plan = plan_mixture(documents, Mixture(tokens="100k", weights={"a": 1}), 0)
    used = pc.unique(plan.segments["document"]).to_numpy()
    assert set(used % 3) == {0}


@st.composite
def conversations(draw):
    """Documents of 2 to 200 tokens, each with tokens that it could leave out before those that bear loss."""
    tokens = np.array(draw(st.lists(st.integers(2, 200), min_size=1, max_size=60)))
    edges = [sorted(draw(st.tuples(*[st.integers(0, int(n) - 1)] * 3))) for n in tokens]
    start, stop, context = np.array(edges).T
    return table(
        ["qa"] * len(tokens),
        tokens,
        indivisible=True,
        gap_start=start,
        gap=stop - start,
        loss_tokens=tokens - np.maximum(context, 1),
    )


@given(conversations())
@settings(deadline=None)
def test_a_conversation_longer_than_a_row_leaves_out_its_gap(documents):
    start, gap, tokens, size, loss = (
        documents[name].to_numpy() for name in ("gap_start", "gap", "tokens", "bytes", "loss_tokens")
    )
    mixture = Mixture(
        tokens=int(tokens.sum()), weights={"qa": 1}, sequence_length=64, overflow="truncate_context",
        on_shortage="repeat",
    )  # fmt: skip
    too_long = tokens > 64
    fits = ~too_long | (tokens - gap <= 64)
    if not fits.any():
        with pytest.raises(MixtureError):
            plan_mixture(documents, mixture, 0)
        return
    plan = plan_mixture(documents, mixture, 0)
    plan.ledger.check()
    uses = {}
    for part in plan.segments.to_pylist():
        uses.setdefault((part["row"], part["position"]), []).append(part)
    for parts in uses.values():
        (document,) = {part["document"] for part in parts}
        held = [n for part in parts for n in range(part["first_token"], part["first_token"] + part["tokens"])]
        left_out = range(start[document], start[document] + gap[document]) if too_long[document] else ()
        assert held == [n for n in range(tokens[document]) if n not in left_out]
        assert sum(part["bytes"] for part in parts) <= size[document]
    (entry,) = plan.ledger.groups
    used = [parts[0]["document"] for parts in uses.values()]
    assert set(used) == set(np.flatnonzero(fits).tolist())
    assert entry.documents_dropped == (~fits).sum()
    assert entry.documents_shortened == (fits & too_long).sum()
    assert entry.tokens == sum(plan.segments["tokens"].to_pylist())
    assert entry.loss_tokens == loss[used].sum()


def test_indivisible_documents_longer_than_a_row_are_dropped_and_counted():
    documents = table(["qa"] * 4, [10, 70, 64, 65], indivisible=[True, True, True, False])
    plan = plan_mixture(documents, Mixture(tokens=139, weights={"qa": 1}, sequence_length=64), 0)
    assert set(plan.segments["document"].to_pylist()) == {0, 2, 3}
    (entry,) = plan.ledger.check().groups
    assert (entry.documents, entry.documents_used, entry.documents_dropped) == (4, 3, 1)
    assert (entry.documents_cut, entry.cuts, entry.shortest_cut, entry.longest_uncut) == (1, 1, 65, 64)


def test_a_group_of_nothing_but_dropped_documents_is_a_shortage():
    with pytest.raises(MixtureError, match="'qa' has a weight but no documents"):
        plan_mixture(
            table(["qa"], [70], indivisible=True), Mixture(tokens=5, weights={"qa": 1}, sequence_length=64), 0
        )


def test_loss_tokens_are_counted_and_can_be_the_unit():
    tokens = np.full(400, 50)
    documents = table(
        ["qa"] * 200 + ["web"] * 200, tokens, indivisible=True, loss_tokens=np.repeat([10, 49], 200)
    )
    plan = plan_mixture(
        documents,
        Mixture(tokens=2000, weights={"qa": 1, "web": 1}, unit="loss_tokens", sequence_length=200),
        0,
    )
    qa, web = plan.ledger.check().groups
    assert (qa.quota.quota, web.quota.quota) == (1000, 1000)
    assert abs(qa.loss_tokens - 1000) < 40 and abs(web.loss_tokens - 1000) < 196
    assert qa.tokens == 5 * qa.loss_tokens


def test_a_cut_loses_one_more_first_token():
    plan = plan_mixture(table(["a"], [150]), Mixture(tokens=150, weights={"a": 1}, sequence_length=64), 0)
    (entry,) = plan.ledger.groups
    assert entry.loss_tokens == 150 - 3


def test_unique_tokens_epochs_and_what_repetition_is_worth():
    documents = corpus({"a": 400})
    unique = pc.sum(documents["tokens"]).as_py()
    plan = plan_mixture(documents, Mixture(tokens=4 * unique, weights={"a": 1}), 0)
    (entry,) = plan.ledger.check().groups
    assert (entry.unique_tokens, entry.epochs, entry.most_repeated) == (unique, 4, 4)
    assert entry.effective_unique_tokens == pytest.approx(
        unique * (1 + 15.387756 * (1 - np.exp(-3 / 15.387756)))
    )
    assert plan.rows["epoch"].to_numpy().max() == 3


def test_copies_of_a_document_are_far_apart():
    documents = corpus({"a": 4000, "b": 40_000}, longest=4000)
    unique = pc.sum(documents["tokens"].filter(pc.equal(documents["group"].cast(pa.string()), "a"))).as_py()
    plan = plan_mixture(documents, Mixture(tokens=8 * unique, weights={"a": 1, "b": 1}), 0)
    segments = plan.segments
    rows = segments.group_by("document").aggregate([("row", "list")])["row_list"].to_pylist()
    nearest = min(np.diff(sorted(places)).min() for places in rows if len(places) > 1)
    assert nearest > 0.8 * len(plan) / 4


def test_a_small_share_of_a_large_group_uses_distinct_random_documents():
    documents = corpus({"a": 50_000})
    plan = plan_mixture(documents, Mixture(tokens="1M", weights={"a": 1}), 0)
    used = plan.segments["document"].to_numpy()
    assert plan.ledger.groups[0].epochs == 1
    assert abs(used.mean() - 25_000) < 2500


def test_an_impossible_document_is_named_by_its_row_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK", 4)
    with pytest.raises(ValueError, match="Document 9 has no tokens"):
        plan_mixture(table(["a"] * 12, [5] * 9 + [0, 5, 5]), Mixture(tokens=5, weights={"a": 1}), 0)


def test_the_length_of_a_chunk_changes_nothing(monkeypatch):
    documents = corpus({"a": 300, "b": 50})
    mixture = Mixture(tokens="200k", weights={"a": 1, "b": 1}, max_epochs=8)
    whole = plan_mixture(documents, mixture, 3)
    ledger, segments = whole.ledger, whole.segments
    monkeypatch.setattr(arrays, "CHUNK", 7)
    parts = plan_mixture(documents, mixture, 3)
    assert parts.segments.equals(segments) and parts.ledger == ledger


def test_a_document_without_tokens_or_a_table_without_columns_is_refused():
    mixture = Mixture(tokens=5, weights={"a": 1})
    with pytest.raises(ValueError, match="Document 1 has no tokens"):
        plan_mixture(table(["a", "a"], [5, 0]), mixture, 0)
    with pytest.raises(ValueError, match="Document 0 has 2147483648 tokens; divide it"):
        plan_mixture(table(["a"], [2**31]), mixture, 0)
    with pytest.raises(ValueError, match="Document 0 has more loss tokens"):
        plan_mixture(table(["a"], [5], loss_tokens=[6]), mixture, 0)
    with pytest.raises(ValueError, match=r"columns \['loss_tokens'\] have nulls"):
        plan_mixture(table(["a"], [5], loss_tokens=pa.array([None], pa.int64())), mixture, 0)
    with pytest.raises(ValueError, match=r"lack the columns \['bytes', 'indivisible'\]"):
        plan_mixture(table(["a"], [5]).drop_columns(["bytes", "indivisible"]), mixture, 0)


def test_held_out_rows_come_group_by_group_up_to_the_limit():
    documents = corpus({"b": 500, "a": 20}, longest=5000)
    plan = plan_held_out(documents, 4096, 50_000, 0)
    groups = plan.rows["group"].to_pylist()
    assert groups == sorted(groups)
    a, b = plan.ledger.check().groups
    assert a.documents_unused == 0
    assert 45_000 < b.tokens <= 50_000 < b.tokens + 5000
    assert b.quota is None


def test_held_out_takes_one_document_even_if_it_is_longer_than_the_limit():
    chat = table(["a", "b"], [900, 5], indivisible=[True, False])
    plan = plan_held_out(chat, 1024, 100, 0)
    assert plan.rows["tokens"].to_numpy().sum() == 905


def test_a_long_held_out_document_does_not_make_its_group():
    """Only its beginning is used, and its bytes as far as that goes; what cannot be cut stays whole."""
    tokens = [200_000, *[500] * 60, 3000]
    documents = table(["a"] * 62, tokens, indivisible=[False] * 61 + [True])
    plan = plan_held_out(documents, 1024, 20_000, 0)
    (entry,) = plan.ledger.check().groups
    assert entry.documents_used >= FEW_DOCUMENTS
    segments = plan.segments.to_pandas()
    used = segments.groupby("document")[["tokens", "bytes"]].sum()
    assert used.tokens[used.index < 61].max() <= most_of_a_document(20_000)
    every = plan_held_out(documents, 1024, 1_000_000, 0)
    assert every.ledger.groups[0].documents_shortened == 1
    long = every.segments.to_pandas().query("document == 0")
    size = documents["bytes"][0].as_py()
    assert (long.tokens.sum(), long.bytes.sum()) == (50_000, size * 50_000 // 200_000)
    assert every.segments.to_pandas().query("document == 61 and tokens == 1024").empty


def test_a_group_whose_quota_makes_no_row_is_named():
    documents = table(["a"] * 40 + ["b"] * 4 + ["c"] * 40, [100] * 84)
    mixture = Mixture(tokens=2000, weights={"a": 1000, "b": 1, "c": 999}, sequence_length=100)
    plan = plan_mixture(documents, mixture, 0)
    quotas = {entry.group: (entry.quota.quota, entry.packs) for entry in plan.ledger.check().groups}
    assert quotas == {"a": (1000, 10), "b": (1, 0), "c": (999, 10)}
    (said,) = plan.ledger.constraints
    assert said.startswith("b is not in this stage: its quota of 1 tokens")


def test_held_out_of_nothing_is_empty():
    plan = plan_held_out(corpus({}), 64, 100, 0)
    assert len(plan) == len(plan.segments) == 0
    plan.ledger.check()


def test_documents_are_drawn_whatever_their_length():
    rng = np.random.default_rng(4)
    short = rng.random(4000) < 0.8
    tokens = np.where(short, rng.integers(20, 400, 4000), rng.integers(600, 4000, 4000))
    share = tokens[short].sum() / tokens.sum()
    mixture = Mixture(tokens=int(tokens.sum() // 4), weights={"web": 1}, sequence_length=512)
    plan = plan_mixture(table(["web"] * 4000, tokens), mixture, seed=1)
    segments = plan.segments.to_pandas()
    for part in (segments, segments[segments.row < len(plan) // 3]):
        drawn = part.tokens[short[part.document]].sum() / part.tokens.sum()
        assert drawn == pytest.approx(share, abs=0.05)
    assert plan.ledger.groups[0].fill > 0.995


def test_a_group_without_documents_gives_no_row_where_others_may_fill_its_share():
    documents = table(["a"] * 40 + ["b"] * 40, [10] * 40 + [20] * 40)
    mixture = Mixture(
        tokens=400, weights={"a": 1, "b": 1, "none": 2}, sequence_length=40, on_shortage="renormalize"
    )
    plan = plan_mixture(documents, mixture, seed=1)
    quotas = {entry.group: entry.quota.quota for entry in plan.ledger.check().groups}
    assert quotas == {"a": 200, "b": 200, "none": 0}
    assert set(plan.rows["group"].to_pylist()) == {"a", "b"}
