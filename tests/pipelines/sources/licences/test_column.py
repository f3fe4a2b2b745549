"""Columns of declared licences: a string, a list, the text of a licence, or nothing."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.base import Labels, Quarantine
from pipelines.sources.fields import FieldMap, Fields, documents_from_records
from pipelines.sources.licences.column import declared_id, spdx_column
from pipelines.sources.licences.spdx import UNKNOWN, spdx_id
from tests.pipelines.sources.licences.test_texts import MIT


@pytest.mark.parametrize(
    ("declared", "expression"),
    [
        ("mit", "MIT"),
        (["MIT"], "MIT"),
        (["MIT", "Apache-2.0"], "Apache-2.0 AND MIT"),
        (["MIT", "no_license"], "MIT"),
        (["MIT OR ISC", "GPL-2.0"], "GPL-2.0-only AND (ISC OR MIT)"),
        ([], None),
        ("no_license", None),
        (None, None),
        ({"name": "MIT"}, None),
        (MIT, "MIT"),
    ],
)
def test_what_a_record_declares(declared, expression):
    assert declared_id(declared) == expression


@settings(deadline=None)
@given(
    st.lists(st.none() | st.sampled_from(["mit", "MIT License", "", "GPLv3", "ours"]) | st.text(max_size=9))
)
def test_a_column_is_its_values(declared):
    column = spdx_column(pa.array(declared, pa.string()))
    ids = [None if name is None else spdx_id(name) for name in declared]
    assert column.type == pa.string()
    assert column.to_pylist() == [None if name == UNKNOWN else name for name in ids]


def test_what_spdx_has_no_name_for_stays_in_the_metadata():
    declared = ["mit", ["MIT", "Our Own"], "Our Own", "unknown", None]
    records = [(row, -1, -1, 9, {"text": "a", "about": {"of": each}}) for row, each in enumerate(declared)]
    fields = FieldMap(Labels("code", "code", license="apache-2.0"), Fields(license="about.of"))
    table = documents_from_records(records, fields, "a.jsonl", Quarantine())
    assert table.column("license").to_pylist() == [
        *("MIT", "LicenseRef-our-own AND MIT", "LicenseRef-our-own"),
        *("Apache-2.0", "Apache-2.0"),
    ]
    kept = [json.loads(text).get("declared_license") for text in table.column("metadata").to_pylist()]
    assert kept == [None, ["MIT", "Our Own"], "Our Own", "unknown", None]
