"""Which of the files that were found are documents; the others are passed over, and counted."""

import os
import re
from dataclasses import dataclass

from pipelines.errors import UserError
from pipelines.sources.formats import suffix_of
from pipelines.sources.kinds import ABOUT_THE_DATA, about_the_data, unread_suffix
from pipelines.sources.listing import InputFile, Listing, may_be_folder, printable
from pipelines.sources.passed_over import PassedOver, count_passed_over

_SAVED_STATE = re.compile(r"state\.json|dataset_info\.json|cache-.*\.arrow")


@dataclass(frozen=True)
class Chosen:
    """What a source reads, and what it passes over."""

    files: list[InputFile]
    passed_over: list[PassedOver]


def choose_documents(listing: Listing) -> Chosen:
    """Of the files of a folder or a glob those that are documents.

    None are files of kinds that are not read, nor what is about the data: README, LICENSE, COPYING, NOTICE,
    unless they are asked for by that name, and what `datasets` keeps beside the data that it saves.

    Raises:
        UserError: a link that could be a document leads nowhere, or a document's name is not UTF-8.
    """
    asked_for = bool(ABOUT_THE_DATA.match(listing.names[-1]))
    states = _saved_states([file.path for file in listing.files])

    def kind(path: str) -> str | None:
        about = None if asked_for else about_the_data(path, suffix_of(path))
        return about or ("state of a saved dataset" if path in states else _unread_suffix(path))

    files: list[InputFile] = []
    passed_over: list[tuple[str, str]] = []
    for file in listing.files:
        unread = None if file.denied else kind(file.path)
        if unread is None:
            files.append(file)
        else:
            passed_over.append((unread, printable(file.path)))
    for other in listing.others:
        unread = kind(other.path) if other.kind == "dangling link" else other.kind
        if unread is None or (unread == _unread_suffix(other.path) and may_be_folder(other.path)):
            raise other.error()
        passed_over.append((unread, printable(other.path)))
    for file in files:
        if not file.path.isascii() and printable(file.path) != file.path:
            raise UserError(
                "the file's name is not UTF-8", file=repr(os.fsencode(file.location)), hint="Rename it."
            )
    return Chosen(files, count_passed_over(passed_over))


def _unread_suffix(path: str) -> str | None:
    """The suffix of a file that no format reads; None of one that is read."""
    return unread_suffix(path) if suffix_of(path) is None else None


def _saved_states(paths: list[str]) -> set[str]:
    """Of files those that `save_to_disk` of `datasets`, or work on what it saved, put beside the data."""
    known = set(paths)
    folders = {os.path.dirname(path) for path in paths if os.path.basename(path) == "state.json"}
    saved = {folder for folder in folders if os.path.join(folder, "dataset_info.json") in known}
    above = {os.path.dirname(folder) for folder in saved}
    return {
        path
        for path in (paths if saved else ())
        if (os.path.dirname(path) in saved and _SAVED_STATE.fullmatch(os.path.basename(path)))
        or (os.path.dirname(path) in above and os.path.basename(path) == "dataset_dict.json")
    }
