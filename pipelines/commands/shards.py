"""`coupage shards`: what a folder of shards holds, and its rows in the formats of other trainers."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from mixers.export.formats import FORMATS, export_shards
from mixers.shards import ShardError, Shards
from pipelines.commands.job import new_folder
from pipelines.commands.output import print_json
from pipelines.errors import UserError


def show_shards(folder: Path, json: bool) -> None:
    """`coupage shards info`."""
    shards = open_shards(folder)
    index, ledger = shards.index, shards.ledger
    if json:
        print_json(index.model_dump() | {"ledger": ledger.model_dump()})
        return
    console = Console()
    console.print(
        f"{index.rows:,} rows of at most {index.sequence_length:,} tokens, {index.tokens:,} tokens as "
        f"{shards.token_dtype} in {len(index.files)} files; tokenizer {index.tokenizer_hash}",
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


def export(folder: Path, output: Path, format: str) -> None:
    """`coupage shards export`."""
    if format not in FORMATS:
        raise UserError(f"there is no format `{format}`", hint=f"Formats: {', '.join(FORMATS)}.")
    shards = open_shards(folder)
    with new_folder(output) as temporary:
        try:
            export_shards(shards, temporary, format)
        except ValueError as error:
            raise UserError(str(error), file=str(folder)) from error
    Console().print(
        f"{len(shards):,} rows, {shards.tokens:,} tokens: {output}", highlight=False, soft_wrap=True
    )


def open_shards(folder: Path) -> Shards:
    """Open a folder of shards. Raises UserError where it is none."""
    try:
        return Shards.open(folder)
    except ShardError as error:
        raise UserError(str(error)) from error
