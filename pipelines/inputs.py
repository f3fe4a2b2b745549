"""What a run's outside inputs are: live, as a new run finds them, or as a finished run recorded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa

from mixers.files import hash_file
from pipelines.atomic import write_bytes
from pipelines.errors import UserError
from pipelines.fingerprint import fingerprint
from pipelines.recipe import Recipe
from pipelines.sources.base import Quarantine, Source, Unit
from pipelines.sources.config import SourceConfig
from pipelines.sources.hub import HubSource

PINS = "pins.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


@dataclass(frozen=True)
class BaseTokenizer:
    """A base tokenizer: where it is loaded from, and what it is."""

    location: str
    revision: str | None
    identity: str


class Inputs(Protocol):
    """Where the graph gets its outside inputs from."""

    def source(self, name: str, config: SourceConfig) -> Source:
        """The source called `name`."""
        ...

    def tokenizer(self, base: str) -> BaseTokenizer:
        """The tokenizer that the recipe names."""
        ...


@dataclass
class LiveInputs:
    """The inputs as they are now. Paths are relative to `base_folder`, the recipe's own.

    `pins` maps what was asked of a hub to the commit that an earlier run got, so that a run means the same
    data
    for ever.
    """

    base_folder: Path
    pins: dict[str, str] = field(default_factory=dict)

    @classmethod
    def for_run(cls, base_folder: Path, workdir: Path) -> LiveInputs:
        """The inputs with the pins of an earlier run in `workdir`."""
        path = workdir / PINS
        return cls(base_folder, orjson.loads(path.read_bytes()) if path.exists() else {})

    def source(self, name: str, config: SourceConfig) -> Source:
        """The source, at its pinned commit where it has one."""
        source = config.build(name, self.base_folder)
        pinned = self.pins.get(_source_key(source)) if isinstance(source, HubSource) else None
        return source.pin(pinned) if isinstance(source, HubSource) and pinned else source

    def tokenizer(self, base: str) -> BaseTokenizer:
        """A path relative to the recipe's folder, else a hub id at its pinned commit."""
        path = self.base_folder / Path(base).expanduser()
        if path.exists():
            files = [path] if path.is_file() else [path / name for name in TOKENIZER_FILES]
            return BaseTokenizer(
                str(path), None, fingerprint({file.name: hash_file(file) for file in files if file.is_file()})
            )
        revision = self.pins.get(_tokenizer_key(base))
        return BaseTokenizer(base, revision, f"{base}@{revision}")

    def pin(self, recipe: Recipe, workdir: Path) -> None:
        """Ask the hub for the commit of everything that has none yet, and keep the answers in `workdir`.

        Raises UserError or WorkError when a name is unknown or the hub cannot be reached.
        """
        known = len(self.pins)
        for name, config in recipe.sources.items():
            source = self.source(name, config)
            if isinstance(source, HubSource) and source.folder is None and source.pinned is None:
                commit = source.resolve(offline=False).pinned
                assert commit is not None, "resolving pins a commit or raises"
                self.pins[_source_key(source)] = commit
        base = recipe.tokenizer.base
        if (
            base
            and not (self.base_folder / Path(base).expanduser()).exists()
            and _tokenizer_key(base) not in self.pins
        ):
            self.pins[_tokenizer_key(base)] = _tokenizer_commit(base)
        if len(self.pins) > known:
            write_bytes(
                workdir / PINS, orjson.dumps(self.pins, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
            )


def _source_key(source: HubSource) -> str:
    return f"dataset {source.config.dataset}@{source.config.revision}"


def _tokenizer_key(base: str) -> str:
    return f"tokenizer {base}"


def _tokenizer_commit(base: str) -> str:
    from tokenizer_tools.load import TokenizerError, load_tokenizer

    try:
        commit = load_tokenizer(base).revision
    except TokenizerError as error:
        raise UserError(str(error), place="tokenizer.base") from error
    assert commit is not None, "what is not a local path is a hub id, which has a commit"
    return commit


@dataclass(frozen=True)
class RecordedInputs:
    """The inputs of a finished run: what they were, not what they have become. They cannot be read again.

    `settings` maps the label of each stage to the settings in its manifest.
    """

    settings: Mapping[str, dict[str, Any]]

    def source(self, name: str, config: SourceConfig) -> Source:
        """What the ingest stage recorded."""
        return RecordedSource(self.settings[f"ingest {name}"]["input"])

    def tokenizer(self, base: str) -> BaseTokenizer:
        """What the tokenizer stage recorded."""
        return BaseTokenizer(base, None, self.settings["tokenizer"]["identity"])


@dataclass(frozen=True)
class RecordedSource:
    """The identity that a source had."""

    recorded: dict[str, Any]

    def identity(self) -> dict[str, Any]:
        """As recorded."""
        return self.recorded

    def size(self) -> int | None:
        """Not recorded."""
        return None

    def units(self, part_bytes: int) -> list[Unit]:
        """A finished run is not read again."""
        raise NotImplementedError("a recorded source has no units")

    def read(self, unit: Unit, quarantine: Quarantine) -> Iterator[pa.Table]:
        """A finished run is not read again."""
        raise NotImplementedError("a recorded source cannot be read")
