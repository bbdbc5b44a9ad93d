"""`cds-service backtest`: what would have been shown for past orders. What it needs is imported when it runs."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cards.nearest_names import did_you_mean

if TYPE_CHECKING:
    from cds_service.backtest.plan import Plan
    from cds_service.backtest.reading.export_files import Export
    from cds_service.backtest.results.summary import Summary
    from cds_service.settings.settings import Settings

_INTERRUPTED = 130
_DAY = click.DateTime(["%Y-%m-%d"])

Question = tuple[str, date, date, str | None, str, Path | None]  # the arguments of `_plan`


class BacktestRefused(click.ClickException):
    """The backtest cannot be made; exit status 1 and one line."""

    def show(self, file: object = None) -> None:
        """As the other verbs say it."""
        click.echo(f"cds-service: cannot backtest: {self.message}", err=True)


@click.command()
@click.argument("export", metavar="EXPORT")
@click.option("--from", "first_day", type=_DAY, required=True, metavar="DATE", help="First day of the period (UTC).")
@click.option("--to", "last_day", type=_DAY, required=True, metavar="DATE", help="Last day of the period, included.")
@click.option("--topic", "service", metavar="ID", help="The service id, where several are installed.")
@click.option(
    "--orders-from",
    type=click.Choice(("ServiceRequest", "Procedure")),
    default="ServiceRequest",
    help="Procedure: the export has no orders, so each procedure stands for its order, on the day it was performed.  "
    "[default: ServiceRequest, with STU3's ProcedureRequest and ReferralRequest]",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Processes here.  [default: one for each core]"
)
@click.option("--scheduler", metavar="URL", help="A Dask cluster to run on instead, such as tcp://scheduler:8786.")
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The topic's folder in another version, such as a copy with other numbers in service.yaml: what differs?",
)
@click.option("--sample", type=click.IntRange(0), default=50, metavar="N", help="Orders in sample.csv.  [default: 50]")
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="A new folder for the results; only you may read it.",
)
def backtest(
    export: str,
    first_day: datetime,
    last_day: datetime,
    service: str | None,
    orders_from: str,
    workers: int | None,
    scheduler: str | None,
    against: Path | None,
    sample: int,
    folder: Path,
) -> None:
    """Say what would have been shown for the orders of a past period.

    EXPORT is a FHIR Bulk Data export: a folder, or a URL such as s3://bucket/export, with NDJSON files of
    ServiceRequest, Condition, Procedure and Patient, plain or .gz. Every order of the period is judged on its own day,
    with what the chart held by then. Nothing leaves this machine, or the cluster that you name.

    \b
    cds-service backtest export --from 2025-01-01 --to 2025-12-31 --output last-year
    cds-service backtest export --from 2025-01-01 --to 2025-12-31 --against ../edited --output change

    DIR then holds report.html (for a committee), summary.json (all counts), orders.csv (one line for each order that
    the service applies to) and sample.csv (charts to review). The CSV files hold ids of patients; the others do not.
    docs/backtest.md says how to read them.
    """
    if last_day < first_day:
        raise click.UsageError("--to is before --from: the period ends on --to, included.")
    if workers and scheduler:
        raise click.UsageError("--workers is for processes on this machine: leave it out with --scheduler.")
    try:
        _require_dask()
        question = (export, first_day.date(), last_day.date(), service, orders_from, against)
        summary = _write_into(folder, question, workers, scheduler, sample)
    except KeyboardInterrupt:
        click.echo("cds-service: interrupted: nothing was written", err=True)
        sys.exit(_INTERRUPTED)
    _tell(summary, folder)


def _write_into(folder: Path, question: Question, workers: int | None, scheduler: str | None, sample: int) -> Summary:
    """Fill the folder, or leave none behind. Raises BacktestRefused."""
    from cds_service.backtest.results.output import OutputRefused, discard, make_folder

    try:
        is_new = make_folder(folder)
    except OutputRefused as fault:
        raise BacktestRefused(str(fault)) from None
    try:
        plan, export = _plan(*question)
        return _run(plan, export, workers, scheduler, sample, folder)
    except BaseException:
        discard(folder, is_new=is_new)
        raise


def _require_dask() -> None:
    try:
        import distributed  # noqa: F401 - whether it is there
    except ImportError:
        raise BacktestRefused("this needs Dask, an optional part: pip install '.[backtest]'") from None


def _plan(
    place: str, first_day: date, last_day: date, service: str | None, orders_from: str, against: Path | None
) -> tuple[Plan, Export]:
    """What is asked, and the files that answer it. Raises BacktestRefused."""
    from cards.catalogue import load_topics
    from cards.content.files import ContentError
    from cds_service.backtest.content import ContentPlace, load
    from cds_service.backtest.plan import ORDER_TYPES, PROCEDURE, Plan
    from cds_service.backtest.reading.export_files import ExportRefused, find_export
    from cds_service.errors import NotReady
    from cds_service.settings.cards_off import switched_off_cards

    settings = _settings()
    value_sets_dir = settings.value_sets_dir.resolve() if settings.value_sets_dir else None
    try:
        topics = load_topics(settings.topics, local_value_sets=value_sets_dir)
        off = switched_off_cards(settings.cards_off, topics)
        if service is None and len(topics) > 1:
            raise BacktestRefused(f"several services are installed: say --topic with one of {', '.join(topics)}")
        service = service or next(iter(topics))
        if service not in topics:
            nearest = did_you_mean(service, topics)
            raise BacktestRefused(f"--topic: no service has the id {service!r}; there are {', '.join(topics)}{nearest}")
        content = ContentPlace(service, value_sets_dir, against.resolve() if against else None)
        load(content)
        orders = (PROCEDURE,) if orders_from == PROCEDURE else ORDER_TYPES
        chart = ("Patient", *topics[service].service.resource_types.values())
        export = find_export(place, {*orders, *chart})
    except ContentError as fault:
        raise BacktestRefused(f"the clinical content has faults: {fault}") from None
    except NotReady as fault:
        raise BacktestRefused("; ".join(fault.reasons)) from None
    except ExportRefused as fault:
        raise BacktestRefused(str(fault)) from None
    present = frozenset(file.resource_type for file in export.files)
    if present.isdisjoint(orders):
        raise BacktestRefused(
            f"{place} has no file of {', '.join(orders)}: where a site exports no orders, say --orders-from Procedure"
        )
    for name in sorted({*chart} - present):
        click.echo(f"cds-service: the export has no {name}: the answers are those without it", err=True)
    exported_on = export.exported_on or datetime.now(UTC).date()
    cards_off = frozenset(card for of, card in off if of == service)
    plan = Plan(content, first_day, last_day, orders_from, exported_on, present, secrets.token_bytes(16), cards_off)
    return plan, export


def _settings() -> Settings:
    from cds_service.errors import NotReady
    from cds_service.settings.settings import read_settings

    try:
        return read_settings(os.environ)
    except NotReady as fault:
        raise BacktestRefused("; ".join(fault.reasons)) from None


def _run(plan: Plan, export: Export, workers: int | None, scheduler: str | None, sample: int, folder: Path) -> Summary:
    """Read, judge, count and write. Raises BacktestRefused."""
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker
    from rich.console import Console

    from cds_service.backtest.cluster import ClusterRefused, DaskWorkers, require_same_versions
    from cds_service.backtest.engine import run
    from cds_service.backtest.progress import ProgressBar
    from cds_service.backtest.results.counting import summarize
    from cds_service.backtest.results.html_report.page import write_report
    from cds_service.backtest.results.output import write_results

    try:
        with _client(workers, scheduler) as client:
            require_same_versions(client, plan.content)
            with ProgressBar(Console(stderr=True)) as bar:
                results = run(plan, export, DaskWorkers(client), bar)
    except ClusterRefused as fault:
        raise BacktestRefused(str(fault)) from None
    except KilledWorker as fault:
        raise BacktestRefused(
            f"a task ended {fault.allowed_failures + 1} workers, probably out of memory: use fewer --workers"
        ) from None
    except FutureCancelledError:
        raise BacktestRefused("the cluster went away: see its log, and run this again") from None
    except OSError as fault:
        raise BacktestRefused(f"the export cannot be read, here or on a worker: {fault}") from None
    summary = summarize(results, plan, export, sample)
    write_report(summary, folder)
    write_results(results.rows, summary, folder)
    return summary


def _client(workers: int | None, scheduler: str | None) -> AbstractContextManager[Any]:
    from dask.system import CPU_COUNT  # what this process may use

    from cds_service.backtest.cluster import cluster_workers, local_workers

    return cluster_workers(scheduler) if scheduler else local_workers(workers or CPU_COUNT)


def _tell(summary: Summary, folder: Path) -> None:
    click.echo(f"{summary.orders_seen:,} orders placed from {summary.first_day} to {summary.last_day}")
    click.echo(f"{summary.orders_ours:,} of them are orders that {summary.service} applies to")
    rate = summary.per_1000_orders(summary.orders_with_cards)
    click.echo(f"{summary.orders_with_cards:,} would have had cards ({rate:.2f} for each 1,000 orders)")
    for key, count in summary.cards.items():
        click.echo(f"  {key:<24} {count:>9,}")
    if summary.unread:
        click.echo(f"not used: {', '.join(f'{count:,} {key}' for key, count in summary.unread.items())}")
    click.echo(f"digest {summary.digest[:16]}, content {summary.content_version}; see {folder / 'report.html'}")
