"""Asking a model behind an OpenAI-compatible endpoint: real servers, of good and of bad behaviour."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.errors import UserError, WorkError
from pipelines.sources.endpoint import Endpoint, EndpointClient, Patience
from pipelines.sources.endpoint import Reply as AnswerOfChat
from pipelines.sources.endpoint_session import NoAnswerError, RefusedError
from tests.pipelines.sources.model_server import DROP, ModelServer, Reply, Request, embeds, says

QUICK = Patience(tries=4, first_wait=0.01, longest_wait=0.02)
HELLO = [{"role": "user", "content": "Hello"}]
SECRET = "sk-very-secret-123"


def client(server: ModelServer, **settings) -> EndpointClient:
    return EndpointClient(Endpoint(base_url=server.url, model="m", **settings), QUICK)


def first_then(first: list[Reply], then: Reply) -> Callable[[Request], Reply]:
    """Replies in order, then always the same."""
    left = list(first)
    lock = threading.Lock()

    def answer(request: Request) -> Reply:
        with lock:
            return left.pop(0) if left else then

    return answer


def echo(request: Request) -> Reply:
    return says("You said: " + request.body["messages"][-1]["content"])


def numbered(count: int) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": str(number)}] for number in range(count)]


def test_a_chat_is_asked_as_the_protocol_says(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    with ModelServer(echo) as server:
        assert client(server, key="JUDGE_KEY").chat(HELLO, temperature=0, max_tokens=7) == "You said: Hello"
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.body == {"model": "m", "messages": HELLO, "temperature": 0, "max_tokens": 7}


def test_without_a_key_none_is_sent():
    with ModelServer(echo) as server:
        client(server).chat(HELLO)
    assert "authorization" not in server.requests[0].headers


def test_every_conversation_is_answered_once_and_no_more_than_allowed_at_once():
    def slowly(request: Request) -> Reply:
        time.sleep(0.02)
        return echo(request)

    with ModelServer(slowly) as server:
        asked = client(server, concurrency=3)
        answers = dict(asked.chat_all(numbered(20)))
    assert answers == {number: f"You said: {number}" for number in range(20)}
    assert len(server.requests) == asked.requests == 20
    assert 1 < server.most_at_once <= 3


def test_answers_come_before_the_last_is_there():
    go_on = threading.Event()

    def answer(request: Request) -> Reply:
        if request.body["messages"][0]["content"] == "1":
            go_on.wait(30)
        return echo(request)

    with ModelServer(answer) as server:
        answers = client(server, concurrency=2).chat_all(numbered(2))
        assert next(answers)[0] == 0
        go_on.set()
        assert next(answers)[0] == 1


def test_an_abandoned_batch_asks_no_more():
    with ModelServer(echo) as server:
        asked = client(server, concurrency=1)
        answers = asked.chat_all(numbered(10_000))
        next(answers)
        answers.close()
        before = asked.requests
        time.sleep(0.05)
        assert len(server.requests) <= asked.requests == before < 10_000


def test_a_caller_that_runs_a_loop_of_its_own_may_ask():
    async def inside() -> str:
        return client(server).chat(HELLO)

    with ModelServer(echo) as server:
        assert asyncio.run(inside()) == "You said: Hello"


def test_a_fault_of_the_conversations_reaches_the_caller():
    def broken():
        yield HELLO
        raise UserError("no such file")

    with ModelServer(echo) as server, pytest.raises(UserError, match="no such file"):
        list(client(server).chat_all(broken()))


TROUBLES = {
    "busy": Reply(429, b'{"error": "slow down"}'),
    "broken": Reply(500, b"oops"),
    "gateway": Reply(502, b"<html>bad gateway</html>"),
    "unavailable": Reply(503),
    "overloaded": Reply(529),
    "dropped": DROP,
    "no json": Reply(200, b"<html>welcome to the hotel's network</html>"),
    "cut json": Reply(200, b'{"choices": [{"message": {"con'),
    "other json": Reply(200, b'{"choices": []}'),
    "a text": Reply(200, b'{"choices": [{"message": "yes"}]}'),
    "deep": Reply(200, b"[" * 100_000),
    "a list": Reply(200, b"[1, 2]"),
    "a number": Reply(200, b'{"choices": [{"message": {"content": 5}}]}'),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_passing_trouble_is_overcome(trouble):
    with ModelServer(first_then([trouble] * 3, says("yes"))) as server:
        assert client(server).chat(HELLO) == "yes"
    assert len(server.requests) == 4


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_lasting_trouble_is_named_with_its_address(trouble):
    with ModelServer(lambda request: trouble) as server, pytest.raises(WorkError) as caught:
        client(server).chat(HELLO)
    assert f"{server.url}/chat/completions" in str(caught.value)
    assert "after 4 tries" in str(caught.value)
    if trouble.status not in (0, 200):
        assert f"status {trouble.status}" in str(caught.value)
    assert len(server.requests) == 4


@pytest.mark.parametrize("written", ["seconds", "date"])
def test_the_wait_that_the_server_asks_for_is_kept_by_all_requests(written):
    asked_at = []
    until = datetime.now(UTC) + timedelta(seconds=2)
    header = "0.4" if written == "seconds" else format_datetime(until, usegmt=True)

    def answer(request: Request) -> Reply:
        asked_at.append(time.monotonic())
        return Reply(429, b"", (("retry-after", header),)) if len(asked_at) == 1 else echo(request)

    with ModelServer(answer) as server:
        answers = list(client(server, concurrency=1).chat_all(numbered(3)))
    assert [text for _, text in answers] == ["You said: 0", "You said: 1", "You said: 2"]
    if written == "seconds":
        assert asked_at[1] - asked_at[0] >= 0.4
    else:
        assert datetime.now(UTC) >= until.replace(microsecond=0)


def test_a_wait_of_hours_is_an_answer():
    reply = Reply(429, b"quota", (("retry-after", "86400"),))
    with (
        ModelServer(lambda request: reply) as server,
        pytest.raises(WorkError, match="asked again in 86400 s"),
    ):
        client(server).chat(HELLO)
    assert len(server.requests) == 1


def test_a_slow_server_is_named():
    over = threading.Event()

    def answer(request: Request) -> Reply:
        over.wait(30)
        return echo(request)

    with ModelServer(answer) as server:
        with pytest.raises(WorkError, match=r"no answer within 0\.1 s after 4 tries"):
            client(server, timeout=0.1).chat(HELLO)
        over.set()


def test_an_answer_that_trickles_in_is_not_waited_for_for_ever():
    over = threading.Event()

    def trickle(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while not over.wait(0.02):
            with suppress(OSError):
                connection.sendall(b" ")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle, args=(listening,))
        thread.start()
        endpoint = Endpoint(
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1", model="m", timeout=0.3
        )
        with pytest.raises(WorkError, match=r"no answer within 0\.3 s"):
            EndpointClient(endpoint, Patience(tries=1)).chat(HELLO)
        over.set()
        thread.join()


def test_no_server_at_all_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(WorkError, match="the connection failed") as caught:
            EndpointClient(Endpoint(base_url=url, model="m"), QUICK).chat(HELLO)
    assert url in str(caught.value)


def test_one_refused_conversation_fails_alone_and_is_not_repeated():
    def answer(request: Request) -> Reply:
        return Reply(400, b"too long") if request.body["messages"][0]["content"] == "3" else echo(request)

    with ModelServer(answer) as server:
        answers = dict(client(server, concurrency=1).chat_all(numbered(6)))
    assert [number for number, text in answers.items() if isinstance(text, WorkError)] == [3]
    assert "status 400: too long" in str(answers[3])
    assert len(server.requests) == 6


def test_a_model_that_says_nothing_fails_alone():
    with ModelServer(lambda request: says(None, "length")) as server:
        answers = dict(client(server, concurrency=1).chat_all(numbered(3)))
    assert all("gave no text (finish_reason: length)" in str(answer) for answer in answers.values())
    assert len(server.requests) == 3


def test_a_server_that_died_is_not_asked_for_each_of_thousands():
    alive = 50

    def answer(request: Request) -> Reply:
        return echo(request) if len(server.requests) <= alive else DROP

    with ModelServer(answer) as server:
        answers = dict(client(server, concurrency=4).chat_all(numbered(2_000)))
    assert len(answers) == 2_000
    assert sum(isinstance(text, str) for text in answers.values()) == alive
    assert len(server.requests) <= alive + 4 * QUICK.tries * 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_everything_is_met_once(status):
    with ModelServer(lambda request: Reply(status, b"no")) as server:
        answers = dict(client(server, concurrency=1).chat_all(numbered(100)))
    assert len(answers) == 100
    assert all(f"status {status}" in str(answer) for answer in answers.values())
    assert len(server.requests) == 1


def test_the_key_is_in_no_message_and_no_log(monkeypatch, caplog):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    reply = Reply(401, f"Incorrect API key: {SECRET}".encode())
    with ModelServer(lambda request: reply) as server, pytest.raises(WorkError) as caught:
        client(server, key="JUDGE_KEY").chat(HELLO)
    assert "Incorrect API key: ***" in str(caught.value)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any(SECRET in f"{error!r} {error}" for error in chain)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "ключ", "a\nb"])
def test_a_variable_without_a_key_is_named_and_its_value_is_not(monkeypatch, value):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("JUDGE_KEY", value)
    endpoint = Endpoint(base_url="http://localhost/v1", model="m", key="JUDGE_KEY")
    with pytest.raises(UserError, match="JUDGE_KEY") as caught:
        EndpointClient(endpoint)
    assert not value or not value.strip() or value.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://host/v1", "http://", "http://user:secret@host/v1", "http://host/v1?key=secret"],
)
def test_what_is_no_address_or_holds_a_secret_is_refused(url):
    with pytest.raises(ValidationError):
        Endpoint(base_url=url, model="m")


def chat_in_session(asked: EndpointClient, conversations: list[list[dict[str, str]]], **sampling) -> list:
    """What a session gives for each conversation, all at the same time: a reply or an error."""

    async def inside() -> list:
        async with asked.session() as session:
            chats = [session.chat(messages, **sampling) for messages in conversations]
            return await asyncio.gather(*chats, return_exceptions=True)

    return asyncio.run(inside())


def test_a_session_chats_with_what_an_answer_took():
    body = (
        b'{"choices": [{"message": {"content": "yes"}, "finish_reason": "length"}],'
        b' "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}'
    )
    with ModelServer(lambda request: Reply(200, body)) as server:
        assert chat_in_session(client(server), [HELLO], top_p=0.5) == [("yes", "length", 12, 3)]
    assert server.requests[0].body == {"model": "m", "messages": HELLO, "top_p": 0.5}


@pytest.mark.parametrize(
    ("message", "rest", "reply"),
    [
        ('{"content": "a"}', "", ("a", "", 0, 0)),
        ('{"content": null}', ', "finish_reason": "length"', ("", "length", 0, 0)),
        ('{"content": null, "refusal": "No."}', "", ("No.", "", 0, 0)),
        ('{"content": "\\ud83d \\ud83d\\ude00"}', "", ("\ufffd \U0001f600", "", 0, 0)),
        ('{"content": "a"}', ', "finish_reason": 7', ("a", "", 0, 0)),
    ],
)
@pytest.mark.parametrize(
    "usage", ["null", "[]", '{"prompt_tokens": null, "completion_tokens": -1}', '{"prompt_tokens": "9"}']
)
def test_a_session_takes_answers_as_they_are(message, rest, reply, usage):
    body = f'{{"choices": [{{"message": {message}{rest}}}], "usage": {usage}}}'.encode()
    with ModelServer(lambda request: Reply(200, body)) as server:
        assert chat_in_session(client(server), [HELLO]) == [reply]


def test_a_session_tells_whose_trouble_it_is():
    def answer(request: Request) -> Reply:
        number = int(request.body["messages"][0]["content"])
        return {1: Reply(413, b"too large"), 2: Reply(500), 3: Reply(200, b"{")}.get(number) or echo(request)

    with ModelServer(answer) as server:
        found = chat_in_session(client(server, concurrency=2), numbered(30))
    kinds = [type(each) for each in found[:4]]
    assert kinds == [AnswerOfChat, RefusedError, NoAnswerError, NoAnswerError]
    assert all(type(each) is AnswerOfChat for each in found[4:])


def test_a_session_keeps_the_bound_on_requests_at_the_same_time():
    def slowly(request: Request) -> Reply:
        time.sleep(0.02)
        return echo(request)

    with ModelServer(slowly) as server:
        assert len(chat_in_session(client(server, concurrency=3), numbered(20))) == 20
    assert 1 < server.most_at_once <= 3


def test_a_dead_server_ends_all_chats_of_a_session():
    with ModelServer(lambda request: DROP) as server:
        found = chat_in_session(client(server, concurrency=4), numbered(500))
    assert {type(each) for each in found} == {WorkError}
    assert len(server.requests) <= 4 * QUICK.tries * 2


def test_a_redirection_is_not_followed_and_ends_all():
    reply = Reply(307, b"", (("location", "https://example.com/v1/chat/completions"),))
    with ModelServer(lambda request: reply) as server:
        found = chat_in_session(client(server, concurrency=1), numbered(20))
    assert all(type(each) is WorkError and "base_url" in each.hint for each in found)
    assert len(server.requests) == 1


def test_an_answer_without_end_is_not_kept():
    sent = 0

    def pour(listening: socket.socket) -> None:
        nonlocal sent
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with suppress(OSError):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                    while True:
                        sent += 1
                        connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=pour, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        asked = EndpointClient(Endpoint(base_url=url, model="m"), Patience(tries=1))
        with pytest.raises(WorkError, match="longer than"):
            asked.chat(HELLO)
    assert sent < 100


def test_halves_of_characters_may_be_asked():
    with ModelServer(echo) as server:
        client(server).chat([{"role": "user", "content": "\ud83d"}])
    assert server.requests[0].body["messages"][0]["content"] == "\ud83d"


def test_the_proxy_of_the_environment_is_asked(monkeypatch):
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ModelServer(echo) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        endpoint = Endpoint(base_url="http://model.invalid/v1", model="m")
        assert EndpointClient(endpoint, QUICK).chat(HELLO) == "You said: Hello"
        monkeypatch.setenv("no_proxy", "model.invalid")
        with pytest.raises(WorkError, match="the connection failed"):
            EndpointClient(endpoint, QUICK).chat(HELLO)
    assert proxy.requests[0].path == "http://model.invalid/v1/chat/completions"


def vector(text: str) -> list[float]:
    return [float(len(text)), 1.0]


def embed_all(request: Request) -> Reply:
    return embeds([vector(text) for text in request.body["input"]])


def test_vectors_come_in_the_order_of_the_texts():
    texts = ["x" * (1 + number * 37 % 101) for number in range(100)]
    with ModelServer(embed_all) as server:
        vectors = client(server).embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [vector(text) for text in texts]
    assert {request.path for request in server.requests} == {"/v1/embeddings"}
    assert all(len(request.body["input"]) <= 32 for request in server.requests)


def test_no_texts_ask_nothing():
    with ModelServer(embed_all) as server:
        assert client(server).embed([]).shape[0] == 0
    assert not server.requests


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1, NaN]}, {"index": 1, "embedding": [1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": "AACAPw=="}, {"index": 1, "embedding": "AACAPw=="}]}',
    ],
    ids=["none", "one twice", "two lengths", "not finite", "base64"],
)
def test_vectors_that_are_none_are_refused(body):
    reply = Reply(200, body)
    with ModelServer(lambda request: reply) as server, pytest.raises(WorkError, match="not of the protocol"):
        client(server).embed(["a", "b"])
