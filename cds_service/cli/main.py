"""The `cds-service` command: each verb is one call into another module."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cards.content.files import ContentError, is_content
from cards.nearest_names import did_you_mean
from cds_service.backtest.backtest_command import backtest
from cds_service.cli.keys import keys
from cds_service.ehr_simulator.call_command import call
from cds_service.errors import BadRequest, NotReady
from cds_service.report.report_command import report
from cds_service.settings.reference import default_words, flag
from cds_service.settings.settings import PREFIX, Settings, read_settings
from cds_service.version import program_version

if TYPE_CHECKING:
    from cards.topic import Topic
    from cards.vignettes.casebook import Casebook, Vignette
    from cds_service.storage.database import Database

_LOOK_EVERY_S = 0.5


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """The version of the program, and that of the content of each installed topic, without a site's own codes."""
    if not value or context.resilient_parsing:
        return
    from cds_service.served_content import whole_topics

    click.echo(f"cds-service {program_version()}")
    try:
        for service_id, topic in whole_topics(None, None).items():
            click.echo(f"content of {service_id}: {topic.version}")
    except ContentError as fault:
        _refuse("the clinical content has faults", [str(fault)])
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version of the program, and of the content of each topic.",
)
def main() -> None:
    """A CDS Hooks service: advisory cards about the orders of a session.

    \b
    cds-service serve                   start it, then open http://127.0.0.1:8080
    cds-service check                   is the clinical content ready to be served?
    cds-service test                    do the vignettes get the expected cards?
    cds-service show --vignette NAME    the cards of a vignette, as a clinician would see them
    cds-service call --patient ID ...   call a service as an EHR would, ours or any other
    cds-service explain REQUEST.json    how a request was understood, and why each card was shown or not
    cds-service keys new --client NAME  a key pair for a client, and its entry for the clients file
    cds-service doctor                  what this configuration allows, and what would keep it from starting
    cds-service db upgrade              upgrade the database to this version
    cds-service report                  which cards were shown, and how clinicians responded
    cds-service backtest EXPORT ...     what would have been shown for last year's orders, before go-live
    """


main.add_command(backtest)
main.add_command(call)
main.add_command(keys)
main.add_command(report)


def _settings_as_options(command: Any) -> Any:
    """Every setting as a flag: --fhir-budget-ms is CDS_FHIR_BUDGET_MS."""
    for setting in reversed(fields(Settings)):
        about = f"{setting.metadata['about']} [{PREFIX}{setting.name.upper()}"
        default = default_words(setting)
        about += f"; default: {default}]" if default else "]"
        command = click.option(flag(setting.name), help=about, metavar="VALUE")(command)
    return command


@main.command()
@_settings_as_options
def serve(**flags: str | None) -> None:
    """Serve until interrupted.

    Every flag is also an environment variable, named in brackets; a flag wins over its variable.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has its own: process 1 would ignore it
    used = {name: text for name, text in flags.items() if text is not None}
    for name, text in used.items():
        os.environ[PREFIX + name.upper()] = text  # the server's own processes read their settings from there
    settings = _settings("cannot start", {PREFIX + name.upper(): flag(name) for name in used})
    from cds_service.cli.doctor import examine

    diagnosis = examine(os.environ, ask_issuers=False)
    if diagnosis.faults:
        _refuse("cannot start", diagnosis.faults)
    faults, overdue = _content_faults(settings)
    if settings.stale_review == "warn":
        for line in overdue:
            click.echo(f"cds-service: overdue for review: {line}", err=True)
    else:
        faults += overdue
    if faults:
        _refuse("cannot start: the clinical content has faults", faults)
    from cds_service.server.server import run

    try:
        run(settings)
    except NotReady as fault:
        _refuse(f"cannot start: {fault}", [])


@main.command()
def check() -> None:
    """Check the clinical content: texts, translations, evidence, value sets, numbers, pages. Changes nothing.

    A site's own codes (CDS_VALUE_SETS_DIR) are checked with it. Exit status 1 and one line per fault, with file and
    line, if something must not be served.
    """
    faults, overdue = _content_faults(_settings("cannot check"), strict=True)
    if faults + overdue:
        _refuse(_count(len(faults + overdue), "fault"), faults + overdue)
    click.echo("content: no faults")


@main.command("test")
@click.option("--watch", is_flag=True, help="Run again whenever a content file changes, until interrupted.")
def run_vignettes(watch: bool) -> None:
    """Run the vignettes, and report in clinical terms which do not get the expected cards.

    Exit status 1 if any failed.
    """
    settings = _settings("cannot test")
    before = _when_changed(settings)  # so that no change during the first run is missed
    passed = _run_vignettes(settings)
    if watch:
        _watch(settings, before)
    if not passed:
        sys.exit(1)


@main.command()
@click.option("--vignette", "name", required=True, metavar="NAME", help="Name of the vignette, or part of it.")
@click.option("--language", metavar="CODE", help="Language that the patient prefers, such as es.")
def show(name: str, language: str | None) -> None:
    """Show the cards of a vignette as a clinician would see them."""
    import msgspec
    from rich.console import Console

    from cds_service.terminal import show_cards

    topics = _topics(_settings("cannot show"))
    try:
        cases = [case for topic in topics for case in _cases(topic)]
    except ContentError as fault:
        _refuse("the vignettes have faults", [str(fault)])
    exact = [case for case in cases if case[2].name == name]
    matching = exact or [case for case in cases if name.lower() in case[2].name.lower()]
    if len(matching) != 1:
        names = [vignette.name for _, _, vignette in matching]
        if not names:
            every = [vignette.name for _, _, vignette in cases]
            nearest = did_you_mean(name, every)
            files = sorted({str(topic.files.vignettes) for topic in topics})
            _refuse(f"no vignette has {name!r} in its name{nearest}", [f"All of them: {file}" for file in files])
        _refuse(f"{len(names)} vignettes have {name!r} in their names: give more of the name", names)
    topic, casebook, vignette = matching[0]
    if language:
        _check_language(topic, language)
        vignette = msgspec.structs.replace(vignette, language=language)
    click.echo(vignette.name)
    show_cards(casebook.run(vignette, topic).cards, Console())


def _check_language(topic: Topic, language: str) -> None:
    """Exit where neither cards nor patient pages are in this language, or in that of which it is a regional form."""
    known = sorted({*topic.service.languages, *topic.service.patient_languages})
    if language.lower().partition("-")[0] not in known:
        what = f"cards and patient pages are in {', '.join(known)}, not in {language!r} (see {topic.files.service})"
        raise click.BadParameter(what, param_hint="--language")


@main.command()
@click.argument("request", metavar="REQUEST.json", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def explain(request: Path) -> None:
    """Explain a hook request: how each order and resource was understood, why each card was shown or not.

    Nothing is sent anywhere. The output may contain patient data from the request.
    """
    from cds_service.cds_hooks.explain import explain as explain_request

    topics = _topics(_settings("cannot explain"))
    answers: dict[str, str] = {}
    refusals: list[str] = []
    for topic in topics:
        try:
            answers[topic.service.id] = explain_request(request.read_bytes(), topic, _today())
        except BadRequest as fault:  # of another topic's hook, or of any
            refusals.append(fault.diagnostics)
    if not answers:
        _refuse("the service would answer 400", list(dict.fromkeys(refusals)))
    for service_id, answer in answers.items():
        click.echo(f"Service {service_id}\n{answer}" if len(topics) > 1 else answer)


@main.command()
@click.option("--ask-issuers", is_flag=True, help="Also fetch each client's key set, as its first call does.")
def doctor(ask_issuers: bool) -> None:
    """Show what this configuration allows, and what would keep the service from starting.

    Reads the same CDS_* variables as `serve`. Exit status 1 if the service would not start. Secrets are not printed.
    """
    from cds_service.cli.doctor import examine

    diagnosis = examine(os.environ, ask_issuers=ask_issuers)
    width = max((len(subject) for subject, _ in diagnosis.facts), default=0)
    for subject, words in diagnosis.facts:
        click.echo(f"{subject:<{width}}  {words}")
    if not diagnosis.faults:
        faults, overdue = _content_faults(_settings("cannot check the content"))
        diagnosis.faults += faults + overdue
    if diagnosis.faults:
        _refuse(f"the service would not start: {_count(len(diagnosis.faults), 'reason')}", diagnosis.faults)
    click.echo("the service would start")


@main.group()
def db() -> None:
    """Manage the database (CDS_DATABASE_URL)."""


@db.command()
def upgrade() -> None:
    """Upgrade the database schema to this version. Data is kept; it is safe to run this again, or twice at once."""
    from cds_service.storage.database import DatabaseUnavailable

    with _database() as database:
        try:
            database.upgrade()
            fault = database.schema_fault()
        except DatabaseUnavailable as reason:
            fault = str(reason)
    if fault:
        _refuse("the database was not upgraded", [fault])
    click.echo("the database schema is up to date")


@db.command()
@click.option("--to", "version", required=True, metavar="VERSION", help="Schema version, such as 0001.")
def downgrade(version: str) -> None:
    """Downgrade the database schema, so that an older version of the program can use it. Stop every node first.

    Cards and feedback stay. docs/deployment.md says what each step back gives up.
    """
    from cds_service.storage.database import DatabaseUnavailable

    try:
        with _database() as database:
            database.downgrade(version)
    except ValueError as fault:
        _refuse("the database was not downgraded", [str(fault)])
    except DatabaseUnavailable as reason:
        _refuse("the database was not downgraded", [str(reason)])
    click.echo(f"the database schema is now {version}: start the program version that uses it")


@db.command()
@click.option("--older-than", "days", required=True, metavar="DAYS", help="Age in days, such as 400d.")
@click.option("--dry-run", is_flag=True, help="Count only; remove nothing.")
def prune(days: str, dry_run: bool) -> None:
    """Remove cards, and the feedback on them, that are older than a number of days. Counts of calls are kept."""
    from cds_service.storage.database import DatabaseUnavailable
    from cds_service.storage.retention import parse_days, prune_ledger

    try:
        number = parse_days(days)
        with _database() as database:
            counts = prune_ledger(database, datetime.now(UTC), number, dry_run=dry_run)
    except ValueError as fault:
        _refuse("cannot prune", [str(fault)])
    except DatabaseUnavailable as reason:
        _refuse("cannot prune", [f"the database does not answer in time ({reason})"])
    for table, count in counts.items():
        click.echo(f"{table}: {_count(count, 'row')} {'would be ' if dry_run else ''}removed")


@contextmanager
def _database() -> Iterator[Database]:
    from cds_service.storage.database import Database

    database = Database(_settings("cannot open the database").database, pool_size=1, statement_ms=0)
    try:
        yield database
    finally:
        database.close()


def _today() -> date:
    return datetime.now(UTC).date()


def _settings(what: str, flags: Mapping[str, str] | None = None) -> Settings:
    try:
        return read_settings(os.environ, flags)
    except NotReady as fault:
        _refuse(what, fault.reasons)


def _load(settings: Settings) -> list[Topic]:
    from cds_service.served_content import served_topics

    return list(served_topics(settings).values())


def _topics(settings: Settings) -> list[Topic]:
    try:
        return _load(settings)
    except ContentError as fault:
        _refuse("the clinical content has faults", [str(fault)])


def _cases(topic: Topic) -> list[tuple[Topic, Casebook, Vignette]]:
    """Every vignette of a topic. Raises ContentError."""
    from cards.vignettes.casebook import load_vignettes

    casebook = load_vignettes(topic.files.vignettes, topic.service.resource_types)
    return [(topic, casebook, vignette) for vignette in casebook.vignettes]


def _content_faults(settings: Settings, *, strict: bool = False) -> tuple[list[str], list[str]]:
    """Faults of the content, and what of it is overdue for review. `strict` adds what is too slow for a start."""
    from cards.checks.run_all import find_faults, find_slow_faults, find_stale
    from cds_service.served_content import whole_topics
    from cds_service.settings.cards_off import find_switch_faults

    today = _today()
    try:
        topics = list(whole_topics(settings.value_sets_dir, settings.topics).values())
        faults = find_faults(topics, today)
        faults += find_switch_faults(settings.cards_off, {topic.service.id: topic for topic in topics})
        if strict:
            faults += find_slow_faults(topics)
            faults += [fault for topic in topics for fault in _boundary_faults(topic)]
        return faults, [line for topic in topics for line in find_stale(topic, today)]
    except ContentError as fault:
        return [str(fault)], []


def _boundary_faults(topic: Topic) -> list[str]:
    from cards.checks.boundaries import find_missing_boundaries
    from cards.vignettes.casebook import load_vignettes

    return find_missing_boundaries(
        topic, load_vignettes(topic.files.vignettes, topic.service.resource_types).marked_boundaries()
    )


def _run_vignettes(settings: Settings) -> bool:
    """Run every vignette, a site's own codes included, and say how many were as expected."""
    from cds_service.served_content import whole_topics

    whole_topics.cache_clear()  # the files may have changed since
    try:
        cases = [case for topic in _load(settings) for case in _cases(topic)]
    except ContentError as fault:
        click.echo(f"cds-service: {fault}", err=True)
        return False
    failed = 0
    for topic, casebook, vignette in cases:
        failures = casebook.find_failures(vignette, topic)
        failed += bool(failures)
        if failures:
            click.echo(f"✗ {vignette.name}")
        for failure in failures:
            click.echo(f"    {failure}")
    count = len(cases)
    click.echo(f"{count} vignettes, all as expected" if not failed else f"{failed} of {count} vignettes failed")
    return not failed


def _watch(settings: Settings, seen: dict[Path, int]) -> None:
    """Run again whenever a content file changes, until interrupted. `seen`: times of change before the last run."""
    click.echo("Watching the content. Stop with Ctrl-C.", err=True)
    try:
        while True:
            time.sleep(_LOOK_EVERY_S)
            now = _when_changed(settings)
            if now != seen:
                seen = now
                click.echo()
                _run_vignettes(settings)
    except KeyboardInterrupt:
        return


def _when_changed(settings: Settings) -> dict[Path, int]:
    from cards.catalogue import content_files

    local = filter(is_content, settings.value_sets_dir.iterdir()) if settings.value_sets_dir else ()
    return {path: path.stat().st_mtime_ns for path in (*content_files(settings.topics), *local)}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _refuse(what: str, reasons: list[str]) -> NoReturn:
    click.echo(f"cds-service: {what}", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    sys.exit(1)
