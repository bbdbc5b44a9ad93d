"""Work in steps: a generator that does no I/O of its own, and yields each thing that may have to wait.

It yields a function without arguments, to be called where waiting is allowed; or a Future, which is work that is
already under way and needs no thread to wait for it. Whoever runs the steps sends back the result or throws in the
error. So the same code serves a thread that may block and an event loop that may not (ADR 17).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
Wait = Callable[[], Any] | Future[Any]
Steps = Generator[Wait, Any, Result]


def run_steps(steps: Steps[Result]) -> Result:
    """Run the steps to their end in this thread, which waits wherever they wait. Raises what they raise."""
    try:
        wait = next(steps)
        while True:
            try:
                result = wait.result() if isinstance(wait, Future) else wait()
            except Exception as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def run_steps_on_loop(steps: Steps[Result], in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> Result:
    """Run the steps on the event loop, which waits nowhere: a function goes to `in_thread`, a Future is awaited."""
    try:
        wait = next(steps)
        while True:
            try:
                if isinstance(wait, Future):
                    await asyncio.gather(asyncio.wrap_future(wait), return_exceptions=True)
                    result = wait.result()  # so that canceled work is an error, as in a thread
                else:
                    result = await in_thread(wait)
            except Exception as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
