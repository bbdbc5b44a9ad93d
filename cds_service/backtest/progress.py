"""Shows on the terminal what is read, what was found and what is left; nothing where the output is no terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# What is found in each pass; and what is read, where that is not bytes.
_FOUND = {
    "Orders": "orders of ours",
    "Reasons": "conditions that matter",
    "Charts": "charts",
    "Decisions": "orders with cards",
}
_READ = {"Decisions": "patients"}


class ProgressBar:
    """A bar for each pass. As `engine.Watcher` describes; use it in a `with` statement."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.fields[read]}"),
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

    def begin(self, what: str, total: int) -> None:
        self._what = what
        self._task = self._progress.add_task(what, total=total, read="", found="")

    def advance(self, read: int, found: int) -> None:
        if self._task is None:
            return
        self._progress.advance(self._task, read)
        task = next(task for task in self._progress.tasks if task.id == self._task)
        of = f"{self._amount(task.completed)} of {self._amount(task.total or 0)}"
        self._progress.update(self._task, read=of, found=f"{found:,} {_FOUND[self._what]}")

    def _amount(self, read: float) -> str:
        unit = _READ.get(self._what)
        return f"{read:,.0f} {unit}" if unit else decimal(int(read))
