"""Outcomes of passages against servers on good and bad days, and after kills."""

import asyncio
import multiprocessing
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from pipelines.errors import UserError, WorkError
from pipelines.execution.fingerprint import fingerprint
from pipelines.sources.endpoint import EndpointClient, Patience
from pipelines.synthesis.ask import Ask, each
from pipelines.synthesis.asking.answers import Answers, stored_answers
from pipelines.synthesis.asking.outcomes import Outcome, outcomes
from pipelines.synthesis.draft import Draft, RejectedError, Rejection
from pipelines.synthesis.model import ModelEndpoint
from pipelines.synthesis.passage import Passage
from pipelines.synthesis.prompt import Prompt, PromptFile
from tests.pipelines.sources.bad_day_server import BadDayServer, question_of
from tests.pipelines.sources.model_server import DROP, ModelServer, Reply, Request, says

QUICK = Patience(tries=4, first_wait=0.01, longest_wait=0.02)
TELL = Prompt("test/tell", "en", PromptFile(user="{{ what }}"))
SAMPLING = {"temperature": 0.7, "max_tokens": 50}
GOOD_DAY = {"trouble": 0.0}
BAD_DAY = {"trouble": 0.5, "stall": 30.0, "retry_after": 0.05}
IMPATIENT = 3.0
"""Seconds that a client waits for an answer on a bad day; servers that stall take longer."""


def passages(count: int) -> list[Passage]:
    return [
        Passage(id=f"d{n}#0", parent_id=f"d{n}", text=f"Passage {n}", language="en", source="s", domain="d")
        for n in range(count)
    ]


def client(url: str, **settings) -> EndpointClient:
    return EndpointClient(ModelEndpoint(base_url=url, model="m", **({"concurrency": 8} | settings)), QUICK)


def draft(text: str) -> Draft:
    return Draft(kind="k", language="en", prompt=TELL.hash, text=text)


async def tell(passage: Passage, ask: Ask) -> list[Draft]:
    return [draft((await ask(TELL, {"what": passage.text})).text)]


async def tell_and_go_on(passage: Passage, ask: Ask) -> list[Draft | Rejection]:
    """Two questions at the same time, then one about the answer to the first."""
    first, second = await each(ask(TELL, {"what": f"{passage.text}, {part}"}) for part in ("first", "second"))
    if isinstance(first, Rejection):
        return [first, second if isinstance(second, Rejection) else draft(second.text)]
    [third] = await each([ask(TELL, {"what": f"{passage.text}, then: {first.text}"})])
    return [found if isinstance(found, Rejection) else draft(found.text) for found in (first, second, third)]


def run(url: str, folder: Path, count: int = 20, make=tell, name: str = "a", **settings) -> list[Outcome]:
    with Answers(folder, name) as answers:
        return list(outcomes(passages(count), make, client(url, **settings), answers, SAMPLING))


def without_excerpts(found: list[Outcome]) -> list[Outcome]:
    """Outcomes without the words of servers and connections that fail in many ways."""
    plain = [
        tuple(replace(r, excerpt="") if isinstance(r, Rejection) else r for r in outcome.results)
        for outcome in found
    ]
    return [replace(outcome, results=results) for outcome, results in zip(found, plain, strict=True)]


def test_outcomes_come_in_the_order_of_passages_with_what_they_took(tmp_path):
    with BadDayServer(**GOOD_DAY) as server:
        found = run(server.url, tmp_path)
    assert found == [Outcome(passage, (draft(passage.text),), 1, 2, 2) for passage in passages(20)]
    assert server.most_at_once <= 8
    assert server.bodies[0] == {
        "model": "m",
        "messages": [{"role": "user", "content": question_of(server.bodies[0])}],
        **SAMPLING,
    }


def test_what_is_stored_is_not_asked_again_and_gives_the_same(tmp_path):
    with BadDayServer(**GOOD_DAY) as server:
        first = run(server.url, tmp_path, make=tell_and_go_on)
        asked = server.asked.total()
        assert run(server.url, tmp_path, make=tell_and_go_on, name="b") == first
        assert server.asked.total() == asked == 60
        run(server.url, tmp_path, 21, make=tell_and_go_on)
        assert server.asked.total() == asked + 3


def test_a_stored_answer_says_what_was_asked_and_when(tmp_path):
    before = time.time()
    with BadDayServer(**GOOD_DAY) as server:
        run(server.url, tmp_path, 1)
    [stored] = stored_answers(tmp_path / "a.jsonl")
    assert (stored.model, stored.prompt, stored.prompt_hash) == ("m", "test/tell", TELL.hash)
    assert (stored.passage, stored.draw, stored.text) == ("d0#0", 0, "Passage 0")
    assert (stored.input_tokens, stored.output_tokens, stored.finish_reason) == (2, 2, "stop")
    assert before <= stored.began <= stored.ended <= time.time()


@pytest.mark.parametrize("changed", ["model", "sampling", "prompt", "schema", "draw"])
def test_another_question_is_asked(tmp_path, changed):
    def ask_with(prompt: Prompt, **how):
        async def make(passage: Passage, ask: Ask) -> list[Draft]:
            return [draft((await ask(prompt, {"what": passage.text}, **how)).text)]

        return make

    another = ask_with(
        replace(TELL, file=PromptFile(user="Please: {{ what }}")) if changed == "prompt" else TELL,
        schema={"type": "object"} if changed == "schema" else None,
        draw=int(changed == "draw"),
    )
    sampling = SAMPLING | ({"temperature": 0} if changed == "sampling" else {})
    with BadDayServer(**GOOD_DAY) as server, Answers(tmp_path, "a") as answers:
        asked = client(server.url)
        list(outcomes(passages(1), ask_with(TELL), asked, answers, SAMPLING))
        if changed == "model":
            asked = EndpointClient(ModelEndpoint(base_url=server.url, model="other"), QUICK)
        list(outcomes(passages(1), another, asked, answers, sampling))
        first, second = server.bodies
    assert first != second


def test_draws_of_a_question_are_told_apart(tmp_path):
    async def three(passage: Passage, ask: Ask) -> list[Draft]:
        return [draft((await ask(TELL, {"what": "x"}, draw=draw)).text) for draw in (0, 1, 2)]

    with BadDayServer(**GOOD_DAY) as server:
        run(server.url, tmp_path, 3, make=three)
    assert sorted(body.get("seed", 0) for body in server.bodies) == [0, 1, 2]


@pytest.mark.parametrize("guided", [True, False])
def test_a_schema_goes_to_a_server_that_takes_one(tmp_path, guided):
    async def make(passage: Passage, ask: Ask) -> list[Draft]:
        return [draft((await ask(TELL, {"what": "x"}, schema={"type": "array"})).text)]

    with BadDayServer(**GOOD_DAY) as server:
        run(server.url, tmp_path, 1, make=make, guided=guided)
    [body] = server.bodies
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "array"}}}
    assert body.get("response_format") == (wanted if guided else None)


def test_one_question_of_many_passages_is_asked_once(tmp_path):
    async def same(passage: Passage, ask: Ask) -> list[Draft]:
        return [draft((await ask(TELL, {"what": "the same"})).text)]

    with BadDayServer(**GOOD_DAY) as server:
        found = run(server.url, tmp_path, 50, make=same)
    assert server.asked == {"the same": 1}
    assert {(outcome.calls, outcome.output_tokens) for outcome in found} == {(1, 2)}


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("<think>a\nb</think>\n\nyes", "yes"),
        ("a thought that the template began</think>yes", "yes"),
        ("<think>one</think>yes<think>two</think>", "yes"),
        ("  as it is\n", "  as it is\n"),
        ("<think>cut short", None),
        ("<think>only</think>  ", None),
        (" \n", None),
        ("", None),
        ("<think>" * 100_000, None),
    ],
)
def test_thoughts_are_stored_and_not_seen(tmp_path, said, seen):
    with BadDayServer(lambda body: said, **GOOD_DAY) as server:
        for _ in range(2):
            [outcome] = run(server.url, tmp_path, 1)
            if seen is None:
                assert [result.reason for result in outcome.results] == ["empty"]
            else:
                assert outcome.results == (draft(seen),)
    assert server.asked.total() == outcome.calls == 1
    [stored] = stored_answers(tmp_path / "a.jsonl")
    assert stored.text == said


def test_on_a_bad_day_every_passage_ends_kept_or_rejected_and_nothing_is_answered_twice(tmp_path):
    with BadDayServer(**BAD_DAY) as server:
        first = run(server.url, tmp_path, 150, make=tell_and_go_on, timeout=IMPATIENT)
        assert [outcome.passage for outcome in first] == passages(150)
        reasons = Counter(
            result.reason for outcome in first for result in outcome.results if isinstance(result, Rejection)
        )
        assert all(outcome.results for outcome in first)
        assert reasons.keys() == {"empty", "no_answer", "refused_request"}
        assert set(server.whole.values()) == {1}
        again = run(server.url, tmp_path, 150, make=tell_and_go_on, timeout=IMPATIENT)
        assert without_excerpts(again) == without_excerpts(first)
        assert set(server.whole.values()) == {1}


def key(question: str) -> str:
    """What an answer to a question is stored under."""
    return fingerprint(["m", [{"role": "user", "content": question}], SAMPLING, None, 0])


def work(url: str, folder: Path, count: int, results) -> None:
    results.put(run(url, folder, count, make=tell_and_go_on, timeout=IMPATIENT))


def test_twenty_kills_change_nothing(tmp_path):
    """Processes are killed at any moment, then one comes to its end."""
    count, folder = 100, tmp_path / "killed"
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    chance = random.Random(12)
    with BadDayServer(**BAD_DAY) as server:
        unharmed = run(server.url, tmp_path / "unharmed", count, make=tell_and_go_on, timeout=IMPATIENT)
    with BadDayServer(**BAD_DAY) as server:

        def started(results) -> multiprocessing.Process:
            process = processes.Process(target=work, args=(server.url, folder, count, results))
            before = server.asked.total()
            process.start()
            while process.is_alive() and server.asked.total() == before:
                time.sleep(0.002)
            return process

        for _ in range(20):
            with Answers(folder, "look") as answers:
                stored = {
                    question: server.asked[question]
                    for question in server.asked
                    if answers.get(key(question))
                }
            process = started(processes.Queue())
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            process.join()
            assert process.exitcode == -signal.SIGKILL
            assert {question: server.asked[question] for question in stored} == stored
        results = processes.Queue()
        process = started(results)
        found = results.get(timeout=120)
        process.join()
    assert 0 < len(stored) < len(server.whole)
    assert without_excerpts(found) == without_excerpts(unharmed)
    assert server.whole.total() - len(server.whole) <= 20 * 8


def test_a_request_that_fails_for_ever_fails_alone(tmp_path):
    """Also when it is the only one, and in every run."""
    always = next(n for n in range(10_000) if fate_of(n)[1] == "always 500")
    passage = passages(always + 1)[-1]
    with BadDayServer(**BAD_DAY) as server:
        for name in "ab":
            with Answers(tmp_path, name) as answers:
                [outcome] = outcomes(
                    [passage], tell, client(server.url, timeout=IMPATIENT), answers, SAMPLING
                )
            assert [result.reason for result in outcome.results] == ["no_answer"]
            assert outcome.calls == 0


def fate_of(number: int) -> tuple[tuple[str, ...], str]:
    body = {"model": "m", "messages": TELL.messages({"what": f"Passage {number}"}), **SAMPLING}
    return BadDayServer(**BAD_DAY).fate(orjson.dumps(body))


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda request: reply


@pytest.mark.parametrize(
    "reply",
    [
        DROP,
        Reply(401, b"no"),
        Reply(402, b"pay"),
        Reply(404, b"no model"),
        Reply(503),
        Reply(400, b"temprature?"),
    ],
)
def test_a_server_that_refuses_all_or_is_down_ends_the_run(tmp_path, reply):
    with ModelServer(always(reply)) as server, pytest.raises(WorkError) as caught:
        run(server.url, tmp_path, 1_000)
    assert caught.value.hint
    assert reply.body.decode().strip("{}") in str(caught.value)
    assert len(server.requests) < 200


def test_a_server_that_answers_nothing_but_that_it_runs_ends_the_run(tmp_path):
    with BadDayServer(lambda body: 1 / 0, **GOOD_DAY) as server, pytest.raises(WorkError, match="status 500"):
        run(server.url, tmp_path, 1_000)
    assert server.asked.total() < 400


def test_outcomes_before_the_server_died_are_handed_out(tmp_path):
    def answer(request: Request) -> Reply:
        return says("yes") if len(server.requests) <= 10 else DROP

    with ModelServer(answer) as server, Answers(tmp_path, "a") as answers:
        found = outcomes(passages(100), tell, client(server.url, concurrency=1), answers, SAMPLING)
        assert [next(found).passage for _ in range(10)] == passages(10)
        with pytest.raises(WorkError):
            next(found)


def test_many_refusals_among_stored_answers_end_nothing(tmp_path):
    """As when a run is repeated in which all was answered but what the server refuses."""

    def answer(request: Request) -> Reply:
        number = int(question_of(request.body).split()[-1])
        return Reply(400, b"too long") if number % 2 else says("yes")

    with ModelServer(answer) as server:
        first = run(server.url, tmp_path, 300)
        assert run(server.url, tmp_path, 300) == first
    reasons = Counter(r.reason for outcome in first for r in outcome.results if isinstance(r, Rejection))
    assert reasons == {"refused_request": 150}


@pytest.mark.parametrize(
    "kind", [ValueError, KeyError, UserError, asyncio.CancelledError, TimeoutError, ExceptionGroup]
)
def test_a_fault_of_a_method_comes_out(tmp_path, kind):
    async def make(passage: Passage, ask: Ask) -> list[Draft]:
        if passage.id == "d5#0":
            raise kind("bug", [ValueError()]) if kind is ExceptionGroup else kind("bug")
        return await tell(passage, ask)

    wanted = {asyncio.CancelledError: RuntimeError, ExceptionGroup: ValueError}.get(kind, kind)
    with BadDayServer(**GOOD_DAY) as server, pytest.raises(wanted):
        run(server.url, tmp_path, 1_000, make=make)
    assert server.asked.total() < 100


def test_a_rejected_passage_is_an_outcome(tmp_path):
    async def make(passage: Passage, ask: Ask) -> list[Draft]:
        await ask(TELL, {"what": passage.text})
        raise RejectedError(Rejection("too_dull", "zzz"))

    with BadDayServer(**GOOD_DAY) as server:
        [outcome] = run(server.url, tmp_path, 1, make=make)
    assert (outcome.results, outcome.calls) == ((Rejection("too_dull", "zzz"),), 1)


def test_a_fault_of_the_passages_comes_out(tmp_path):
    def broken() -> Iterator[Passage]:
        yield from passages(3)
        raise UserError("no such file")

    with (
        BadDayServer(**GOOD_DAY) as server,
        Answers(tmp_path, "a") as answers,
        pytest.raises(UserError, match="no such file"),
    ):
        list(outcomes(broken(), tell, client(server.url), answers, SAMPLING))


def test_no_passages_ask_nothing(tmp_path):
    with BadDayServer(**GOOD_DAY) as server:
        assert run(server.url, tmp_path, 0) == []
    assert not server.asked


def test_passages_are_read_as_they_are_needed(tmp_path):
    read = []

    def endless() -> Iterator[Passage]:
        for passage in passages(10_000):
            read.append(passage)
            yield passage

    with BadDayServer(**GOOD_DAY) as server, Answers(tmp_path, "a") as answers:
        with closing(
            outcomes(endless(), tell, client(server.url, concurrency=2), answers, SAMPLING)
        ) as found:
            for _ in range(100):
                next(found)
            time.sleep(0.1)
            assert 100 <= len(read) <= 100 + 8
        assert len(read) <= 100 + 8


def test_slow_reading_holds_up_no_request(tmp_path):
    go_on = threading.Event()

    def slow() -> Iterator[Passage]:
        yield from passages(2)
        go_on.wait(30)
        yield passages(3)[-1]

    with BadDayServer(**GOOD_DAY) as server, Answers(tmp_path, "a") as answers:
        found = outcomes(slow(), tell, client(server.url), answers, SAMPLING)
        assert [next(found).passage for _ in range(2)] == passages(2)
        go_on.set()
        assert [outcome.passage for outcome in found] == passages(3)[2:]


def test_closing_stops_what_is_under_way(tmp_path):
    async def stuck(passage: Passage, ask: Ask) -> list[Draft]:
        if passage.id != "d0#0":
            await asyncio.sleep(3600)
        return await tell(passage, ask)

    threads = threading.active_count()
    with BadDayServer(**GOOD_DAY) as server, Answers(tmp_path, "a") as answers:
        found = outcomes(passages(100), stuck, client(server.url), answers, SAMPLING)
        assert next(found).passage.id == "d0#0"
        found.close()
        assert threading.active_count() == threads + 1, "the server's"
        assert list(found) == []


def test_a_slow_passage_holds_back_those_after_it_only_so_far(tmp_path):
    go_on = asyncio.Event()
    began = []

    async def first_is_slow(passage: Passage, ask: Ask) -> list[Draft]:
        began.append(passage.id)
        if len(began) == 8:
            go_on.set()
        if passage.id == "d0#0":
            await go_on.wait()
        return await tell(passage, ask)

    with BadDayServer(**GOOD_DAY) as server:
        found = run(server.url, tmp_path, 30, make=first_is_slow, concurrency=2)
    assert [outcome.passage for outcome in found] == passages(30)
