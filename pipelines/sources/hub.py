"""Datasets of the hub, or folders in its layout, found through the `datasets` library.

The library says which files a subset and split consist of. They are then read like any other files, straight
from the hub, so that bad records are set aside with their place and large files are cut into units. No code
of a dataset is ever run.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from posixpath import commonpath, dirname
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from pipelines.errors import CoupageError, UserError, WorkError
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.content import Contents
from pipelines.sources.first_records import preview_files
from pipelines.sources.formats import RecordOptions, read_unit, suffix_of
from pipelines.sources.listing import InputFile, list_files
from pipelines.sources.presets.registry import gate_of
from pipelines.sources.preview import Preview
from pipelines.sources.remote.hub_file import ConsentNeeded

HUB_SUFFIXES = (".parquet", ".arrow", ".jsonl", ".json", ".csv", ".tsv", ".txt", ".md")
"""What is read of datasets. Nobody looks on the hub when a run goes on, so which of these it has decides
nothing; and they are those whose text no library finds, of which the next version may find another."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubConfig(RecordOptions):
    """A dataset of the hub, pinned to a commit, or a local folder in the hub's layout."""

    reader: Literal["hub"]
    dataset: str = Field(description="owner/name on the hub, or a local folder (also one of `save_to_disk`).")
    subset: str | None = Field(default=None, description="The dataset's configuration, e.g. a language.")
    split: str = Field(default="train", description="The split to read.")
    data_dir: str | None = Field(default=None, description="Read only this folder of the dataset.")
    revision: str = Field(
        default="main", description="Branch, tag or commit; what it points to is pinned for the run."
    )

    @override
    def build(self, name: str, base_folder: Path, contents: Contents | None = None) -> "HubSource":
        """The source called `name`; of a folder and a dataset by the same name the folder is meant."""
        folder = base_folder / Path(self.dataset).expanduser()
        is_path = self.dataset.startswith(("/", "./", "../", "~"))
        if folder.is_dir():
            return HubSource(name, self, folder=str(folder), contents=contents or Contents())
        if is_path or self.dataset.count("/") > 1:
            list_files("", str(folder))  # says what is there instead
            raise UserError(f"{folder} is a file", hint="The files reader opens it.")
        return HubSource(name, self, pinned=self.revision if _COMMIT.fullmatch(self.revision) else None)


@dataclass(frozen=True)
class HubSource(Source):
    """One split of a dataset."""

    name: str
    config: HubConfig
    folder: str | None = None
    """Where the dataset lies, if on this machine."""
    pinned: str | None = None
    """The commit that is read, once it is known."""
    files: tuple[InputFile, ...] | None = None
    """The split's files on the hub, once they are known."""
    contents: Contents = field(default_factory=Contents, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: its task names the files and their content."""
        state = {name: value for name, value in vars(self).items() if name != "_files"}
        return state | {"contents": Contents()}

    def resolve(self, offline: bool) -> "HubSource":
        """The source with its commit pinned and its files listed; offline, as it is.

        Raises:
            UserError: there is no such dataset, subset, split or revision.
            WorkError: the hub cannot be reached.
        """
        if self.folder is not None or offline:
            return self
        pinned = self.pinned or _commit(self.config)
        return replace(self, pinned=pinned, files=tuple(_hub_files(self.config, pinned)))

    def pin(self, commit: str) -> "HubSource":
        """The source at a commit that an earlier run has pinned."""
        return replace(self, pinned=commit, files=None)

    @override
    def identity(self) -> dict[str, Any]:
        """The dataset and its commit, None while it is unknown; of a folder its files."""
        part: dict[str, Any] = {
            "reader": "hub",
            **self.config.identity(HUB_SUFFIXES if self.folder is None else [f.path for f in self._files]),
            "subset": self.config.subset,
            "split": self.config.split,
        }
        if self.folder is not None:
            return part | {"files": [[file.path, file.size, file.version] for file in self._files]}
        return part | {
            "dataset": self.config.dataset,
            "data_dir": self.config.data_dir,
            "revision": self.config.revision,
            "pinned": self.pinned,
        }

    @override
    def size(self) -> int | None:
        """Bytes of the split's files, within the limit; None if the hub has not been asked."""
        if self.folder is None and self.files is None:
            return None
        return self.config.limited_size(sum(file.size for file in self._files))

    @override
    def units(self, part_bytes: int) -> list[Unit]:
        """As of the `files` reader: row groups, or whole files where those are compressed or lines."""
        return self.config.plan(self._files, part_bytes)

    @override
    def preview(self) -> Preview:
        with _hub_errors(self.config):
            return preview_files(self.name, self.config, self._files)

    @override
    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        root = self.folder or _root(self.config, self.pinned)
        file = InputFile(unit.file, f"{root}/{unit.file}", unit.bytes)
        return read_unit(file, unit, self.config.field_map(self.name), quarantine)

    @cached_property
    def _files(self) -> tuple[InputFile, ...]:
        """The split's files, listed once."""
        if self.folder is not None:
            return self.contents.identified(_folder_files(self.config, Path(self.folder)))
        return self.files or self.resolve(offline=False).files or ()


def _root(config: HubConfig, commit: str | None) -> str:
    return f"hf://datasets/{config.dataset}@{commit}"


def _commit(config: HubConfig) -> str:
    """What the revision points to now."""
    from huggingface_hub import HfApi

    with _hub_errors(config):
        return str(HfApi().dataset_info(config.dataset, revision=config.revision).sha)


def _hub_files(config: HubConfig, commit: str) -> list[InputFile]:
    from huggingface_hub import HfFileSystem

    root = _root(config, commit)
    with _hub_errors(config):
        paths = [path.removeprefix(f"{root}/") for path in _data_files(config, config.dataset, commit)]
        folder = commonpath([dirname(path) for path in paths])
        found: Any = HfFileSystem().find(f"{root}/{folder}".rstrip("/"), detail=True)
    prefix = root.removeprefix("hf://")
    return [InputFile(path, f"{root}/{path}", found[f"{prefix}/{path}"]["size"]) for path in sorted(paths)]


def _folder_files(config: HubConfig, folder: Path) -> list[InputFile]:
    """The split's files in a folder: of a saved dataset those of its state, else what the library finds."""
    saved = _saved_split(config, folder)
    if saved is not None:
        state: dict[str, Any] = json.loads((saved / "state.json").read_text())
        paths = [saved / Path(file["filename"]).name for file in state["_data_files"]]
    else:
        root = folder.resolve()
        with _hub_errors(config):
            paths = [folder / Path(path).relative_to(root) for path in _data_files(config, str(folder), None)]
    files = []
    for path in paths:
        found = path.stat()
        relative = path.relative_to(folder).as_posix()
        files.append(InputFile(relative, str(path), found.st_size))
    return files if saved is not None else sorted(files, key=lambda file: file.path)


def _saved_split(config: HubConfig, folder: Path) -> Path | None:
    """The folder of the split if `folder` was written by `save_to_disk`."""
    if (folder / "state.json").is_file():
        return folder
    if not (folder / "dataset_dict.json").is_file():
        return None
    splits = json.loads((folder / "dataset_dict.json").read_text())["splits"]
    if config.split not in splits:
        raise _unknown("split", config.split, splits, config)
    return folder / config.split


def _data_files(config: HubConfig, dataset: str, commit: str | None) -> list[str]:
    """Paths or URLs of a split's files, as the `datasets` library resolves them."""
    from datasets import load_dataset_builder

    builder: Any = load_dataset_builder(dataset, config.subset, data_dir=config.data_dir, revision=commit)
    splits: dict[str, Any] = builder.config.data_files or {}
    if config.split not in splits:
        raise _unknown("split", config.split, list(splits), config)
    files = [str(path) for path in splits[config.split]]
    for path in files:
        if suffix_of(path) not in HUB_SUFFIXES:
            raise UserError(
                f"{config.dataset}: {path.rpartition('/')[2]} has no suffix that can be read",
                hint=f"Readable on the hub are {' '.join(HUB_SUFFIXES)}; many datasets have a revision "
                "refs/convert/parquet.",
            )
    return files


def _unknown(what: str, name: str, known: list[str], config: HubConfig) -> UserError:
    close = get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return UserError(
        f"{config.dataset} has no {what} {name}", hint=f"{hint}It has {', '.join(known) or 'none'}."
    )


def page_of(dataset: str) -> str:
    """The address of a dataset's page."""
    from huggingface_hub.constants import ENDPOINT

    return f"{ENDPOINT}/datasets/{dataset}"


def _consent_needed(config: HubConfig) -> UserError:
    terms = gate_of(config.dataset)
    page = page_of(config.dataset)
    return UserError(
        f"{config.dataset} asks for consent before it may be read" + (f": {terms}" if terms else ""),
        hint=f"Accept the terms on {page}, and set HF_TOKEN to a token of your account.",
    )


@contextmanager
def _hub_errors(config: HubConfig) -> Iterator[None]:
    """Say in our terms what went wrong while the dataset was looked up."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except (GatedRepoError, ConsentNeeded) as error:
        raise _consent_needed(config) from error
    except CoupageError:
        raise
    except RevisionNotFoundError as error:
        raise UserError(
            f"{config.dataset} has no revision {config.revision}", hint="Check `revision`."
        ) from error
    except (RepositoryNotFoundError, FileNotFoundError, ValueError) as error:
        raise UserError(
            f"{config.dataset} cannot be opened: {error}",
            hint="Check `dataset` (owner/name, or a folder that exists), `subset` and `data_dir`; "
            "a private dataset needs HF_TOKEN.",
        ) from error
    except Exception as error:
        raise WorkError(
            f"{config.dataset} could not be looked up on the hub: {error}",
            hint="Try again, or download the dataset and give its folder as `dataset`.",
        ) from error
