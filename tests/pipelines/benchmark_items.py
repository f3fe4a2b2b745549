"""Items of a benchmark that the tests plant: none is like another, or like the tests' documents."""

import random

_SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo xu za che dri flo gru".split()


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4)))


def question(rng: random.Random, words: int = 14) -> str:
    return f"Which {' '.join(_word(rng) for _ in range(words))}?"


def items(number: int, seed: int = 11) -> list[dict[str, str]]:
    """Records with `id`, `question` and `answer`."""
    rng = random.Random(seed)
    return [
        {
            "id": f"q{n}",
            "question": question(rng),
            "answer": " ".join(_word(rng) for _ in range(9)).capitalize() + ".",
        }
        for n in range(number)
    ]


def asked_and_answered(item: dict[str, str]) -> str:
    return f"{item['question']} {item['answer']}"
