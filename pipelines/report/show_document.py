"""A document of `coupage inspect`, as a person sees it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mixers.printable import one_line
from pipelines.report.turns import beside_turns, turns_of

SHOWN_CHARACTERS = 600


def print_document(document: dict[str, Any], console: Console, all_signals: bool) -> None:
    """Show one document: its verdict, the evidence, the beginning of its text, the signals behind it."""
    console.rule(one_line(document["doc_id"]))
    verdict = Text.assemble((one_line(document["verdict"]), "bold"), f"  {document['why'] or ''}")
    console.print(verdict)
    if document["cluster_size"] > 1:
        console.print(f"one of {document['cluster_size']:,} equal or similar documents")
    if instead := document["kept_instead"]:
        console.print(f"similarity {document['similarity']:.3f} with {one_line(instead['doc_id'])}:")
        console.print(_beginning(instead["text"]), style="dim")
        console.print()
    for name, said in document["scores"].items():
        shown = ", ".join(f"{key} {_short(value)}" for key, value in said.items() if value is not None)
        console.print(f"{name}: {shown}")
    if document["messages"]:
        _print_conversation(document, console)
    else:
        console.print(_beginning(document["text"]))
    console.print(_signals(document, all_signals), style="dim")


def print_matches(document: dict[str, Any], console: Console) -> None:
    """Show what a document has of items of benchmarks: each item beside the excerpt."""
    console.rule(one_line(document["doc_id"]))
    console.print(Text(one_line(document["verdict"]), "bold"))
    for match in document["matches"]:
        console.print(_said(match))
        table = Table(box=None, pad_edge=False, expand=True)
        table.add_column("item", ratio=1)
        table.add_column("document", ratio=1)
        parts = (
            Text.assemble((f"{part['field']} ", "dim"), _highlighted(part["pieces"]))
            for part in match["item"]
        )
        table.add_row(Text("\n").join(parts), _highlighted(match["excerpt"]))
        console.print(table)


def _said(match: dict[str, Any]) -> str:
    split = f" ({one_line(match['split'])})" if match["split"] else ""
    judged = {True: ", judged true", False: ", judged false", None: ""}[match["judgement"]]
    shares = "".join(f", {part} {share:.0%}" for part, share in match["coverage"].items())
    return (
        f"{one_line(match['benchmark'])} {one_line(match['item_id'])}{split}: {match['kind']} by "
        f"{match['mechanism']}, score {match['score']:.2f}{shares}: {match['done']}{judged}"
    )


def _highlighted(pieces: list[dict[str, Any]]) -> Text:
    return Text.assemble(*((piece["text"], "bold reverse" if piece["matched"] else "") for piece in pieces))


def _print_conversation(document: dict[str, Any], console: Console) -> None:
    """Each turn with what is thought, said and called in it; then what stands beside the turns."""
    for turn in turns_of(document):
        note = "" if turn.is_learnt else " (seen, not learnt)"
        parts = [Text(_beginning(turn.thought), "italic"), Text(_beginning(turn.said))]
        parts += [Text(f"calls {_beginning(call)}") for call in turn.calls]
        role = (f"{one_line(turn.role)}{note}: ", "bold")
        console.print(Text.assemble(role, Text("\n").join(part for part in parts if part)))
    for name, value in beside_turns(document).items():
        console.print(f"{name}: {_beginning(value)}")


def _signals(document: dict[str, Any], all_of_them: bool) -> str:
    """The signals that rules judged, and the language; or all."""
    signals = document["signals"]
    first = [*document["judged_signals"], "language", "language_score"]
    shown = list(signals) if all_of_them else [name for name in first if name in signals]
    said = [f"{name} {_short(signals[name])}" for name in shown]
    if left := len(signals) - len(shown):
        said.append(f"({left} more with --signals)")
    return "  ".join(said)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _beginning(text: str) -> str:
    return text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else "")
