"""Sorts and tables in files, with so little room in memory that all of them are cut."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.execution import spill
from pipelines.execution.external_sort import sorted_rows
from pipelines.execution.scratch import scratch_folder
from pipelines.execution.spill import Partitions, RowValues, TableFile, recut


@pytest.fixture(autouse=True, scope="module")
def little_room():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "ROWS_AT_ONCE", 8)
        patch.setattr(spill, "ROWS_A_PARTITION", 4)
        patch.setattr(spill, "MOST_PARTITIONS", 5)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(-2, 2)), max_size=70),
    cuts=st.lists(st.integers(0, 70), max_size=6),
)
def test_an_external_sort_is_a_stable_sort_by_all_keys(folder, keys, cuts) -> None:
    columns = [
        np.array([key[0] for key in keys], bool),
        np.array([key[1] for key in keys], np.int16),
        np.array([key[2] for key in keys], np.float64),
        np.arange(len(keys)),
    ]
    bounds = [0, *sorted(min(cut, len(keys)) for cut in cuts), len(keys)]
    blocks = [[column[slice(*pair)] for column in columns] for pair in pairwise(bounds)]
    with scratch_folder(folder) as scratch:
        rows = np.concatenate([np.empty(0, int), *sorted_rows(scratch, "keys", blocks)])
        assert not list(scratch.iterdir())
    assert rows.tolist() == np.lexsort(columns[2::-1]).tolist()
    assert not list(folder.iterdir())


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(0, 90), known=st.sets(st.integers(0, 89)), seed=st.integers(0, 9))
def test_values_of_rows_come_back_in_order_with_defaults_in_the_gaps(folder, rows, known, seed) -> None:
    known = np.random.default_rng(seed).permutation([row for row in known if row < rows]).astype(int)
    names = [f"name {row}" for row in known]
    with scratch_folder(folder) as scratch:
        values = RowValues(scratch, "values", rows)
        for start in range(0, len(known), 7):
            some = known[start : start + 7]
            strings = pa.array(names[start : start + 7], pa.large_string())
            values.add(pa.table({"row": some, "square": some * some, "name": strings}))
        columns = pa.concat_tables(values.columns(square=-1))
        own = pa.concat_tables(values.columns(square=None))
        strings = pa.concat_tables(values.strings("name")).column("name").to_pylist()
    there = set(known.tolist())
    assert columns.column("square").to_pylist() == [r * r if r in there else -1 for r in range(rows)]
    assert own.column("square").to_pylist() == [r * r if r in there else r for r in range(rows)]
    assert strings == [f"name {r}" if r in there else None for r in range(rows)]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 30), max_size=8), number=st.integers(1, 5))
def test_partitions_keep_all_rows_in_order(folder, sizes, number) -> None:
    rows = np.arange(sum(sizes))
    partition = np.random.default_rng(len(rows)).integers(0, number, len(rows))
    with scratch_folder(folder) as scratch:
        partitions = Partitions(scratch, "parts", number)
        for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            here = slice(start, start + size)
            partitions.add(partition[here], pa.table({"row": rows[here]}))
        found = [
            [row for table in partitions.tables(n) for row in table.column("row").to_pylist()]
            for n in range(number)
        ]
    assert found == [rows[partition == n].tolist() for n in range(number)]


@settings(max_examples=40, deadline=None)
@given(given_=st.lists(st.integers(0, 9), max_size=8), wanted=st.lists(st.integers(0, 9), max_size=8))
def test_tables_are_cut_anew(folder, given_, wanted) -> None:
    ends = np.cumsum([0, *given_])
    tables = [pa.table({"row": np.arange(*pair)}) for pair in pairwise(ends)]
    with scratch_folder(folder) as scratch:
        file = TableFile(scratch, "tables")
        for table in tables:
            file.add(table)
        cut = list(recut(file.tables(), wanted))
    if sum(wanted) <= sum(given_) and given_:
        assert [table.num_rows for table in cut] == wanted
        assert [row for table in cut for row in table.column("row").to_pylist()] == list(range(sum(wanted)))
