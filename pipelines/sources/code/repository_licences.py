"""Under which licence a repository's files are: the licence files of the nearest folder that has some."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache

from pipelines.sources.code.attributes import folder_of
from pipelines.sources.code.languages import code_suffix
from pipelines.sources.licences.spdx import spdx_id, spdx_of_all
from pipelines.sources.licences.texts import licence_of_text, says_choice

MAX_LICENCE_BYTES = 200_000
_NAME = re.compile(r"(?:MIT-|APACHE-)?(?:UN)?LICEN[CS]ES?(?:[-._].*)?|COPYING(?:[-._].*)?", re.IGNORECASE)
_CHOICE = re.compile(r"LICEN[CS]E-|UNLICEN[CS]E", re.IGNORECASE)


def is_licence_file(path: str) -> bool:
    """Whether a file holds a licence, by its name."""
    name = os.path.basename(path)
    return _NAME.fullmatch(name) is not None and code_suffix(name) is None


class Licences:
    """The licences of a repository's folders."""

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        """`files`: path and text of each licence file."""
        found: dict[str, list[tuple[str, str]]] = {}
        choices: set[str] = set()
        for path, text in files:
            if licence := _licence(text):
                found.setdefault(folder_of(path), []).append((os.path.basename(path), licence))
            elif says_choice(text):
                choices.add(folder_of(path))
        self._of_folder = {
            folder: _together(licences, folder in choices) for folder, licences in found.items()
        }

    def of(self, path: str) -> str | None:
        """The licence of a file: that of the nearest folder on the way up; None where no folder has one."""
        folder = folder_of(path)
        while folder and folder not in self._of_folder:
            folder = folder_of(folder)
        return self._of_folder.get(folder)


def _together(files: list[tuple[str, str]], is_choice: bool) -> str:
    """The licence of a folder's files: LICENSE-MIT beside LICENSE-APACHE or UNLICENSE is a choice."""
    licences = list(dict.fromkeys(licence for _, licence in files))
    if len(licences) > 1 and (is_choice or all(_CHOICE.match(name) for name, _ in files)):
        return spdx_id(" OR ".join(f"({each})" if " " in each else each for each in licences))
    return spdx_of_all(licences)


@lru_cache(maxsize=1000)
def _licence(text: str) -> str | None:
    return licence_of_text(text)
