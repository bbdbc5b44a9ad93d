"""Steps wait for functions, which are called, and for work that is already under way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from threading import Timer
from typing import Any

import pytest

from cds_service.steps import Steps, Wait, run_steps


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
def test_steps_go_on_with_the_result_of_a_wait(first: Wait, result: Any) -> None:
    assert run_steps(both(first, lambda: 2)) == [result, 2]


def test_work_that_is_under_way_is_waited_for() -> None:
    work: Future[int] = Future()
    later = Timer(0.02, work.set_result, [7])
    later.start()
    assert run_steps(both(work, done(8))) == [7, 8]
    later.join()


def test_an_error_that_the_steps_do_not_catch_is_raised() -> None:
    def one_wait(wait: Callable[[], Any]) -> Steps[None]:
        yield wait

    with pytest.raises(ValueError, match="no"):
        run_steps(one_wait(fail))
