"""Work in steps: a generator that does no I/O of its own, and yields each thing that may have to wait.

What it yields is a function without arguments. Whoever runs the steps calls it, where waiting is allowed, and sends
back what it returned or throws in what it raised. So the same code serves a thread that may block and an event loop
that may not (ADR 17).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")
Wait = Callable[[], Any]
Steps = Generator[Wait, Any, Result]


def run_steps(steps: Steps[Result]) -> Result:
    """Run the steps to their end in this thread, which waits wherever they wait. Raises what they raise."""
    try:
        wait = next(steps)
        while True:
            try:
                result = wait()
            except Exception as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
