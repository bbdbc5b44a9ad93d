"""Token ids that were seen: each is good for one call, on every worker and node, after a restart too (R-6.12)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, delete, select

from cds_service.event_log.events import log_replay_unchecked
from cds_service.steps import Steps
from cds_service.storage.database import Database, DatabaseUnavailable
from cds_service.storage.schema import SEEN_TOKEN
from cds_service.storage.writer import Kind, Writer

_MOST_REMEMBERED = 20_000  # token ids: those of an hour (no token lasts longer) at 5 calls a second; about 5 MB
_MOST_PRUNED = 10_000  # rows in one transaction, so that no call waits long
_USED_ELSEWHERE = float("-inf")  # as the time of a first use: no window reaches back to it


class SeenTokens:
    """The replay check. While the database is unavailable, this process's own memory answers alone (ADR 8).

    `replay_window_s`: seconds in which a token may come again to the same process; 0 but for conformance tests (R-9.8).
    """

    def __init__(
        self, database: Database, writer: Writer, clock: Callable[[], datetime], *, replay_window_s: int = 0
    ) -> None:
        self._database = database
        self._writer = writer
        self._tokens = Kind(rank=1, write=self._write)
        self._clock = clock
        self._window_s = replay_window_s
        self._remembered: OrderedDict[bytes, float] = OrderedDict()  # digest -> when it was first seen
        self._lock = Lock()

    def is_first_use(self, issuer: str, jti: str, keep_until_s: int) -> Steps[bool]:
        """Note that this token was used, and say whether that was its first use. That it was is on the disk then."""
        digest = hashlib.sha256(f"{len(issuer)}:{issuer}{jti}".encode("utf-8", "surrogatepass")).digest()
        now_s = self._clock().timestamp()
        seen_s = self._remember(digest, now_s)
        if seen_s is not None:
            return self._window_s > 0 and 0 <= now_s - seen_s <= self._window_s
        try:
            is_first: bool = yield self._writer.write(self._tokens, (digest, keep_until_s))
        except DatabaseUnavailable as reason:
            log_replay_unchecked(str(reason))
            return True
        if not is_first:
            with self._lock:
                self._remembered[digest] = _USED_ELSEWHERE
        return is_first

    def prune(self) -> int:
        """Forget tokens that have expired; a refusal on account of their age is certain. Raises DatabaseUnavailable."""
        now_s = int(self._clock().timestamp())
        expired = select(SEEN_TOKEN.c.token_digest).where(SEEN_TOKEN.c.keep_until_s < now_s).limit(_MOST_PRUNED)
        with self._database.write() as connection:
            return connection.execute(delete(SEEN_TOKEN).where(SEEN_TOKEN.c.token_digest.in_(expired))).rowcount

    def _write(self, connection: Connection, tokens: Sequence[tuple[bytes, int]]) -> Sequence[bool]:
        """Write them in the order of their digests, and say of each whether it is new."""
        rows: list[dict[str, Any]] = [
            {"token_digest": digest, "keep_until_s": until_s} for digest, until_s in sorted(tokens)
        ]
        new = self._database.insert_keys(connection, SEEN_TOKEN, rows)
        return [digest in new and not new.discard(digest) for digest, _ in tokens]  # type: ignore[func-returns-value]

    def _remember(self, digest: bytes, now_s: float) -> float | None:
        """When this process saw the token before; None where it did not, and from now on it has."""
        with self._lock:
            seen_s = self._remembered.get(digest)
            if seen_s is None:
                self._remembered[digest] = now_s
                if len(self._remembered) > _MOST_REMEMBERED:
                    self._remembered.popitem(last=False)
            return seen_s
