"""`coupage judge`: what a person says of a match, kept in the file that the next run reads."""

from __future__ import annotations

from pathlib import Path

import orjson
import polars as pl

from pipelines.commands.console import PlainConsole
from pipelines.commands.decontaminate import MATCHES
from pipelines.commands.open_run import open_latest
from pipelines.errors import UserError
from pipelines.execution.growing_file import GrowingFile
from pipelines.execution.seal import ATTEMPT, RUN_SEAL
from pipelines.graph.inputs import LiveInputs
from pipelines.recipe.mistakes import nearest
from pipelines.report.inspect_matches import matches_of
from pipelines.sources.judgements import read_judgements
from pipelines.sources.remote.places import is_remote

NAMED = ("benchmark", "doc_id", "item_id")
LISTED = 5
JUDGEMENTS = {"true": True, "false": False}


def judge_match(
    folder: Path,
    doc_id: str,
    benchmark: str,
    item_id: str,
    judgement: str,
    why: str,
    all_documents: bool,
    file: Path | None,
) -> None:
    """`coupage judge`."""
    if judgement not in JUDGEMENTS:
        raise UserError(f"a match is judged true or false, not `{judgement}`", hint="false: it is no match.")
    path = judge(
        folder,
        doc_id,
        benchmark,
        item_id,
        JUDGEMENTS[judgement],
        why=why,
        all_documents=all_documents,
        file=file,
    )
    PlainConsole().print(f"kept in {path}; {_then(folder, path)}", soft_wrap=True)


def judge(
    folder: str | Path,
    doc_id: str,
    benchmark: str,
    item_id: str,
    judgement: bool,
    *,
    why: str,
    all_documents: bool = False,
    file: str | Path | None = None,
) -> Path:
    """Say of a match whether the document has the item; the last word on a match counts.

    Args:
        folder: Of a run, or what `coupage decontaminate` wrote.
        doc_id: The document with the match.
        benchmark: The benchmark by its name there.
        item_id: The item.
        judgement: Whether it is a match; one that is none is allowed.
        why: The reason.
        all_documents: The same goes for every document that has something of the item.
        file: The file of judgements; by default what the run's recipe names as `decontaminate.allow`.

    Returns:
        The file.

    Raises:
        UserError: There is no such match, no reason, or no file is named.
    """
    folder = Path(folder)
    if not why.strip():
        raise UserError("a judgement needs a reason", place="--why", hint='As --why "a proverb".')
    found = _of_command(folder) if _is_of_command(folder) else _of_run(folder)
    path = Path(file) if file else _named_in_recipe(folder)
    if path is None:
        raise UserError(
            "no file of judgements is named",
            file=str(folder),
            hint=f"Give --file FILE, and {_name_it(folder, Path('FILE'))}.",
        )
    _check(found, {"benchmark": benchmark, "doc_id": doc_id, "item_id": item_id}, folder)
    document = {} if all_documents else {"doc_id": doc_id}
    _append(
        path, {"benchmark": benchmark, "item_id": item_id, **document, "judgement": judgement, "why": why}
    )
    return path


def _is_of_command(folder: Path) -> bool:
    """Whether the folder is one of `coupage decontaminate`, not of a run."""
    of_run = any((folder / name).is_file() for name in (RUN_SEAL, ATTEMPT))
    return (folder / MATCHES).is_file() and not of_run


def _of_command(folder: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(folder / MATCHES, columns=list(NAMED))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(
            f"this is no list of matches: {error}",
            file=str(folder / MATCHES),
            hint="Give a folder that `coupage decontaminate` wrote.",
        ) from error


def _of_run(folder: Path) -> pl.DataFrame:
    return pl.concat([table.select(NAMED) for table in matches_of(open_latest(folder).graph, folder)])


def _named_in_recipe(folder: Path) -> Path | None:
    """The file of judgements that the run's recipe names, if it is known where that is, and that is here."""
    if _is_of_command(folder):
        return None
    run = open_latest(folder)
    allow = run.recipe.decontaminate.allow if run.recipe.decontaminate else None
    if allow is None or is_remote(allow) or (run.recipe_folder is None and not Path(allow).is_absolute()):
        return None
    return LiveInputs(run.recipe_folder or Path()).path(allow)


def _then(folder: Path, path: Path) -> str:
    """What makes a judgement count."""
    named = _named_in_recipe(folder)
    if named is not None and named.resolve() == path.resolve():
        return "the next `coupage run` of the recipe goes by it"
    return _name_it(folder, path)


def _name_it(folder: Path, path: Path) -> str:
    if _is_of_command(folder):
        return f"give it to the next `coupage decontaminate` as --allow {path}"
    return f"name it in the recipe as `decontaminate.allow: {path}`, so that the next run goes by it"


def _check(matches: pl.DataFrame, wanted: dict[str, str], folder: Path) -> None:
    """Raise UserError where there is no such match: which part of it is not there, and what is."""
    said: list[str] = []
    for column, value in wanted.items():
        there = matches[column].unique(maintain_order=True)
        matches = matches.filter(pl.col(column) == value)
        if matches.is_empty():
            where = f" of {' and '.join(said)}" if said else ""
            raise UserError(
                f"there is no match{where} with the {column} `{value}`",
                file=str(folder),
                hint=_near(value, there.to_list()),
            )
        said.append(f"`{value}`")


def _near(value: str, there: list[str]) -> str:
    near = nearest(value, there)
    listed = ", ".join(there[:LISTED]) + (f" and {len(there) - LISTED:,} more" if len(there) > LISTED else "")
    return (f"Did you mean `{near}`? " if near else "") + f"There are: {listed or 'none'}."


def _append(path: Path, line: dict[str, object]) -> None:
    """One line more in a file of judgements, all of it or nothing."""
    if path.exists():
        read_judgements(path)
    with GrowingFile(path) as file:
        file.add(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
