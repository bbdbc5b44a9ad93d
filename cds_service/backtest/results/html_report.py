"""report.html: the numbers of a backtest for a committee, in one file that needs no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from cds_service.backtest.results.output import write_private
from cds_service.backtest.results.summary import Summary

FILE_NAME = "report.html"


def write_report(summary: Summary, folder: Path) -> None:
    """Write report.html into this folder, readable by its owner only."""
    rows = [
        ("Orders placed in the period", summary.orders_seen),
        ("Orders that the service speaks about", summary.orders_ours),
        ("Orders with cards", summary.orders_with_cards),
        ("Patients", summary.patients_seen),
        *((f"Card {key}", count) for key, count in summary.cards.items()),
        *((f"Silent: {summary.silent_words[key]}", count) for key, count in summary.silent.items()),
        *((f"Not used: {key}", count) for key, count in summary.unread.items()),
    ]
    body = "".join(f"<tr><th>{escape(label)}<td>{count:,}" for label, count in rows)
    title = f"Backtest of {summary.service}, {summary.first_day} to {summary.last_day}"
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<h1>{escape(title)}</h1><p>Content version {escape(summary.content_version)}. "
        "The status of an order or entry is that of the export, not that of the day of the order.</p>"
        f"<table>{body}</table></html>\n"
    )
    write_private(folder / FILE_NAME, page)
