"""Applications that tests build: closed, so that none of them writes, or logs, in a later test, and quickly built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from flask import Flask
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from cds_service.storage.writer import Writer

_WRITE_S = 10.0  # a busy machine; only what cannot be written takes as long
_WRITERS: WeakSet[Writer] = WeakSet()


def close(app: Flask) -> None:
    """Write what waits, and close the database."""
    app.extensions["writer"].close()
    app.extensions["database"].close()


def note_writers() -> None:
    """Know every writer that is made in this process from now on."""
    start = Writer.__init__

    def start_and_note(writer: Writer, *arguments: Any) -> None:
        start(writer, *arguments)
        _WRITERS.add(writer)

    Writer.__init__ = start_and_note  # type: ignore[method-assign]


class _CompiledTemplates(BytecodeCache):
    """Templates that were compiled in this process."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


def keep_templates() -> None:
    """Compile each template once in this process, and not for each application and each report."""
    start, compiled = Environment.__init__, _CompiledTemplates()

    def start_with_compiled(environment: Environment, *arguments: Any, **options: Any) -> None:
        start(environment, *arguments, **options)
        environment.bytecode_cache = compiled

    Environment.__init__ = start_with_compiled  # type: ignore[method-assign]


def write_all() -> Sequence[Writer]:
    """Write what waits, of every application. Returns the writers whose items cannot be written."""
    return [writer for writer in list(_WRITERS) if writer.waiting and not writer.flush(_WRITE_S)]


def stuck_writers() -> Sequence[Writer]:
    """The writers whose items cannot be written; each of them is closed."""
    stuck = write_all()
    for writer in stuck:
        writer.close()
    return stuck
