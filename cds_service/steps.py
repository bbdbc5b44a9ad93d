"""Work in steps: a generator that does no I/O of its own, and yields each thing that may have to wait.

It yields a function without arguments, to be called where waiting is allowed; or a Future, which is work that is
already under way and needs no thread to wait for it. Whoever runs the steps sends back the result or throws in the
error. So the same code serves a thread that may block and an event loop that may not (ADR 17): the loop gives a
function to a pool of threads, and awaits `asyncio.wrap_future` of a Future.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
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
