from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.dedup.survivors import survivors


def first_of_each(names: list[int]) -> np.ndarray:
    return np.array([names.index(name) for name in names])


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, np.ndarray]:
    count = draw(st.integers(1, 25))
    index = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(index, index, st.sampled_from([0.5, 0.79, 0.8, 0.9, 1.0])), max_size=40))
    edges = [edge for edge in edges if edge[0] != edge[1]]
    reference = np.array(
        draw(st.lists(st.sampled_from([False, False, True]), min_size=count, max_size=count))
    )
    rank = np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    eligible = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    return {
        "rank": np.where(reference, rank - 10, rank),
        "exact_group": first_of_each(draw(st.lists(st.integers(0, count), min_size=count, max_size=count))),
        "a": np.array([edge[0] for edge in edges], dtype=np.int64),
        "b": np.array([edge[1] for edge in edges], dtype=np.int64),
        "similarity": np.array([edge[2] for edge in edges], dtype=np.float64),
        "eligible": eligible | reference,
        "reference": reference,
    }


@given(graphs())
def test_every_removal_has_evidence_and_every_survivor_a_reason(graph: dict[str, np.ndarray]) -> None:
    threshold = 0.8
    found = survivors(**graph, threshold=threshold)
    group, rank, eligible = graph["exact_group"], graph["rank"], graph["eligible"]
    similarity: dict[tuple[int, int], float] = {}
    for a, b, value in zip(graph["a"], graph["b"], graph["similarity"], strict=True):
        for pair in ((group[a], group[b]), (group[b], group[a])):
            similarity[pair] = max(value, similarity.get(pair, 0.0))

    def reach(a: int, b: int) -> float:
        return 1.0 if group[a] == group[b] else similarity.get((group[a], group[b]), 0.0)

    kept = np.flatnonzero(found.kept)
    for document, method in enumerate(found.method.to_pylist()):
        survivor = int(found.kept_doc[document])
        if not eligible[document]:
            assert not found.kept[document] and survivor == -1 and method is None
        elif found.kept[document]:
            assert survivor == -1 and method is None
            alone = all(reach(document, other) < threshold for other in kept if other != document)
            assert alone or graph["reference"][document]
        else:
            assert found.kept[survivor] and not graph["reference"][document]
            assert (rank[survivor], survivor) < (rank[document], document)
            assert reach(document, survivor) == found.similarity[document] >= threshold
            assert method == ("exact" if group[survivor] == group[document] else "minhash")


@given(graphs())
def test_components_connect_equal_and_similar_documents(graph: dict[str, np.ndarray]) -> None:
    count = len(graph["rank"])
    strong = graph["similarity"] >= 0.8
    near = set(zip(graph["a"][strong].tolist(), graph["b"][strong].tolist(), strict=True))
    near |= set(enumerate(graph["exact_group"].tolist()))
    found = survivors(**graph, threshold=0.8)
    for document in range(count):
        members = {document}
        while grown := {end for edge in near if members & set(edge) for end in edge} - members:
            members |= grown
        assert found.component[document] == min(members)
        assert found.cluster_size[document] == len(members)
