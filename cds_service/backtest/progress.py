"""Shows on the terminal what is read, what was found and what is left; nothing where the output is no terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_FOUND = {"Orders": "orders of ours", "Reasons": "conditions", "Charts": "charts", "Decisions": "orders with cards"}


class ProgressBar:
    """A bar for each pass. As `engine.Watcher` describes; use it in a `with` statement."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[found]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, what: str, total_bytes: int) -> None:
        self._what = what
        self._task = self._progress.add_task(what, total=total_bytes, found="")

    def advance(self, read_bytes: int, found: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, advance=read_bytes, found=f"{found:,} {_FOUND[self._what]}")
