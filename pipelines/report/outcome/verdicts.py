"""What a comparison of variants says, in words: made of `outcome.json` alone.

A diagnostic fires when the 95 % interval of a change lies wholly beyond the margin of the recipe; it is clear
when the interval lies wholly within it; else the data is too little to tell. Several changes that tell the
same are judged together: one that is beyond its margin makes the diagnostic fire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Content = Mapping[str, Any]
State = Literal["fires", "clear", "unsure", "not measured"]
DIGITS = 3
UNKNOWN = "Unknown"
"""The facts that the base does not know, as SliCK names them."""
TASKS = ("monolingual", "crosslingual")
"""Of language confusion."""
MORE = "Hold out more documents, or ask more questions, to tell."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a diagnostic says."""

    name: str
    """As in the sentence: `forgets`, `learned the domain`."""
    state: State
    good: bool
    """Whether it is good that it fires."""
    sentence: str
    evidence: list[str]
    """Each change that was judged, with its interval."""
    advice: str
    """What to do; empty where there is nothing to do."""

    def to_json(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that tells: positive is what makes the diagnostic fire."""

    of: str
    """What changed."""
    value: float
    interval: Sequence[float] | None
    margin: float
    unit: str
    sign: int = 1
    """-1 where less of the number is more of what is told."""

    @property
    def state(self) -> State:
        """Where the interval lies from the margin."""
        if self.interval is None:
            return "unsure"
        low, high = self.interval if self.sign > 0 else (-self.interval[1], -self.interval[0])
        if low > self.margin:
            return "fires"
        return "clear" if high <= self.margin else "unsure"

    @property
    def in_words(self) -> str:
        """The change with its interval and its margin."""
        if self.interval is None:
            sure = "too few for an interval"
        else:
            sure = f"interval {_signed(self.interval[0])} to {_signed(self.interval[1])}"
        return f"{self.of} {_signed(self.value)} {self.unit} ({sure}; margin {self.margin:g})"


AS_WELL = (
    ("benchmarks", ("domain tasks",), "score"),
    ("facts_accuracy", ("all",), "facts"),
)
"""Tables, rows and margins by which a prompt or passages are compared with training."""


def verdicts_of(content: Content) -> list[dict[str, Any]]:
    """The verdicts on the model of the last stage, those that fire first; JSON-able."""
    found = [diagnose(content) for diagnose in DIAGNOSTICS]
    order = ("fires", "unsure", "clear", "not measured")
    return [each.to_json() for each in sorted(found, key=lambda each: (order.index(each.state), each.good))]


def _learned(content: Content) -> Verdict:
    return _verdict(
        "learned the domain",
        [
            *_changes(content, "held_out", ("domain",), content["margins"]["bits_per_byte"], sign=-1),
            *_changes(content, "benchmarks", ("domain tasks",), content["margins"]["score"]),
        ],
        good=True,
        clear="has not learned the domain beyond the margin",
        advice="",
        otherwise="Train longer, give the domain more weight, or raise the learning rate.",
        nothing="no held-out text of the domain and no benchmark of it was scored",
    )


def _forgets(content: Content) -> Verdict:
    merging = "" if _merged(content) else ", or merge the model with its base (`outcome.merge`)"
    return _verdict(
        "forgets",
        [
            *_changes(content, "held_out", ("general",), content["margins"]["bits_per_byte"]),
            *_changes(content, "benchmarks", ("general tasks",), content["margins"]["score"], sign=-1),
        ],
        clear="does not forget",
        advice=f"Raise replay: more weight for general text; or lower the learning rate{merging}.",
        nothing="no group and no task is named as general (`outcome.general`, `outcome.general_tasks`)",
    )


def _invents(content: Content) -> Verdict:
    """Of facts that the base did not know: training on such facts teaches to invent (Gekhman et al. 2024)."""
    return _verdict(
        "invents facts",
        _changes(content, "facts_invention", (UNKNOWN,), content["margins"]["facts"]),
        clear="invents no more facts",
        advice="Leave out, or repeat less, what teaches facts that the base does not know; stop earlier; add"
        " answers that say that one does not know.",
        nothing="no facts were asked (`outcome.facts`), or the base knew all",
    )


def _mixes_languages(content: Content) -> Verdict:
    changes = [
        replace(change, of=f"{change.of}, {what} in the right language")
        for table, what in (("confusion_lines", "lines"), ("confusion_words", "words"))
        for change in _changes(content, table, TASKS, content["margins"]["confusion"], sign=-1)
    ]
    return _verdict(
        "mixes languages",
        changes,
        clear="keeps to the language",
        advice="Look for answers in the data whose language is not that of the question, and filter them; add"
        " conversations in the languages that are lost.",
        nothing="it was not asked for (`outcome.language_confusion`), or no answer has a line whose language"
        " can be told",
    )


def _loses_long_context(content: Content) -> Verdict:
    rows = [row["name"] for row in _rows(content, "long_context")]
    lengths = [name for name in rows if name != "all" and "depth" not in name]
    return _verdict(
        "loses long context",
        _changes(
            content, "long_context", ["all", *lengths[-1:]], content["margins"]["long_context"], sign=-1
        ),
        clear="keeps its long context",
        advice="Train with a longer `sequence_length`, and keep long documents in the mixture.",
        nothing="no facts in long texts were asked (`evaluate.retrieval`)",
    )


def _contaminated(content: Content) -> Verdict:
    rows = [row["name"] for row in _rows(content, "hit_questions")]
    return _verdict(
        "contaminated",
        _changes(content, "hit_questions", rows, content["margins"]["score"]),
        clear="gains no more on questions found in its training data than on others",
        advice="Believe the clean scores alone, and set `decontaminate.action` to drop for these benchmarks.",
        nothing="no question of a benchmark that was asked was found in training data, or nobody looked",
    )


def _undertrained(content: Content) -> Verdict:
    changes = [
        Change(
            of="under-trained",
            value=row["scores"][content["tuned"]]["value"],
            interval=row["scores"][content["tuned"]]["interval"],
            margin=content["margins"]["new_tokens"],
            unit=f"of {row['count']:,} new tokens, as a share; all were looked at",
        )
        for row in _rows(content, "new_tokens")
        if content["tuned"] in row["scores"]
    ]
    return _verdict(
        "under-trained new tokens",
        changes,
        clear="has learned its new tokens",
        advice="Ask for fewer tokens, or train on more text that has them.",
        nothing="there are no new tokens",
    )


def _retrieval_does_as_well(content: Content) -> Verdict:
    """Whether training gives no more than the margin over the base with a prompt, or with passages."""
    by_variant = {
        each["name"]: list(_beside_tuned(content, each["name"]))
        for each in content["variants"]
        if each["kind"] in ("prompt", "passages")
    }
    as_good = [
        changes
        for changes in by_variant.values()
        if changes and all(change.state == "fires" for change in changes)
    ]
    judged = as_good or [
        [change for change in changes if change.state != "fires"] for changes in by_variant.values()
    ]
    return _verdict(
        "retrieval does as well",
        [change for changes in judged for change in changes],
        clear="is better than the base with a prompt or with passages",
        advice="A prompt or retrieval may do without training; compare what each costs to serve.",
        nothing="neither a prompt nor passages were asked for, or nothing that they can answer",
    )


def _beside_tuned(content: Content, variant: str) -> Iterator[Change]:
    """How much more the variant has than the trained model: it does as well from less one margin on."""
    for table, names, margin in AS_WELL:
        for row in _rows(content, table):
            if row["name"] in names and variant in row["from_tuned"]:
                yield Change(
                    of=f"{variant} less {content['tuned']}, {row['name']}",
                    margin=-content["margins"][margin],
                    unit=_unit(content, table),
                    **row["from_tuned"][variant],
                )


def _merging_helps(content: Content) -> Verdict:
    """Whether a merged model surely forgets less, and surely learned no less than a margin."""
    margin = content["margins"]["bits_per_byte"]
    rows = {row["name"]: row["from_tuned"] for row in _rows(content, "held_out")}
    tried = [
        (
            name,
            _change(f"{name} less {content['tuned']}, general", rows["general"][name], margin, -1),
            _change(f"{name} less {content['tuned']}, domain", rows["domain"][name], margin, 1),
        )
        for name in _merged(content)
        if name in rows.get("general", {}) and name in rows.get("domain", {})
    ]
    helping = [
        (general.value, name)
        for name, general, domain in tried
        if general.state == "fires" and domain.state == "clear"
    ]
    states = [
        "clear" if general.state == "clear" or domain.state == "fires" else "unsure"
        for _, general, domain in tried
    ]
    state: State = "fires" if helping else "unsure" if "unsure" in states else "clear"
    best = min(helping)[1] if helping else ""
    return Verdict(
        name="merging helps",
        state=state if tried else "not measured",
        good=True,
        sentence={
            "fires": f"merging helps: {best} forgets less than {content['tuned']} and has learned as much",
            "clear": "merging does not help: no merged model forgets less without losing the domain",
            "unsure": "merging helps? Too little data to tell",
        }[state]
        if tried
        else "merging helps? Not measured: it needs `outcome.merge`, and domain and general groups",
        evidence=[change.in_words for _, general, domain in tried for change in (general, domain)],
        advice=f"Use the merged model {best}: its folder is in the list of variants." if helping else "",
    )


DIAGNOSTICS: tuple[Callable[[Content], Verdict], ...] = (
    _learned,
    _forgets,
    _mixes_languages,
    _invents,
    _loses_long_context,
    _contaminated,
    _undertrained,
    _retrieval_does_as_well,
    _merging_helps,
)


def _verdict(
    name: str,
    changes: Sequence[Change],
    *,
    clear: str,
    advice: str,
    nothing: str,
    good: bool = False,
    otherwise: str = "",
) -> Verdict:
    """From changes to the verdict that they make.

    Args:
        name: Of the diagnostic.
        changes: What tells.
        clear: What is said where it does not fire.
        advice: Where it fires.
        nothing: Why it was not measured.
        good: Whether it is good that it fires.
        otherwise: Advice where it does not.
    """
    states = [change.state for change in changes]
    if not states:
        state: State = "not measured"
    else:
        state = "fires" if "fires" in states else "unsure" if "unsure" in states else "clear"
    telling = [change for change in changes if change.state == state] or list(changes)
    sentence = {
        "fires": f"{name}: {'; '.join(change.in_words for change in telling)}",
        "clear": f"{clear}: {'; '.join(change.in_words for change in telling)}",
        "unsure": f"{name}? Too little data to tell: {'; '.join(change.in_words for change in telling)}",
        "not measured": f"{name}? Not measured: {nothing}",
    }[state]
    return Verdict(
        name=name,
        state=state,
        good=good,
        sentence=sentence,
        evidence=[change.in_words for change in changes],
        advice={"fires": advice, "clear": otherwise, "unsure": MORE, "not measured": ""}[state],
    )


def _changes(content: Content, table: str, rows: Sequence[str], margin: float, sign: int = 1) -> list[Change]:
    """How the last stage's model differs from the base in these rows of a table."""
    return [
        Change(
            of=row["name"],
            margin=margin,
            unit=_unit(content, table),
            sign=sign,
            **row["differences"][content["tuned"]],
        )
        for row in _rows(content, table)
        if row["name"] in rows and content["tuned"] in row["differences"]
    ]


def _change(of: str, estimate: Mapping[str, Any], margin: float, sign: int) -> Change:
    return Change(of=of, margin=margin, unit="bits per byte", sign=sign, **estimate)


def _unit(content: Content, table: str) -> str:
    unit: str = content["tables"][table]["unit"]
    return "as a share" if unit == "share" else unit


def _rows(content: Content, table: str) -> list[dict[str, Any]]:
    return list(content["tables"].get(table, {"rows": ()})["rows"])


def _merged(content: Content) -> list[str]:
    return [each["name"] for each in content["variants"] if each["kind"] == "merged"]


def _signed(number: float) -> str:
    return f"{number:+.{DIGITS}f}"
