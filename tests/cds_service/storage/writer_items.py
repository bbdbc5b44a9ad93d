"""Items for the writer, which a test can delay."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from sqlalchemy import Connection, insert

from cds_service.storage.schema import SEEN_TOKEN
from cds_service.storage.writer import Kind
from tests.databases import LiveDatabase

HANGS_S = 20


class Tokens:
    """A kind of item that is written as a row of `seen_token`. The first group waits until `go` is set."""

    def __init__(self, *, insist: bool = False) -> None:
        self.go, self.has_begun = Event(), Event()
        self.groups: list[int] = []
        self.lost: list[tuple[str, Sequence[int]]] = []
        self.kind: Kind[int, int] = Kind(
            rank=0, write=self._write, insist=insist, on_lost=lambda *lost: self.lost.append(lost)
        )

    def _write(self, connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        self.has_begun.set()
        assert self.go.wait(HANGS_S)
        self.groups.append(len(numbers))
        rows = [{"token_digest": bytes([number]) * 32 if number else None, "keep_until_s": 0} for number in numbers]
        connection.execute(insert(SEEN_TOKEN), rows)
        return [number * 10 for number in numbers]


def written(database: LiveDatabase) -> list[int]:
    return sorted(row["token_digest"][0] for row in database.rows(SEEN_TOKEN))
