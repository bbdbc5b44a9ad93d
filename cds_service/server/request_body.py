"""One body while it arrives on the event loop, within limits of size, time and memory (ADR 9, ADR 20)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from granian._granian import RSGIProtocolClosed

from cds_service.errors import BrokenBody, SlowBody, TooManyCalls

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol

BODY_SECONDS = 10.0
MOST_CONNECTIONS = 4096  # of one process
_LINGER_SECONDS = 2.0
_MOST_BODIES = 32  # of the largest size, at once: 256 MB by default


class BodyLimits:
    """What all bodies of a process may take together. Counted on the event loop alone, hence without locks.

    `most_bytes`: of one body. `in_one_piece`: bytes up to which a body is asked for in one piece, which is cheaper, and
    is counted as it was declared: all connections together could not declare more than a process holds.
    """

    def __init__(self, most_bytes: int, seconds: float = BODY_SECONDS) -> None:
        self.most_bytes = most_bytes
        self.seconds = seconds
        self.free_bytes = _MOST_BODIES * most_bytes
        self.in_one_piece = self.free_bytes // MOST_CONNECTIONS


class RequestBody:
    """The body of one request. `length`: in bytes, as declared or counted; `held_bytes`: what it takes of the
    memory for all bodies; `is_read`: to its end."""

    def __init__(self, protocol: RSGIHTTPProtocol, headers: Mapping[str, str], limits: BodyLimits) -> None:
        chunked = "transfer-encoding" in headers
        self._protocol = protocol
        self._limits = limits
        self._declared = None if chunked else int(headers.get("content-length", 0))
        self._has_trailers = "trailer" in headers
        self._pieces: list[bytes] = []
        self.held_bytes = 0
        self._whole: Awaitable[bytes] | None = None
        self._arriving: AsyncIterator[bytes] | None = None
        self.length = self._declared or 0
        self.is_read = self._declared == 0

    async def arrive(self) -> None:
        """Read it, unless it is too large: then it is not read on.

        Raises BrokenBody where it breaks off, SlowBody where it takes too long, and TooManyCalls where there is no
        memory left for it.
        """
        if self.is_read or self.length > self._limits.most_bytes:
            return
        if self._declared is not None and self._declared <= self._limits.in_one_piece:
            await self._arrive_whole(self._declared)
        else:
            await self._arrive_in_pieces()
        self.is_read = self.length <= self._limits.most_bytes

    def take(self) -> bytes:
        """What was read, joined, and no longer kept here. Large ones are joined in the thread that frees them: joining
        1 MB on the event loop costs twice the page faults.
        """
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Let other bodies have its memory."""
        self._limits.free_bytes += self.held_bytes
        self.held_bytes = 0

    async def linger(self) -> None:
        """Read a little of the rest: closing at once would reset the connection, and the answer would be lost."""
        with suppress(TimeoutError, RSGIProtocolClosed):
            async with asyncio.timeout(_LINGER_SECONDS):
                if self._whole:
                    await self._whole
                else:
                    while await self._next_piece() is not None:
                        pass

    async def _arrive_whole(self, declared: int) -> None:
        self._hold(declared)
        self._whole = whole = asyncio.ensure_future(self._protocol())
        done, _ = await asyncio.wait({whole}, timeout=self._limits.seconds)
        if not done:
            raise SlowBody(self._limits.seconds)
        try:
            self._pieces.append(whole.result())
        except RSGIProtocolClosed:
            raise BrokenBody from None

    async def _arrive_in_pieces(self) -> None:
        """Bytes are counted as they come, not as they are declared: whoever only announces 8 MB takes no room."""
        self.length = 0
        ends = 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                while (piece := await self._next_piece()) is not None:
                    ends += not piece
                    self.length += len(piece)
                    if self.length > self._limits.most_bytes:
                        return
                    self._hold(len(piece))
                    self._pieces.append(piece)
                    if self.length == self._declared:
                        return
        except TimeoutError:
            raise SlowBody(self._limits.seconds) from None
        # One empty piece is the end. Granian tells a fault in the same way, and then the end; trailers, too.
        if self._declared is not None or (ends > 1 and not self._has_trailers):
            raise BrokenBody

    async def _next_piece(self) -> bytes | None:
        """What has come since; None after the end."""
        if self._arriving is None:
            self._arriving = aiter(self._protocol)
        try:
            return await anext(self._arriving)
        except StopAsyncIteration:
            return None

    def _hold(self, count: int) -> None:
        if count > self._limits.free_bytes:
            raise TooManyCalls
        self._limits.free_bytes -= count
        self.held_bytes += count
