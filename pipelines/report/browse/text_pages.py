"""A text as pages of a bounded size, with what is matched in it apart; a conversation passage by passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.turns import beside_turns, turns_of

CHARACTERS = 20_000
"""Of a page."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Passage:
    """A piece of a document: what it is, its text, and the spans of that which are matched."""

    label: str
    text: str
    spans: Sequence[Span] = ()

    def pieces(self, start: int, end: int) -> Iterator[tuple[str, bool]]:
        """What lies between two characters, and whether it is matched."""
        at = start
        for low, high in _joined(self.spans):
            low, high = max(low, at), min(high, end)
            if low < high:
                yield self.text[at:low], False
                yield self.text[low:high], True
                at = high
        yield self.text[at:end], False


def passages_of(document: dict[str, Any], spans: Sequence[Span], is_plain: bool) -> list[Passage]:
    """The passages of a document; `spans` are of its text, in which a conversation is one if `is_plain`."""
    if is_plain or not document["messages"]:
        return [Passage("", document["text"], spans)]
    passages = []
    for turn in turns_of(document):
        role = turn.role if turn.is_learnt else f"{turn.role} (seen, not learnt)"
        thought = [Passage(f"{role} thinks", turn.thought)] if turn.thought else []
        calls = [Passage(f"{role} calls", call) for call in turn.calls]
        said = [Passage(role, turn.said)] if turn.said or not (thought or calls) else []
        passages += [*thought, *said, *calls]
    return [*passages, *(Passage(name, value) for name, value in beside_turns(document).items())]


def page_count(passages: Sequence[Passage]) -> int:
    """How many pages the passages fill, at least one."""
    return max(1, -(-sum(len(passage.text) for passage in passages) // CHARACTERS))


def on_page(passages: Sequence[Passage], page: int) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """The label and pieces of each passage on a page, counted from 1."""
    first, after = (page - 1) * CHARACTERS, page * CHARACTERS
    begins = 0
    for passage in passages:
        start, end = max(0, first - begins), min(len(passage.text), after - begins)
        if start < end or (not passage.text and first <= begins < after):
            yield passage.label, [piece for piece in passage.pieces(start, end) if piece[0]]
        begins += len(passage.text)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, none within or across another."""
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined
