import json
import platform
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.sources.python_environment import PythonEnvironmentConfig

from .conftest import Reading

MODULE = '''"""Tools for grapes."""

import os


def press(grapes, weight=2.5, *, twice=False):
    """Press grapes.

    Slowly.
    """


def _hidden():
    """Not shown."""


class Barrel:
    """Holds wine."""

    def fill(self, *wines, **how):
        """Fill it."""

    def empty(self):
        pass
'''


def install(site: Path, name: str, files: dict[str, bytes], metadata: str) -> None:
    """Lay out a distribution as installers do."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}", encoding="utf-8"
    )
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
    record = [f"{path},,{len(content)}" for path, content in files.items()]
    (info / "RECORD").write_text("\n".join([*record, f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on Python's path with a few distributions in it."""
    site = tmp_path / "site"
    install(
        site,
        "Grape_Tools",
        {
            "grape/__init__.py": MODULE.encode(),
            "grape/empty.py": b" \n",
            "grape/latin.py": "# coding: latin-1\n# caf\xe9\n".encode("latin-1"),
            "grape/broken.py": b"def (:\n",
            "grape/tests/test_press.py": b"assert True\n",
            "grape/__pycache__/x.py": b"x",
            "__editable___grape_finder.py": b"MAPPING = {'grape': '/home/me/grape'}\n",
            "grape/guide.rst": b"Guide\n=====\n",
            "grape/LICENSE.txt": b"license",
            "../../bin/grape.py": b"outside",
        },
        "License: MIT\nHome-page: https://grape.example\n\n# Grape tools\n\nThey press.\n",
    )
    install(site, "vine", {"vine.py": b"x = 1\n"}, "License-Expression: BSD-3-Clause\n\nVines.\n")
    (site / "../../bin").mkdir(exist_ok=True)
    monkeypatch.syspath_prepend(str(site))
    return site


def source(content, *distributions, **options):
    config = PythonEnvironmentConfig(
        reader="python_environment", content=content, distributions=distributions or ("*",), **options
    )
    return config.build("py", Path())


def test_code(site):
    reading = Reading(source("code", "grape-*", "vine"))
    assert reading.ids == [
        "py/grape-tools/grape/__init__.py",
        "py/grape-tools/grape/broken.py",
        "py/vine/vine.py",
    ]
    assert reading.texts[0] == MODULE
    assert [document["license"] for document in reading.documents] == ["MIT", "MIT", "BSD-3-Clause"]
    assert reading.documents[0]["url"] == "https://grape.example"
    assert json.loads(reading.documents[0]["metadata"]) == {"distribution": "grape-tools", "version": "1.0"}
    assert [row[:3] for row in reading.quarantine] == [
        ("grape-tools/grape/latin.py", "line 2, byte 18", "invalid UTF-8")
    ]


def test_docstrings(site):
    reading = Reading(source("docstrings", "grape-tools", "vine"))
    assert reading.texts == [
        "grape\n\nTools for grapes.\n\n\n"
        "grape.press(grapes, weight=2.5, *, twice=False)\n\nPress grapes.\n\nSlowly.\n\n\n"
        "grape.Barrel\n\nHolds wine.\n\n\n"
        "grape.Barrel.fill(*wines, **how)\n\nFill it.\n"
    ]
    assert [row[2] for row in reading.quarantine] == ["invalid Python", "invalid UTF-8"]


def test_documentation_and_descriptions(site):
    assert Reading(source("documentation", "grape-tools")).texts == ["Guide\n=====\n"]
    descriptions = Reading(source("descriptions", "grape-tools", "vine"))
    assert descriptions.ids == ["py/grape-tools", "py/vine"]
    assert descriptions.texts == ["# Grape tools\n\nThey press.\n", "Vines.\n"]


def test_distributions_can_be_excluded(site):
    names = {row[0] for row in source("descriptions", "!vine").identity()["distributions"]}
    assert "grape-tools" in names and "vine" not in names
    with pytest.raises(UserError, match="no installed distribution"):
        source("code", "no-such-thing").units(1000)


def test_identity_and_ids_do_not_tell_the_machines_paths(site):
    identity = source("code", "grape-tools", "vine").identity()
    assert identity == json.loads(json.dumps(identity))
    assert identity["python"] == platform.python_version()
    assert [row[:2] for row in identity["distributions"]] == [["grape-tools", "1.0"], ["vine", "1.0"]]
    reading = Reading(source("code", "grape-tools"))
    assert str(site) not in json.dumps([identity, reading.documents, reading.quarantine])


def test_cutting_into_units_changes_nothing(site):
    for content in ("code", "docstrings", "documentation", "descriptions"):
        whole = Reading(source(content, "grape-tools", "vine", "pytest"), 1 << 30)
        parts = Reading(source(content, "grape-tools", "vine", "pytest"), 300)
        assert parts.documents == whole.documents and parts.quarantine == whole.quarantine
    assert len(Reading(source("code", "pytest", limit="5 documents")).documents) <= 5


def test_the_standard_library(monkeypatch):
    code = Reading(source("code", "python", limit="2MB"), 1 << 18)
    assert "py/python/abc.py" in Reading(source("code", "python", limit="9999 documents")).ids
    assert len(code.ids) == len(set(code.ids)) and {doc_id.lower()[10] for doc_id in code.ids} >= set("acst")
    assert not any("/test/" in doc_id or "site-packages" in doc_id for doc_id in code.ids)
    topics = Reading(source("documentation", "python"))
    assert "py/python/pydoc_data/topics.py#lambda" in topics.ids
    assert all(document["license"] == "PSF-2.0" for document in topics.documents)
