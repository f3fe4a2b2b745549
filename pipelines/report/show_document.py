"""A document of `coupage inspect`, as a person sees it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from mixers.printable import one_line

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
        for message in document["messages"]:
            role = (f"{one_line(message['role'])}: ", "bold")
            console.print(Text.assemble(role, _beginning(message["content"])))
    else:
        console.print(_beginning(document["text"]))
    console.print(_signals(document, all_signals), style="dim")


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
