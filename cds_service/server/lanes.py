"""Threads of a bounded number, and places for the calls that use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from cds_service.errors import TooManyCalls

_WAITING_FOR_EACH_THREAD = 4
_LEAST_WAITING = 64  # so that a process of few threads does not refuse a handful of clients

Result = TypeVar("Result")


class Lane:
    """Threads that calls share, and how many calls may be under way at once, with a thread or without.

    Places are counted on the event loop alone, hence without locks.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._places = threads + max(_WAITING_FOR_EACH_THREAD * threads, _LEAST_WAITING)
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one call, until the block is left. Raises TooManyCalls where there is none."""
        if self.taken >= self._places:
            raise TooManyCalls
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What this function returns, or raises, in a thread. The call that asks for it has a place."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
