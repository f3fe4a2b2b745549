"""Results are kept by what decides them: nothing is asked twice, and nothing stale or damaged is taken."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.outcome.measure import measure_variants
from pipelines.evaluation.outcome.results import Results
from pipelines.evaluation.outcome.table import References, row_of_values
from pipelines.evaluation.variants import Variant


@dataclass
class Length:
    """A measure that counts how often it asks."""

    unit: str = "bytes"
    as_table: bool = False
    asked: list[str] = field(default_factory=list)
    name: str = "length"

    def settings(self, variant):
        return {"unit": self.unit}

    def refuses(self, variant):
        return "it is not asked" if variant.kind == "prompt" else None

    def ask(self, variant, loaded):
        self.asked.append(variant.name)
        if variant.name == "broken":
            raise ValueError("it cannot be asked")
        size = (loaded.folder / "model.safetensors").stat().st_size
        return pa.table({"length": [size]}) if self.as_table else {"length": size}

    def tables(self, results, references) -> Iterator:
        yield from ()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def asked(measure: Length, model: Path, *names: str, kind: str = "stage") -> list[str]:
    measure.asked.clear()
    variants = [Variant(name=name, kind=kind, model="m") for name in names]
    measured = measure_variants(
        [measure], variants, {"m": model}, Results(model.parent / "kept"), lambda _: None
    )
    for result in measured.results.get("length", {}).values():
        found = result["length"][0].as_py() if isinstance(result, pa.Table) else result["length"]
        assert found == (model / "model.safetensors").stat().st_size
    return list(measure.asked)


@pytest.mark.parametrize("as_table", [False, True])
def test_what_was_asked_is_kept_until_something_changes(model, as_table):
    measure = Length(as_table=as_table)
    assert asked(measure, model, "a") == ["a"]
    assert asked(measure, model, "a") == []
    assert asked(measure, model, "another name of the same model") == []
    assert asked(Length(unit="bits", as_table=as_table), model, "a") == ["a"]
    (model / "model.safetensors").write_bytes(b"other weights")
    assert asked(measure, model, "a") == ["a"]
    (model / "tokenizer.json").write_text("{}")
    assert asked(measure, model, "a") == ["a"]


@pytest.mark.parametrize("as_table", [False, True])
def test_a_damaged_result_is_asked_for_again(model, as_table):
    measure = Length(as_table=as_table)
    asked(measure, model, "a")
    (path,) = (model.parent / "kept").iterdir()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"length", b"lenght") if not as_table else data[: len(data) // 2])
    assert asked(measure, model, "a") == ["a"]
    assert asked(measure, model, "a") == []


def test_what_cannot_be_asked_is_said(model):
    variants = [
        Variant(name="broken", kind="stage", model="m"),
        Variant(name="first", kind="prompt", model="m"),
        Variant(name="second", kind="prompt", model="m"),
    ]
    measured = measure_variants([Length()], variants, {"m": model}, Results(model), lambda _: None)
    assert [(each.variants, each.why) for each in measured.not_measured] == [
        (("broken",), "it cannot be asked"),
        (("first", "second"), "it is not asked"),
    ]
    assert measured.results == {}


@given(
    st.integers(20, 40).flatmap(
        lambda count: st.tuples(*[st.lists(st.sampled_from([0.0, 1.0]), min_size=count, max_size=count)] * 2)
    )
)
def test_differences_are_paired_and_turn_with_their_reference(values):
    base, tuned = map(np.array, values)
    row = row_of_values("of", {"base": base, "tuned": tuned}, References("base", "tuned"))
    there, back = row.differences["tuned"], row.from_tuned["base"]
    assert there.value == pytest.approx(tuned.mean() - base.mean())
    assert there.interval == pytest.approx([-end for end in reversed(back.interval)])
    assert there.interval[0] <= there.interval[1]
    assert row.differences.keys() == {"tuned"} and row.scores.keys() == {"base", "tuned"}
