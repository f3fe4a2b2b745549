"""A paper: from its LaTeX files to a title and a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.sources.latex.macros import expand, take_definitions
from pipelines.sources.latex.project import NoPaper, Project, preamble_and_body
from pipelines.sources.latex.readable import readable, title_of

VERSION = 2
"""To be raised when the same files give another text."""

MIN_LETTERS = 200
"""A text with fewer is no paper: a withdrawal, or a document whose text is where it was not found."""


class Paper(NamedTuple):
    """What is read of a paper."""

    text: str
    title: str | None
    main: str
    """The path of its main file."""


def read_paper(files: Mapping[str, bytes]) -> Paper:
    """The paper that consists of these files.

    Raises:
        NoPaper: None of them is the main file of a LaTeX document, or it has no text.
    """
    project = Project(files)
    main = project.main()
    whole = project.whole(main)
    packages = take_definitions(project.packages(whole))[1]
    plain, own = take_definitions(whole)
    preamble, body = preamble_and_body(expand(plain, packages | own))
    title = title_of(preamble, body)
    text = readable(body, preamble, project.verbatim)
    if sum(map(str.isalpha, text)) < MIN_LETTERS:
        raise NoPaper(f"{main} has no text")
    return Paper(f"# {title}\n\n{text}" if title else text, title, main)
