"""What asking a model costs the machine that asks: CPU time and memory a request, beside other clients.

python benchmarks/endpoint_client.py [--openai PYTHON] [--requests 100000] [--concurrency 2000]

A server in a process of its own answers short chats after a tenth of a second. Each client runs in a process
of its own: `session` is this project's client, `outcomes` a whole run of synthesis with prompts and stored
answers, `httpx` a plain AsyncClient, `openai` OpenAI's client, where PYTHON is an interpreter that has it.
CPU time is of the client's process from its first request to its last, imports left out; the figures of
memory are what the process holds (resident) after a tenth of the requests and after all of them.
Peers make fewer requests: their figures of memory say little, so none are given.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEER_REQUESTS = 4_000
THINKING = 0.1
"""Seconds of the server before it answers."""
SAMPLING = {"temperature": 0.7, "max_tokens": 50}


def messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"What is {number} plus {number}?"}]


def serve() -> None:
    """Print the port of a server that answers every chat, and serve until killed."""
    from aiohttp import web

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(THINKING)
        return web.Response(body=ANSWER, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", chat)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "That is twice as much, as everyone knows."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 10, "total_tokens": 22},
    }
).encode()


class Meter:
    """CPU time from its making, and memory at a tenth of the requests and at the end."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._done = 0
        self._early = 0
        self._began = time.perf_counter()
        self._cpu = time.process_time()

    def count(self) -> None:
        self._done += 1
        if self._done == self._requests // 10:
            self._early = resident()
        if self._done == self._requests:
            print(
                json.dumps(
                    {
                        "requests": self._done,
                        "cpu_ms": (time.process_time() - self._cpu) / self._done * 1e3,
                        "per_second": self._done / (time.perf_counter() - self._began),
                        "mb_at_a_tenth": self._early / 1e6,
                        "mb_at_the_end": resident() / 1e6,
                    }
                )
            )


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def many(ask: Callable[[int], Awaitable[object]], requests: int, concurrency: int) -> Awaitable[None]:
    """Ask by that many workers."""
    meter = Meter(requests)
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await ask(number)
            meter.count()

    async def all_workers() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())

    return all_workers()


def run_session(url: str, requests: int, concurrency: int) -> None:
    import aiohttp  # noqa: F401 - not counted

    from pipelines.sources.endpoint import Endpoint, EndpointClient

    async def run() -> None:
        client = EndpointClient(Endpoint(base_url=url, model="m", concurrency=concurrency))
        async with client.session() as session:
            await many(lambda number: session.chat(messages(number), **SAMPLING), requests, concurrency)

    asyncio.run(run())


def run_outcomes(url: str, requests: int, concurrency: int) -> None:
    import aiohttp  # noqa: F401 - not counted

    from pipelines.sources.endpoint import EndpointClient
    from pipelines.synthesis.ask import Ask
    from pipelines.synthesis.asking.answers import Answers
    from pipelines.synthesis.asking.outcomes import outcomes
    from pipelines.synthesis.draft import Draft
    from pipelines.synthesis.model import ModelEndpoint
    from pipelines.synthesis.passage import Passage
    from pipelines.synthesis.prompt import Prompt, PromptFile

    prompt = Prompt("sum", "en", PromptFile(user="What is {{ n }} plus {{ n }}?"))

    def passages() -> Iterator[Passage]:
        for number in range(requests):
            yield Passage(
                id=f"{number}#0", parent_id=str(number), text="", language="en", source="s", domain="d"
            )

    async def make(passage: Passage, ask: Ask) -> list[Draft]:
        answer = await ask(prompt, {"n": passage.parent_id})
        return [Draft(kind="sum", language="en", prompt=prompt.hash, text=answer.text)]

    client = EndpointClient(ModelEndpoint(base_url=url, model="m", concurrency=concurrency))
    meter = Meter(requests)
    with tempfile.TemporaryDirectory() as folder, Answers(Path(folder), "a") as answers:
        for _ in outcomes(passages(), make, client, answers, SAMPLING):
            meter.count()


def run_httpx(url: str, requests: int, concurrency: int) -> None:
    import httpx

    async def run() -> None:
        limits = httpx.Limits(max_connections=concurrency)
        async with httpx.AsyncClient(limits=limits, timeout=None) as client:

            async def ask(number: int) -> str:
                body = {"model": "m", "messages": messages(number), **SAMPLING}
                answer = await client.post(f"{url}/chat/completions", json=body)
                return answer.json()["choices"][0]["message"]["content"]

            await many(ask, requests, concurrency)

    asyncio.run(run())


def run_openai(url: str, requests: int, concurrency: int) -> None:
    import openai

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=None) as client:
            await many(
                lambda number: client.chat.completions.create(
                    model="m", messages=messages(number), **SAMPLING
                ),
                requests,
                concurrency,
            )

    asyncio.run(run())


CLIENTS = {"session": run_session, "outcomes": run_outcomes, "httpx": run_httpx, "openai": run_openai}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--openai", metavar="PYTHON", help="an interpreter with the package openai")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=2_000)
    parser.add_argument("--role", choices=("server", *CLIENTS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role == "server":
        serve()
    elif arguments.role:
        CLIENTS[arguments.role](arguments.url, arguments.requests, arguments.concurrency)
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    here = [sys.executable, __file__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*here, "--role", "server"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        try:
            for name in CLIENTS:
                own = name in ("session", "outcomes")
                if name == "openai" and not arguments.openai:
                    continue
                requests = arguments.requests if own else min(arguments.requests, PEER_REQUESTS)
                settings = ["--url", url, "--requests", str(requests)]
                settings += ["--concurrency", str(arguments.concurrency), "--role", name]
                python = arguments.openai if name == "openai" else sys.executable
                done = subprocess.run(
                    [python, __file__, *settings], env=environment, stdout=subprocess.PIPE, text=True
                )
                show(name, json.loads(done.stdout) if done.returncode == 0 else None, own)
        finally:
            server.kill()


def show(name: str, found: dict[str, float] | None, with_memory: bool) -> None:
    if found is None:
        print(f"{name:9} failed")
        return
    line = f"{name:9} {found['cpu_ms']:6.3f} ms of CPU a request, {found['per_second']:6.0f} requests/s"
    if with_memory:
        line += f", {found['mb_at_a_tenth']:.1f} MB at a tenth, {found['mb_at_the_end']:.1f} MB at the end"
    print(f"{line}, {found['requests']:.0f} requests", flush=True)


if __name__ == "__main__":
    main()
