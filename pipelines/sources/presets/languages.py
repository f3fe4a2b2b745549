"""What data sets call the languages that they are divided by."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple

from filters.language.language_codes import LID_176, language_code

NEAR = 3
SHOWN = 12


class UnknownLanguageError(ValueError):
    """Completes a sentence that begins with the name of what has no such language."""


class Choice(NamedTuple):
    """A language of a data set."""

    code: str
    """What documents are labelled with."""
    name: str
    """What the data set calls it."""


@dataclass(frozen=True)
class Languages:
    """The languages of a data set by what a recipe calls them."""

    names: str
    """What the data set calls them, the best known first, or the largest; separated by blanks."""
    pattern: str = "{}"
    """How the data set writes a choice."""
    default: str | None = None
    required: bool = True
    """Whether one must be chosen; else all are read."""
    are_spoken: bool = True
    """Whether they are languages that people speak; those of programs are no label of a text."""
    aliases: str = ""
    """Other names of some, such as `cpp:C++`; of spoken languages the usual ones."""

    def find(self, asked: Any) -> Choice | None:
        """The language asked for, or the one read without a choice; None: all.

        Raises:
            UnknownLanguageError: There is none by this name, or one must be chosen.
        """
        if asked is None:
            asked = self.default
        if asked is None and not self.required:
            return None
        if asked is None:
            raise UnknownLanguageError(f"needs `language`, such as {', '.join(self.codes[:NEAR])}")
        found = self._by_code.get(_key(asked))
        if found is None and self.are_spoken:  # rus for ru
            found = self._by_code.get(language_code(f"{_key(asked)}_?").partition("-")[0])
        if found is not None:
            return found
        near = difflib.get_close_matches(_key(asked), self._by_code, n=1, cutoff=0.5)
        told = f"did you mean {self._by_code[near[0]].code}?" if near else f"it has {self._some()}"
        raise UnknownLanguageError(f"has no language {asked}; {told}")

    @property
    def codes(self) -> list[str]:
        """What a recipe may call each."""
        return list(dict.fromkeys(choice.code for choice in self._by_code.values()))

    def _some(self) -> str:
        more = " ..." if len(self.codes) > SHOWN else ""
        return ", ".join(self.codes[:SHOWN]) + more

    @cached_property
    def _by_code(self) -> dict[str, Choice]:
        found: dict[str, Choice] = {}
        names = self.names.split()
        choices = [
            Choice(language_code(name) if self.are_spoken else name, self.pattern.format(name))
            for name in names
        ]
        for choice in choices:
            found.setdefault(_key(choice.code), choice)
        for name, choice in zip(names, choices, strict=True):
            found.setdefault(_key(name), choice)
            found.setdefault(_key(name.partition("_")[0]), choice)
        for alias in self.aliases.split():
            other, _, name = alias.partition(":")
            choice = found[_key(name)]
            if self.are_spoken:
                found[_key(name)] = choice = Choice(other, choice.name)
            found[_key(other)] = choice
        return found


def _key(name: Any) -> str:
    return str(name).casefold().replace(" ", "-")


def _listed(file: str) -> str:
    return files("pipelines.sources.presets").joinpath(file).read_text("utf-8")


def wikipedia(dump: str, names: Iterable[str] = LID_176) -> Languages:
    """The languages of a dump of Wikipedia, by its date."""
    return Languages(" ".join(["en", "ru", *names, "simple"]), pattern=f"{dump}.{{}}")


FINEWEB_2 = Languages(_listed("fineweb_2.txt"))
"""By bytes; see fineweb2-language-distribution.csv of github.com/huggingface/fineweb-2."""
FINEPDFS = Languages("eng_Latn " + FINEWEB_2.names)
C4 = Languages(
    "en ru af am ar az be bg bg-Latn bn ca ceb co cs cy da de el el-Latn eo es et eu fa fi fil fr fy ga gd "
    "gl gu ha haw hi hi-Latn hmn ht hu hy id ig is it iw ja ja-Latn jv ka kk km kn ko ku ky la lb lo lt lv "
    "mg mi mk ml mn mr ms mt my ne nl no ny pa pl ps pt ro ru-Latn sd si sk sl sm sn so sq sr st su sv sw "
    "ta te tg th tr uk und ur uz vi xh yi yo zh zh-Latn zu",
    aliases="he:iw tl:fil",
)
WIKISOURCE = wikipedia(
    "20231201",
    "ar as az ban be bg bn br bs ca cs cy da de el eo es et eu fa fi fo fr gl gu he hi hr hu hy id is it ja "
    "jv kn ko la li lij lt mk ml mr nap nl no or pa pl pms pt ro sa sah sk sl sr su sv ta te th tr uk vec "
    "vi wa yi zh".split(),
)
THE_STACK = Languages(
    "python javascript java typescript c c++ c-sharp go rust php ruby sql shell html css markdown ada agda "
    "assembly awk batchfile clojure cmake common-lisp cuda d dart dockerfile elixir elm emacs-lisp erlang "
    "f-sharp fortran glsl groovy haskell hcl idris json julia jupyter-notebook kotlin lean less lua "
    "makefile matlab nix objective-c++ ocaml pascal perl powershell prolog protocol-buffer r racket "
    "restructuredtext sas scala scheme scss smalltalk solidity sparql stata svelte swift systemverilog tcl "
    "tex thrift verilog vhdl visual-basic vue xml yaml zig",
    pattern="data/{}",
    are_spoken=False,
    aliases="cpp:c++ csharp:c-sharp c#:c-sharp f#:f-sharp",
)
STARCODER = Languages(
    "python javascript java typescript c cpp c-sharp go rust php ruby sql shell html css markdown ada agda "
    "alloy antlr applescript assembly augeas awk batchfile bluespec clojure cmake coffeescript common-lisp "
    "cuda dart dockerfile elixir elm emacs-lisp erlang f-sharp fortran glsl groovy haskell idris isabelle "
    "java-server-pages json julia kotlin lean literate-agda literate-coffeescript literate-haskell lua "
    "makefile maple mathematica matlab ocaml pascal perl powershell prolog protocol-buffer r racket "
    "restructuredtext rmarkdown sas scala scheme smalltalk solidity sparql stan standard-ml stata "
    "systemverilog tcl tcsh tex thrift verilog vhdl visual-basic xslt yacc yaml zig",
    are_spoken=False,
    aliases="c++:cpp csharp:c-sharp c#:c-sharp f#:f-sharp",
)
LINGUIST = (
    "Python JavaScript Java TypeScript C C++ Go Rust PHP Ruby SQL Shell HTML CSS Markdown Ada Assembly "
    "Batchfile Clojure CMake CoffeeScript Cuda D Dart Dockerfile Elixir Elm Erlang Fortran GLSL Groovy "
    "Haskell HCL JSON Julia Kotlin Lean Less Lua Makefile MATLAB Nix OCaml Objective-C Pascal Perl "
    "PowerShell Prolog R Racket reStructuredText SAS SCSS Scala Scheme Smalltalk Solidity Stata Svelte "
    "Swift SystemVerilog Tcl TeX Thrift Verilog VHDL Vue XML YAML Zig"
)
THE_STACK_V2 = Languages(
    LINGUIST + " C-Sharp F-Sharp",
    are_spoken=False,
    aliases="cpp:C++ csharp:C-Sharp c#:C-Sharp f#:F-Sharp",
)
THE_STACK_V3 = Languages(
    LINGUIST + " C# F#",
    required=False,
    are_spoken=False,
    aliases="cpp:C++ csharp:C# c-sharp:C# f-sharp:F#",
)
