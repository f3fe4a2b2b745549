"""A toy that answers as a model would: it reads the passage in a prompt and makes sentences of its facts."""

import json
import random
import re

from tests.pipelines.sources.model_server import Reply, Request

NAMES = ("Arvel", "Bremen", "Corvin", "Dalmar", "Eskel", "Farrow", "Gorlan", "Hamble", "Ilvar", "Jorvik")
GOODS = ("timber", "salt", "copper", "wool", "barley", "slate", "amber", "linen")
FACT = re.compile(r"The station (\w+ \d+) was opened in (\d+) and ships (\w+) to (\w+) (\d+)\.")


def station_texts(number: int, seed: int = 1) -> list[str]:
    """Documents about invented stations, each with facts of its own."""
    rng = random.Random(seed)
    return ["\n\n".join(_facts(rng, f"{NAMES[n % 10]} {1000 + n}") for _ in range(1)) for n in range(number)]


def _facts(rng: random.Random, name: str) -> str:
    facts = [
        f"The station {name} was opened in {rng.randint(1800, 1999)} and ships {rng.choice(GOODS)} to "
        f"{rng.choice(NAMES)} {rng.randint(1000, 1999)}."
        for _ in range(3)
    ]
    return " ".join([*facts, f"Its keeper at {name} writes down the weather of every single morning there."])


def answer(request: Request) -> Reply:
    """Questions where JSON is asked for, else sentences: the same for the same request."""
    asked = request.body["messages"][-1]["content"]
    facts = FACT.findall(asked)
    if "response_format" in request.body:
        text = json.dumps({"questions": [_question(*fact) for fact in facts]})
    else:
        text = " ".join(
            f"In {year} the station {name} was opened; {good} goes from {name} to {place} {number}."
            for name, year, good, place, number in facts
        )
    return replied(text, asked)


def replied(text: str, asked: str) -> Reply:
    """A reply with the usage that real servers give."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": len(asked) // 4, "completion_tokens": len(text) // 4}
    body = {"object": "chat.completion", "choices": [choice], "usage": usage}
    return Reply(body=json.dumps(body).encode())


def _question(name: str, year: str, good: str, place: str, number: str) -> dict[str, str]:
    return {
        "question": f"What does the station {name} ship to {place} {number}, and when was it opened?",
        "answer": f"The station {name}, which was opened in {year}, ships {good} to {place} {number}.",
    }
