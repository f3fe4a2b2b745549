"""A gate: never more at the same time than allowed, in order, and none lost where some are cancelled."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.gate import Gate


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=20))
@settings(deadline=None)
def test_turns_are_bounded_and_in_order_and_none_is_lost(at_most, workers):
    """Workers go on for some steps of the loop; some are cancelled at some step."""
    inside: list[int] = []
    entered: list[int] = []
    most = 0

    async def work(gate: Gate, number: int, steps: int) -> None:
        nonlocal most
        async with gate:
            entered.append(number)
            inside.append(number)
            most = max(most, len(inside))
            try:
                for _ in range(steps):
                    await asyncio.sleep(0)
            finally:
                inside.remove(number)

    async def run() -> None:
        gate = Gate(at_most)
        tasks = [asyncio.create_task(work(gate, n, steps)) for n, (steps, _) in enumerate(workers)]
        for step in range(1, 6):
            await asyncio.sleep(0)
            for task, (_, cancelled) in zip(tasks, workers, strict=True):
                if cancelled == step:
                    task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        afterwards = [work(gate, -1, 1) for _ in range(at_most)]
        inside.clear()
        await asyncio.wait_for(asyncio.gather(*afterwards), 10)

    asyncio.run(run())
    order = [number for number in entered if number >= 0]
    assert order == sorted(order)
    assert most <= at_most


def test_all_turns_can_be_taken_at_once():
    async def run() -> int:
        gate = Gate(3)
        together = asyncio.Barrier(3)

        async def work() -> int:
            async with gate:
                await together.wait()
            return 1

        return sum(await asyncio.wait_for(asyncio.gather(*(work() for _ in range(9))), 10))

    assert asyncio.run(run()) == 9


def test_a_turn_is_not_lost_with_one_that_is_cancelled_as_it_gets_it():
    async def run() -> None:
        gate = Gate(1)
        goes_on = asyncio.Event()

        async def work() -> None:
            async with gate:
                await goes_on.wait()

        async with gate:
            second, third = asyncio.create_task(work()), asyncio.create_task(work())
            await asyncio.sleep(0)
        second.cancel()
        goes_on.set()
        await asyncio.wait_for(third, 10)

    asyncio.run(run())
