"""What a comparison of variants says, in words: made of `outcome.json` alone.

Each diagnostic judges some changes of the last stage's model from the base (`verdict`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pipelines.report.outcome.verdict import (
    Change,
    Content,
    State,
    Verdict,
    change_of,
    changes_of,
    judged,
    remedies_of,
    rows_of,
    unit_of,
)

UNKNOWN = "Unknown"
"""The facts that the base does not know, as SliCK names them."""
TASKS = ("monolingual", "crosslingual")
"""Of language confusion."""
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
    return judged(
        "learned the domain",
        [
            *changes_of(content, "held_out", ("domain",), content["margins"]["bits_per_byte"], sign=-1),
            *changes_of(content, "benchmarks", ("domain tasks",), content["margins"]["score"]),
        ],
        good=True,
        clear="has not learned the domain beyond the margin",
        advice="",
        otherwise="Train longer, give the domain more weight, or raise the learning rate.",
        nothing="no held-out text of the domain and no benchmark of it was scored",
    )


def _forgets(content: Content) -> Verdict:
    untried = "" if remedies_of(content) else " Measure what helps: `outcome.remedies`, `outcome.merge`."
    return judged(
        "forgets",
        [
            *changes_of(content, "held_out", ("general",), content["margins"]["bits_per_byte"]),
            *changes_of(content, "benchmarks", ("general tasks",), content["margins"]["score"], sign=-1),
        ],
        clear="does not forget",
        advice=f"Raise replay: more weight for general text; or lower the learning rate.{untried}",
        nothing="no group and no task is named as general (`outcome.general`, `outcome.general_tasks`)",
    )


def _invents(content: Content) -> Verdict:
    """Of facts that the base did not know: training on such facts teaches to invent (Gekhman et al. 2024)."""
    return judged(
        "invents facts",
        changes_of(content, "facts_invention", (UNKNOWN,), content["margins"]["facts"]),
        clear="invents no more facts",
        advice="Leave out, or repeat less, what teaches facts that the base does not know; stop earlier; add"
        " answers that say that one does not know.",
        nothing="no facts were asked (`outcome.facts`), or the base knew all",
    )


def _mixes_languages(content: Content) -> Verdict:
    changes = [
        replace(change, of=f"{change.of}, {what} in the right language")
        for table, what in (("confusion_lines", "lines"), ("confusion_words", "words"))
        for change in changes_of(content, table, TASKS, content["margins"]["confusion"], sign=-1)
    ]
    return judged(
        "mixes languages",
        changes,
        clear="keeps to the language",
        advice="Look for answers in the data whose language is not that of the question, and filter them; add"
        " conversations in the languages that are lost.",
        nothing="it was not asked for (`outcome.language_confusion`), or no answer has a line whose language"
        " can be told",
    )


def _gives_no_answers(content: Content) -> Verdict:
    """What is silent is in no language, and so passes for no confusion."""
    return judged(
        "gives no answers",
        changes_of(content, "confusion_answers", TASKS, content["margins"]["confusion"], sign=-1),
        clear="answers as often",
        advice="Look for empty answers in the data, and for texts that end at once, and filter them.",
        nothing="it was not asked for (`outcome.language_confusion`)",
    )


def _loses_long_context(content: Content) -> Verdict:
    rows = [row["name"] for row in rows_of(content, "long_context")]
    lengths = [name for name in rows if name != "all" and "depth" not in name]
    return judged(
        "loses long context",
        changes_of(
            content, "long_context", ["all", *lengths[-1:]], content["margins"]["long_context"], sign=-1
        ),
        clear="keeps its long context",
        advice="Train with a longer `sequence_length`, and keep long documents in the mixture.",
        nothing="no facts in long texts were asked (`evaluate.retrieval`)",
    )


def _contaminated(content: Content) -> Verdict:
    rows = [row["name"] for row in rows_of(content, "hit_questions")]
    return judged(
        "contaminated",
        changes_of(content, "hit_questions", rows, content["margins"]["score"]),
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
        for row in rows_of(content, "new_tokens")
        if content["tuned"] in row["scores"]
    ]
    return judged(
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
    better = [
        [change for change in changes if change.state == "clear"]
        or [change for change in changes if change.state == "unsure"]
        for changes in by_variant.values()
    ]
    telling = as_good or better
    return judged(
        "retrieval does as well",
        [change for changes in telling for change in changes],
        clear="is better than the base with a prompt or with passages",
        advice="A prompt or retrieval may do without training; compare what each costs to serve.",
        nothing="neither a prompt nor passages were asked for, or nothing that they can answer",
    )


def _beside_tuned(content: Content, variant: str) -> Iterator[Change]:
    """How much more the variant has than the trained model: it does as well from less one margin on."""
    for table, names, margin in AS_WELL:
        for row in rows_of(content, table):
            if row["name"] in names and variant in row["from_tuned"]:
                yield Change(
                    of=f"{variant} less {content['tuned']}, {row['name']}",
                    margin=-content["margins"][margin],
                    unit=unit_of(content, table),
                    **row["from_tuned"][variant],
                )


def _remedy_helps(content: Content) -> Verdict:
    """Whether a merged or otherwise trained model surely forgets less, and learned no less than a margin."""
    margin = content["margins"]["bits_per_byte"]
    rows = {row["name"]: row["from_tuned"] for row in rows_of(content, "held_out")}
    kinds = remedies_of(content)
    tried = [
        (
            name,
            change_of(f"{name} less {content['tuned']}, general", rows["general"][name], margin, -1),
            change_of(f"{name} less {content['tuned']}, domain", rows["domain"][name], margin, 1),
        )
        for name in kinds
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
    advice = f"Use the model of {best}: its folder is in the list of variants" if helping else ""
    if kinds.get(best) == "remedy":
        advice += f"; or put its setting into the recipe, and train {content['tuned']} again"
    return Verdict(
        name="a remedy helps",
        state=state if tried else "not measured",
        good=True,
        sentence={
            "fires": f"a remedy helps: {best} forgets less than {content['tuned']} and has learned as much",
            "clear": f"no remedy helps: none of {', '.join(kinds)} forgets less without losing the domain",
            "unsure": "a remedy helps? Too little data to tell",
        }[state]
        if tried
        else "a remedy helps? Not measured: it needs `outcome.remedies` or `outcome.merge`, and domain and"
        " general groups",
        evidence=[change.in_words for _, general, domain in tried for change in (general, domain)],
        advice=advice and f"{advice}.",
    )


DIAGNOSTICS: tuple[Callable[[Content], Verdict], ...] = (
    _learned,
    _forgets,
    _mixes_languages,
    _gives_no_answers,
    _invents,
    _loses_long_context,
    _contaminated,
    _undertrained,
    _retrieval_does_as_well,
    _remedy_helps,
)
