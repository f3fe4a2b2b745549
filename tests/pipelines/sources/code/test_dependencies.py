"""Repositories as documents, and the order of their files."""

import re

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.code import git
from pipelines.sources.code.dependencies import imports_of, in_dependency_order
from tests.pipelines.sources.conftest import Reading

PROJECTS = {
    "Python": (
        {
            "app/main.py": "from .core import run\nimport app.util.text as t\n",
            "app/core.py": "from app.util import (\n    text,\n)\nimport os, importlib\n",
            "app/util/__init__.py": "",
            "app/util/text.py": "import re\n",
        },
        [("app/util/text.py", "app/core.py"), ("app/core.py", "app/main.py")],
    ),
    "TypeScript": (
        {
            "a/index.ts": "import { b } from '../b';\nexport * from \"./c.js\"\n",
            "b.ts": "const x = require('./a/c')\n",
            "a/c.ts": "import fs from 'fs'\n",
        },
        [("a/c.ts", "b.ts"), ("b.ts", "a/index.ts")],
    ),
    "Java": (
        {
            "src/org/a/A.java": "package org.a;\nimport org.b.B;\nimport static org.c.C.f;\n",
            "src/org/b/B.java": "package org.b;\nimport java.util.List;\n",
            "src/org/c/C.java": "package org.c;\nimport org.b.B;\n",
        },
        [("src/org/b/B.java", "src/org/c/C.java"), ("src/org/c/C.java", "src/org/a/A.java")],
    ),
    "C": (
        {
            "a.c": '#include <stdio.h>\n#include "lib/b.h"\n',
            "lib/b.h": "# include <deep/c.h>\n",
            "include/deep/c.h": "int c;\n",
        },
        [("include/deep/c.h", "lib/b.h"), ("lib/b.h", "a.c")],
    ),
    "Go": (
        {
            "cmd/a.go": 'package main\nimport (\n\t"fmt"\n\tx "example.org/me/repo/pkg/x"\n)\n',
            "pkg/x/x.go": 'package x\nimport "example.org/me/repo/pkg/y"\n',
            "pkg/y/y.go": "package y\n",
        },
        [("pkg/y/y.go", "pkg/x/x.go"), ("pkg/x/x.go", "cmd/a.go")],
    ),
    "Rust": (
        {
            "src/main.rs": "mod a;\nuse crate::b::inner::F;\nfn main() {}\n",
            "src/a.rs": "use super::b::G;\n",
            "src/b/mod.rs": "pub mod inner;\n",
            "src/b/inner.rs": "pub struct F;\n",
        },
        [("src/b/inner.rs", "src/b/mod.rs"), ("src/b/mod.rs", "src/a.rs"), ("src/a.rs", "src/main.rs")],
    ),
}


def ordered(files: dict[str, str], language: str) -> list[str]:
    return in_dependency_order([imports_of(path, language, text) for path, text in sorted(files.items())])


@pytest.mark.parametrize("language", PROJECTS)
def test_a_file_stands_behind_what_it_imports(language):
    files, pairs = PROJECTS[language]
    order = ordered(files, language)
    assert sorted(order) == sorted(files)
    for before, behind in pairs:
        assert order.index(before) < order.index(behind), (before, behind)


def test_files_of_languages_without_known_imports_keep_their_order():
    files = {"b.sql": "import a\n", "a.sql": ""}
    assert ordered(files, "SQL") == ["a.sql", "b.sql"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
def test_every_file_stands_once_and_in_order_where_there_is_no_circle(edges):
    files = {f"m{n}.py": "" for n in range(8)}
    for importer, imported in edges:
        files[f"m{importer}.py"] += f"import m{imported}\n"
    order = ordered(files, "Python")
    assert sorted(order) == sorted(files)
    assert order == ordered(files, "Python")
    reach = {(a, b) for a, b in edges}
    for _ in range(8):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c}
    for importer, imported in edges:
        if (imported, importer) not in reach:
            assert order.index(f"m{imported}.py") < order.index(f"m{importer}.py")


def test_a_long_chain_of_imports_is_no_matter():
    files = {f"m{n:05}.py": f"import m{n + 1:05}\n" for n in range(5_000)}
    assert ordered(files, "Python") == sorted(files, reverse=True)


@pytest.mark.parametrize("text", ["import " * 50_000, "from a import (" * 20_000, "import a," * 30_000])
def test_a_hostile_file_does_not_stop_the_ordering(text):
    assert ordered({"a.py": text, "b.py": "import a\n"}, "Python") == ["a.py", "b.py"]


def paths_of(text: str) -> list[str]:
    return re.findall(r"^==> (.*) <==$", text, re.MULTILINE)


def test_a_repository_is_one_document_in_the_order_that_is_asked_for(repository):
    commit = repository.commit(
        {
            "a.py": "import b\n",
            "b.py": "import c\n",
            "c.py": "import a\n",
            "d.go": "package d\n",
            "x.json": "{}",
        }
    )
    (document,) = Reading(repository.source(document="repository")).documents
    assert document["doc_id"] == "s/repo:0"
    assert document["text"].startswith("==> a.py <==\n\nimport b\n\n==> b.py <==\n\n")
    assert paths_of(document["text"]) == ["a.py", "b.py", "c.py", "d.go"]
    assert orjson.loads(document["metadata"]) == {
        "repo": "repo",
        "commit": commit,
        "files": 4,
        "programming_languages": {"Python": 3, "Go": 1},
    }
    reading = Reading(repository.source(document="repository", order="dependencies"))
    assert paths_of(reading.texts[0]) == ["c.py", "b.py", "a.py", "d.go"]
    assert reading.set_aside.passed_over["data"].files == 1


def test_a_large_repository_is_cut_between_files(repository, monkeypatch):
    monkeypatch.setattr(git, "MAX_DOCUMENT_BYTES", 20)
    repository.commit({f"{n}.py": "x = 12345\n" for n in range(5)})
    reading = Reading(repository.source(document="repository"), part_bytes=1)
    assert reading.ids == ["s/repo:0", "s/repo:1", "s/repo:2"]
    assert [paths_of(text) for text in reading.texts] == [["0.py", "1.py"], ["2.py", "3.py"], ["4.py"]]
