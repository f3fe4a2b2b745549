"""`coupage shards`: what a folder of shards holds, and its rows in the formats of other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mixers.shard_index import ShardError, ShardIndex, read_index, read_ledger
from pipelines.commands.published import account_copy, shards_copy
from pipelines.errors import UserError
from pipelines.plain import print_json
from pipelines.sources.remote.places import is_remote

if TYPE_CHECKING:
    from mixers.ledger import Ledger
    from mixers.shards import Shards


def show_shards(name: str, json: bool) -> None:
    """`coupage shards info`: from the index alone; no row is read."""
    folder = account_copy(name) if is_remote(name) else Path(name)
    try:
        index = read_index(folder)
        ledger = read_ledger(folder)
    except (ShardError, OSError, ValueError) as error:
        raise UserError(str(error), file=str(folder)) from error
    for file in index.files:
        if not is_remote(name) and not (folder / file.name).is_file():
            hint = "The index names it: build the shards again."
            raise UserError("the file is missing", file=str(folder / file.name), hint=hint)
    if json:
        print_json(index.model_dump() | {"ledger": ledger.model_dump()})
    else:
        _print(index, ledger)


def _print(index: ShardIndex, ledger: Ledger) -> None:
    from rich.table import Table

    from pipelines.commands.console import PlainConsole

    console = PlainConsole()
    console.print(
        f"{index.rows:,} rows of at most {index.sequence_length:,} tokens, {index.tokens:,} tokens as "
        f"{index.files[0].dtype} in {len(index.files)} files; tokenizer {index.tokenizer_hash}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("group", "rows", "tokens", "share", "loss tokens", "epochs", "fill", "documents")
    for group in ledger.groups:
        table.add_row(
            group.group,
            f"{group.packs:,}",
            f"{group.tokens:,}",
            f"{group.tokens / max(1, index.tokens):.2%}",
            f"{group.loss_tokens:,}",
            f"{group.epochs:.2f}",
            f"{group.fill:.2%}",
            f"{group.documents_used:,}",
        )
    console.print(table)


def export(name: str, output: Path, format: str) -> None:
    """`coupage shards export`."""
    from mixers.export.formats import FORMATS, export_shards
    from pipelines.commands.console import PlainConsole
    from pipelines.commands.folder import new_folder

    if format not in FORMATS:
        raise UserError(f"there is no format `{format}`", hint=f"Formats: {', '.join(FORMATS)}.")
    folder = shards_copy(name) if is_remote(name) else Path(name)
    shards = open_shards(folder)
    with new_folder(output) as temporary:
        try:
            export_shards(shards, temporary, format)
        except ValueError as error:
            raise UserError(str(error), file=str(folder)) from error
    PlainConsole().print(
        f"{len(shards):,} rows, {shards.tokens:,} tokens: {output}", highlight=False, soft_wrap=True
    )


def open_shards(folder: Path) -> Shards:
    """Open a folder of shards. Raises UserError where it is none."""
    from mixers.shards import Shards

    try:
        return Shards.open(folder)
    except ShardError as error:
        raise UserError(str(error)) from error
