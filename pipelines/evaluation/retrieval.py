"""Long-context fact retrieval: facts hidden at several depths of texts of several lengths, and asked about.

A needle in a haystack with several keys, as in RULER (Hsieh et al. 2024, section 3): each text holds one fact
at each depth, all of one form, so that a model must find the right one and not just any. The text is read
once; every question goes on from there.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.generation import PlainModel
from pipelines.recipe.evaluate import Retrieval

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_BETWEEN = "\n\n"


@dataclass(frozen=True)
class Haystack:
    """A text with a fact at each depth; `questions[i]` asks for `answers[i]`, hidden at `depths[i]`."""

    length: int
    depths: tuple[float, ...]
    text: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class RetrievalScore:
    """Of facts at one depth of texts of one length.

    `exact` is the share for which greedy decoding says the answer; `ranked` the share for which the answer is
    the likeliest among those to all questions about the text, which chance gives 1 in `candidates`.
    """

    length: int
    depth: float
    facts: int
    candidates: int
    exact: float
    ranked: float

    def to_json(self) -> dict[str, Any]:
        """The score in plain types, for JSON."""
        return asdict(self)


def make_haystacks(documents: Sequence[str], config: Retrieval, model: PlainModel) -> list[Haystack]:
    """Texts of the wanted lengths, as this model's tokenizer counts; the same seed gives the same.

    Raises:
        ValueError: The documents are too short together, or the model has not so many positions.
    """
    if model.longest is not None and max(config.lengths) > model.longest:
        raise ValueError(f"The model has {model.longest:,} positions, fewer than the longest of `lengths`.")
    rng = np.random.Generator(np.random.PCG64(config.seed))
    ids = [model.encode(document, begins=False) for document in documents]
    return [
        _haystack(documents, ids, length, config, model, rng)
        for length in config.lengths
        for _ in range(config.texts)
    ]


def _haystack(
    documents: Sequence[str],
    ids: Sequence[list[int]],
    length: int,
    config: Retrieval,
    model: PlainModel,
    rng: np.random.Generator,
) -> Haystack:
    names = _names(len(config.depths), rng)
    values = rng.choice(np.arange(10_000, 100_000), len(config.depths), replace=False)
    before, _, after = config.fact.partition("{value}")
    before = before.rstrip(" ")
    space = config.fact[len(before) : config.fact.index("{value}")]
    questions = tuple(_BETWEEN + before.replace("{name}", name) for name in names)
    answers = tuple(f"{space}{value}{after}" for value in values)
    facts = [question + answer for question, answer in zip(questions, answers, strict=True)]
    order = rng.permutation(len(documents)).tolist()
    budget = length
    while True:
        text = _hide(_filler(documents, ids, order, budget, model), facts, config.depths)
        asked = max(len(model.encode(q + a, begins=False)) for q, a in zip(questions, answers, strict=True))
        excess = len(model.encode(text)) + asked - length
        if excess <= 0:
            return Haystack(length, config.depths, text, questions, answers)
        budget -= excess
        if budget <= 0:
            raise ValueError(f"The facts alone are longer than {length} tokens; ask for longer `lengths`.")


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Distinct made-up words."""
    numbers = rng.choice(len(_SYLLABLES) ** 3, count, replace=False)
    base = len(_SYLLABLES)
    parts = [(number // base**2, number // base % base, number % base) for number in numbers]
    return ["".join(_SYLLABLES[part] for part in three).capitalize() for three in parts]


def _filler(
    documents: Sequence[str], ids: Sequence[list[int]], order: Sequence[int], budget: int, model: PlainModel
) -> str:
    """Whole documents in this order up to `budget` tokens; the last is cut."""
    pieces = []
    for number in order:
        if len(ids[number]) >= budget:
            pieces.append(model.decode(ids[number][:budget]).rstrip("\ufffd"))
            return _BETWEEN.join(pieces)
        pieces.append(documents[number])
        budget -= len(ids[number])
    raise ValueError(f"The held-out texts are too short together: {budget:,} tokens are missing.")


def _hide(text: str, facts: Sequence[str], depths: Sequence[float]) -> str:
    """The text with each fact at the first space after its depth, measured in characters."""
    pieces = []
    end = len(text)
    for depth, fact in sorted(zip(depths, facts, strict=True), reverse=True):
        place = round(depth * len(text))
        while 0 < place < end and not text[place].isspace():
            place += 1
        pieces += [text[place:end].strip(), fact.strip()]
        end = min(place, end)
    return _BETWEEN.join(filter(None, [text[:end].strip(), *reversed(pieces)]))


def score_retrieval(model: PlainModel, haystacks: Sequence[Haystack]) -> list[RetrievalScore]:
    """Ask the model every question about every text."""
    found: dict[tuple[int, float], list[tuple[bool, bool]]] = {}
    for haystack, answers in zip(haystacks, ask_haystacks(model, haystacks), strict=True):
        for depth, answer in zip(haystack.depths, answers, strict=True):
            found.setdefault((haystack.length, depth), []).append(answer)
    candidates = len(haystacks[0].answers)
    return [
        RetrievalScore(length, depth, len(answers), candidates, *map(float, np.mean(answers, axis=0)))
        for (length, depth), answers in found.items()
    ]


def ask_haystacks(model: PlainModel, haystacks: Sequence[Haystack]) -> list[list[tuple[bool, bool]]]:
    """For each question of each text whether its answer is said, and whether it is the likeliest."""
    return [_answers(model, haystack) for haystack in haystacks]


def _answers(model: PlainModel, haystack: Haystack) -> list[tuple[bool, bool]]:
    """For each question: whether the answer is said by greedy decoding, and whether it is the likeliest."""
    import torch

    with torch.no_grad():
        ids = torch.tensor([model.encode(haystack.text)], device=model.model.device)
        memory = model.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        found = []
        for right, question in enumerate(haystack.questions):
            scores = [_continuation(model, memory, question, answer) for answer in haystack.answers]
            likelihoods = [likelihood for likelihood, _ in scores]
            found.append((scores[right][1], int(np.argmax(likelihoods)) == right))
    return found


def _continuation(model: PlainModel, memory: Any, question: str, answer: str) -> tuple[float, bool]:
    """The log-likelihood of `answer` after what was read and `question`, and whether greedy decoding says it.

    `memory` is copied, for the model writes into it.
    """
    import copy

    import torch

    asked = len(model.encode(question, begins=False))
    ids = torch.tensor([model.encode(question + answer, begins=False)], device=model.model.device)
    logits = model.model(input_ids=ids, past_key_values=copy.deepcopy(memory), use_cache=True).logits[0]
    scores = logits[asked - 1 : -1].float().log_softmax(-1)
    wanted = ids[0, asked:]
    said = bool((scores.argmax(-1) == wanted).all())
    return float(scores.gather(-1, wanted[:, None]).sum()), said
