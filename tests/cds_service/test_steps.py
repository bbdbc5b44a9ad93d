"""Steps wait for functions, which are called, and for work that is already under way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from threading import Timer
from typing import Any

import pytest

from cds_service.steps import Steps, Wait, run_steps, run_steps_on_loop


def done(result: Any = None, error: BaseException | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error:
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


def fail() -> None:
    raise ValueError("no")


def canceled() -> Future[Any]:
    future: Future[Any] = Future()
    future.cancel()
    return future


def run_on_loop(steps: Steps[Any]) -> Any:
    """What steps return on an event loop, which gives functions to another thread."""
    return asyncio.run(run_steps_on_loop(steps, asyncio.to_thread))


RUNNERS = [pytest.param(run_steps, id="in a thread"), pytest.param(run_on_loop, id="on an event loop")]
Runner = Callable[[Steps[Any]], Any]


def both(first: Wait, second: Wait) -> Steps[list[Any]]:
    """The results of two waits, the kind of error in place of one that failed."""
    results = []
    for wait in (first, second):
        try:
            results.append((yield wait))
        except (ValueError, CancelledError) as error:
            results.append(type(error))
    return results


@pytest.mark.parametrize(
    ("first", "result"),
    [
        pytest.param(lambda: 1, 1, id="a function is called"),
        pytest.param(done(1), 1, id="work that is done gives its result"),
        pytest.param(fail, ValueError, id="what a function raises is thrown in"),
        pytest.param(done(error=ValueError()), ValueError, id="what the work raised is thrown in"),
        pytest.param(canceled(), CancelledError, id="work that was canceled is an error"),
    ],
)
@pytest.mark.parametrize("run", RUNNERS)
def test_steps_go_on_with_the_result_of_a_wait(run: Runner, first: Wait, result: Any) -> None:
    assert run(both(first, lambda: 2)) == [result, 2]


@pytest.mark.parametrize("run", RUNNERS)
def test_work_that_is_under_way_is_waited_for(run: Runner) -> None:
    work: Future[int] = Future()
    later = Timer(0.02, work.set_result, [7])
    later.start()
    assert run(both(work, done(8))) == [7, 8]
    later.join()


@pytest.mark.parametrize("run", RUNNERS)
def test_an_error_that_the_steps_do_not_catch_is_raised(run: Runner) -> None:
    def one_wait(wait: Callable[[], Any]) -> Steps[None]:
        yield wait

    with pytest.raises(ValueError, match="no"):
        run(one_wait(fail))


def test_an_error_that_was_thrown_in_is_logged_by_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """The event loop would log it, with its message, if nobody had looked at it."""
    run_on_loop(both(done(error=ValueError("Jane Doe")), canceled()))
    gc.collect()
    assert not caplog.records
