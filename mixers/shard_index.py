"""The index of a folder of shards: what it holds, by file, and how its account is read. Loads no arrays."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mixers.ledger import Ledger

INDEX_FILE = "coupage.json"
SEGMENTS_FILE = "segments.parquet"
LEDGER_FILE = "ledger.json"

FORMAT_VERSION: Final = 1


class ShardError(ValueError):
    """A folder of shards is missing, unfinished or damaged."""


class ShardFile(BaseModel):
    """What the index says about one data file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^data-\d{5}-of-\d{5}\.arrow$")
    rows: int
    tokens: int
    dtype: Literal["uint16", "int32"]
    """Of the ids."""
    hash: str
    """xxh3_128 of the file's bytes, in hexadecimal."""


class ShardIndex(BaseModel):
    """What ``coupage.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = FORMAT_VERSION
    tokenizer_hash: str
    begin_id: int | None = None
    """The token that the tokenizer puts before a text; null where it puts none, or nobody said."""
    sequence_length: int
    seed: int
    recipe_fingerprint: str
    rows: int
    tokens: int
    files: tuple[ShardFile, ...]
    """The data files, in training order."""
    segments_hash: str
    ledger_hash: str


def read_index(folder: Path) -> ShardIndex:
    """What a finished folder of shards holds. Raises ShardError where it is none."""
    path = folder / INDEX_FILE
    if not path.is_file():
        unfinished = any(folder.glob("data-*.arrow"))
        hint = (
            "Writing it was not finished: run the same command again."
            if unfinished
            else ("Give the folder that holds data-00000-of-..., as `coupage run` writes it.")
        )
        raise ShardError(f"{folder} is not a finished folder of shards: it has no {INDEX_FILE}. {hint}")
    try:
        return ShardIndex.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ShardError(
            f"{path} is damaged, or of another version: {error} Build the shards again."
        ) from error


def read_ledger(folder: Path) -> Ledger:
    """The account of a folder's rows."""
    return Ledger.model_validate_json((folder / LEDGER_FILE).read_bytes())
