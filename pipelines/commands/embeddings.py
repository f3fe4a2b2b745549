"""`coupage embeddings`: tokens that a model was hardly trained on, and embeddings carried to a sibling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipelines.commands.console import PlainConsole
from pipelines.commands.folder import new_folder
from pipelines.commands.open_run import open_run
from pipelines.commands.shards import open_shards
from pipelines.errors import UserError, WorkError
from pipelines.execution.seal import RUN_SEAL
from pipelines.plain import print_json
from pipelines.recipe.recipe import HELD_OUT
from trainers.scores import Described

if TYPE_CHECKING:
    from trainers.carry_over import CarriedOver
    from trainers.new_token_scores import NewTokenScores
    from trainers.undertrained import Suspect, Undertrained

SHOWN = 20


def check(model: str, base: str | None, shards: Path | None, prompts: bool, json: bool) -> None:
    """`coupage embeddings check`; with a base new tokens that are under-trained make it fail."""
    if shards is not None and base is None:
        raise UserError("--shards compares with the model before", hint="Name it: --base BASE.")
    with _user_errors():
        from trainers.undertrained import find_undertrained

        found = find_undertrained(model, base, prompts)
    scores = None if shards is None or base is None else _scores(model, base, shards)
    if json:
        print_json(
            {"tokens": found.to_json(), "new_token_scores": None if scores is None else scores.to_json()}
        )
    else:
        _print_tokens(found, PlainConsole())
        if scores is not None:
            _print_scores(scores, PlainConsole())
    if base is not None and found.under_trained:
        raise WorkError(
            f"{len(found.under_trained):,} of {found.new_tokens:,} new tokens are under-trained",
            file=model,
            hint="Train longer on text that has them, or learn fewer tokens.",
        )


def carry(base: str, adapted: str, sibling: str, output: Path, method: str, json: bool) -> None:
    """`coupage embeddings carry`."""
    from trainers.carry_over import METHODS, carry_over

    chosen = next((known for known in METHODS if known == method), None)
    if chosen is None:
        raise UserError(
            f"--method {method}: there is no such method", hint=f"There are: {', '.join(METHODS)}."
        )
    with new_folder(output) as temporary, _user_errors():
        done = carry_over(base, adapted, sibling, temporary, chosen)
    if json:
        print_json(done.to_json())
    else:
        _print_carried(done, output, PlainConsole())


def _scores(model: str, base: str, shards: Path) -> NewTokenScores:
    from tokenizer_tools.load import load_tokenizer

    folder, described = _held_out(shards)
    with _user_errors():
        from trainers.new_token_scores import new_token_scores

        return new_token_scores(
            open_shards(folder), model, base, load_tokenizer(base), load_tokenizer(model), described
        )


def _held_out(run_or_shards: Path) -> tuple[Path, Described]:
    """The held-out shards of a run and what it knows of their documents; of a folder of shards itself."""
    if not (run_or_shards / RUN_SEAL).is_file():
        return run_or_shards, Described()
    from pipelines.stages.described import described_in

    graph = open_run(run_or_shards).graph
    if HELD_OUT not in graph.shards:
        raise UserError(
            "this run has no held-out shards",
            file=str(run_or_shards),
            hint="Give a folder of shards, made with the model's tokenizer.",
        )
    return run_or_shards / "shards" / HELD_OUT, described_in(graph.mixes[HELD_OUT], run_or_shards)


@contextmanager
def _user_errors() -> Iterator[None]:
    """Models are read without noise; those that cannot be used as asked are the user's to change."""
    try:
        from trainers.quiet import quiet_transformers

        with quiet_transformers():
            yield
    except ImportError as error:
        raise UserError(
            f"models need more packages: {error}", hint="Install them: pip install 'coupage[train]'"
        ) from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _print_tokens(found: Undertrained, console: Console) -> None:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items() if count)
    console.print(f"Tokens: {kinds}.", soft_wrap=True)
    console.print(
        f"Indicator: {found.indicator} ({found.unused:,} embeddings are unused); a candidate has at most"
        f" {found.threshold:.4g}, as 2 % of {found.ordinary:,} tokens.",
        soft_wrap=True,
    )
    if found.controls is not None and not found.asked:
        console.print(
            f"The model repeats only {found.controls:.0%} of well-trained tokens, so asking it says nothing.",
            soft_wrap=True,
        )
    if not found.asked:
        console.print(
            f"Judged by embeddings alone: under-trained has at most {found.near_unused:.4g}, nearer to the"
            " unused.",
            soft_wrap=True,
        )
    looked_at = "tokens" if found.new_tokens is None else f"of {found.new_tokens:,} new tokens"
    console.print(f"Under-trained: {len(found.under_trained):,} {looked_at}.", soft_wrap=True)
    if found.suspects:
        console.print(_table(found.suspects[:SHOWN]))
    if len(found.suspects) > SHOWN:
        console.print(f"{len(found.suspects) - SHOWN:,} more in --json.")


def _table(suspects: tuple[Suspect, ...]) -> Table:
    table = Table("id", "token", "indicator", "probability", "under-trained")
    for suspect in suspects:
        table.add_row(
            str(suspect.id),
            repr(suspect.text),
            f"{suspect.indicator:.4g}",
            "" if suspect.probability is None else f"{suspect.probability:.2g}",
            "yes" if suspect.under_trained else "",
        )
    return table


def _print_scores(scores: NewTokenScores, console: Console) -> None:
    console.print(
        f"Of {scores.new_tokens:,} new tokens {scores.used:,} occur in the text; they are"
        f" {scores.positions:,} of its {scores.tokens:,} tokens.",
        soft_wrap=True,
    )
    if scores.loss is not None:
        console.print(
            f"A new token costs {scores.loss:.3f} nats, its pieces cost the base {scores.pieces_loss:.3f}.",
            soft_wrap=True,
        )
    table = Table("bits/byte", "base", "model", "drift")
    for name, drift in (scores.drift | scores.language_drift).items():
        where = "groups" if name in scores.drift else "languages"
        base, model = (getattr(each, where)[name].bits_per_byte for each in (scores.base, scores.model))
        table.add_row(name, f"{base:.3f}", f"{model:.3f}", f"{drift:+.3f}")
    console.print(table)


def _print_carried(done: CarriedOver, output: Path, console: Console) -> None:
    console.print(
        f"{done.new_tokens:,} new tokens carried over by {done.method}; {done.own_tokens:,} control tokens"
        f" kept as they were; {done.rows:,} embeddings.",
        soft_wrap=True,
    )
    for fit in done.fits:
        console.print(
            f"{fit.weight}: the sibling differs from the base by {fit.before:.2%}, after the transformation"
            f" by {fit.after:.2%}.",
            soft_wrap=True,
        )
    if done.moved:
        console.print(
            f"{len(done.moved):,} new tokens have other ids than in the adapted model: the sibling's own"
            " tokens had theirs. Encode text with the tokenizer in the folder.",
            soft_wrap=True,
        )
    console.print(f"Model: {output}", soft_wrap=True)
