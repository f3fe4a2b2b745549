"""The programming language of a file, and whether what it holds is text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.code.languages import code_suffix, language_called, language_of
from pipelines.sources.code.table import linguist

TOLD = [
    ("a/b.py", "x = 1\n", "Python"),
    ("CMakeLists.txt", "project(x)\n", "CMake"),
    ("Makefile", "all:\n", "Makefile"),
    ("run", "#!/usr/bin/env python3\n", "Python"),
    ("run", "#!/usr/bin/env -S node --harmony\n", "JavaScript"),
    ("run", "#!/bin/bash -e\n", "Shell"),
    ("run.pl", "#!/usr/bin/perl\n", "Perl"),
    ("x.rb", "# -*- mode: python -*-\n", "Python"),
    ("x", "// vim: set ft=cpp:\n", "C++"),
    ("x.h", "int f(void);\n", "C"),
    ("x.h", "#include <vector>\nclass A;\n", "C++"),
    ("x.h", "#import <Foundation/Foundation.h>\n@interface A\n@end\n", "Objective-C"),
    ("x.m", "@implementation A\n@end\n", "Objective-C"),
    ("x.m", "% sums\nfunction y = f(x)\ny = x;\n", "MATLAB"),
    ("x.pl", "use strict;\nmy $x = 1;\n", "Perl"),
    ("x.pl", "parent(X, Y) :- child(Y, X).\n", "Prolog"),
    ("x.ts", "let x: number = 1\n", "TypeScript"),
    ("x.ts", "<?xml version='1.0'?>\n<TS version='2'></TS>\n", "XML"),
    ("x.v", "module m(input a);\nendmodule\n", "Verilog"),
    ("x.v", "Require Import List.\nProof. auto. Qed.\n", "Rocq Prover"),
    ("x.r", "x <- 1\n", "R"),
    ("x.sql", "SELECT 1;\n", "SQL"),
    ("x.sql", "CREATE FUNCTION f() RETURNS int AS $$ BEGIN END $$ LANGUAGE plpgsql;\n", "PLpgSQL"),
    ("x.rs", "fn main() {}\n", "Rust"),
    ("X.PY", "x = 1\n", "Python"),
    ("app.unheard", "x", None),
    ("README", "words", None),
]


@pytest.mark.parametrize(("path", "text", "name"), TOLD)
def test_the_language_of_a_file(path, text, name):
    found = language_of(path, text.encode())
    assert (found and found.name) == name


@settings(deadline=None)
@given(st.text(max_size=30), st.binary(max_size=300))
def test_any_path_and_content_has_a_language_that_linguist_knows_or_none(path, content):
    found = language_of(path, content)
    assert found is None or found.name in linguist()["languages"]


@pytest.mark.parametrize("suffix", [".d", ".inc", ".pro", ".q", ".qs", ".odin", ".ts", ".txt", ".pl"])
@pytest.mark.parametrize("filler", [b"a\n", b"a", b"\n \n", b"(a\n", b"a.", b" vim:a a", b"import a,"])
def test_a_hostile_file_does_not_stop_the_reading(suffix, filler):
    found = language_of("x" + suffix, filler * (1 << 17))  # a pattern that went wrong would never return
    assert found is None or suffix in linguist()["languages"][found.name]["suffixes"]


def test_suffixes_that_are_source_code_in_any_folder():
    code = [
        "a.py",
        "a.js",
        "a.ts",
        "a.java",
        "a.c",
        "a.h",
        "a.go",
        "a.rs",
        "a.f90",
        "a.tex",
        "a.sql",
        "A.CPP",
    ]
    assert [path for path in code if code_suffix(path) is None] == []
    others = ["a.las", "a.mo", "a.xml", "a.yaml", "a.csv", "a.bin", "a.pdf", "a.aux", "a.ipynb", "py", "a.1"]
    assert [path for path in others if code_suffix(path) is not None] == []


def test_a_language_is_known_by_its_alias_in_any_case():
    assert [language_called(name) for name in ("go", "golang", "C++", "cpp", "PYTHON")] == [
        "Go",
        "Go",
        "C++",
        "C++",
        "Python",
    ]
    with pytest.raises(ValueError, match="did you mean Python"):
        language_called("pyhton")
