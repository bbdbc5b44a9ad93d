"""The files of a backtest, in a folder that only its owner may read. Only the CSV files hold ids of patients."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cds_service.backtest.results.summary import Summary, as_json
from cds_service.backtest.rows import Answer, Row

_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell that begins so may be taken for a formula (OWASP)
_COLUMNS = ("order", "patient", "date", "cards", "class", "indicators")
_COLUMNS_BEFORE = ("cards_before", "class_before", "indicators_before")


class OutputRefused(Exception):
    """The folder cannot be used. The message says what to do."""


def make_folder(folder: Path) -> bool:
    """An empty, private folder at this path; whether it was made here. Raises OutputRefused."""
    try:
        is_new = not folder.exists()
        if not is_new and any(folder.iterdir()):
            raise OutputRefused(f"{folder} is not empty: name a new folder, so that results of two runs never mix")
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(_PRIVATE_FOLDER)
    except OSError as fault:
        raise OutputRefused(f"{folder} cannot be made: {fault.strerror}") from None
    return is_new


def write_private(path: Path, text: str) -> None:
    """A whole file or none: written next to its place, then moved there. Readable by its owner only."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE), "w", newline="") as file:
        file.write(text)
    unfinished.replace(path)


def discard(folder: Path, *, is_new: bool) -> None:
    """Remove what an interrupted run left: its files, and the folder if the run made it."""
    for path in folder.iterdir():
        path.unlink()
    if is_new:
        with suppress(OSError):
            folder.rmdir()


def write_results(rows: Sequence[Row], summary: Summary, folder: Path) -> None:
    """orders.csv, sample.csv, changed.csv where two versions were compared, and summary.json, which comes last."""
    ours = [row for row in rows if row.answer.ours]
    write_private(folder / "orders.csv", _csv(_COLUMNS, (_cells(row) for row in ours)))
    sample = random.Random(summary.sample_seed).sample(ours, summary.sample_orders)  # noqa: S311 - no secret
    sample.sort(key=lambda row: (row.on, row.order))
    write_private(folder / "sample.csv", _csv((*_COLUMNS, "silent"), (_sample_cells(row) for row in sample)))
    if summary.against is not None:
        write_private(folder / "changed.csv", _csv((*_COLUMNS, *_COLUMNS_BEFORE), _changed(rows)))
    write_private(folder / "summary.json", as_json(summary))


def _cells(row: Row) -> list[str]:
    return [row.order, row.patient, row.on.isoformat(), *_answer_cells(row.answer)]


def _answer_cells(answer: Answer) -> list[str]:
    """Cards, classes and indicators, as the columns have them."""
    classes = dict.fromkeys(card.card_class for card in answer.cards if card.card_class)
    keys = " ".join(card.key for card in answer.cards)
    return [keys, " ".join(classes), " ".join(card.indicator for card in answer.cards)]


def _sample_cells(row: Row) -> list[str]:
    return [*_cells(row), row.answer.silence[0] if row.answer.silence else ""]


def _changed(rows: Iterable[Row]) -> Iterable[list[str]]:
    for row in rows:
        if row.against is not None and row.against.cards != row.answer.cards:
            yield [*_cells(row), *_answer_cells(row.against)]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    """What stands in an export cannot become a formula: it is led by an apostrophe."""
    return f"'{cell}" if cell.startswith(_COMPUTED) else cell
