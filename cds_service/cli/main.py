"""The `cds-service` command: each verb is one call into another module."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import click

from cards.content.files import ContentError
from cds_service.backtest.backtest_command import backtest
from cds_service.cli.content_commands import check, content_faults, explain, run_vignettes, show
from cds_service.cli.database_commands import db
from cds_service.cli.ending import refuse, settings_of_environment
from cds_service.cli.keys import keys
from cds_service.ehr_simulator.call_command import call
from cds_service.errors import NotReady
from cds_service.readable import counted
from cds_service.report.report_command import report
from cds_service.settings.reference import default_words, flag
from cds_service.settings.settings import PREFIX, Settings
from cds_service.version import program_version


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
        refuse("the clinical content has faults", [str(fault)])
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


for _command in (backtest, call, check, db, explain, keys, report, run_vignettes, show):
    main.add_command(_command)


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
    gc.disable()  # until a worker starts: what is loaded until then stays, and is shared with the workers
    try:
        _serve({name: text for name, text in flags.items() if text is not None})
    finally:
        gc.enable()


def _serve(flags: Mapping[str, str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has its own: process 1 would ignore it
    for name, text in flags.items():
        os.environ[PREFIX + name.upper()] = text  # the server's own processes read their settings from there
    settings = settings_of_environment("cannot start", {PREFIX + name.upper(): flag(name) for name in flags})
    from cds_service.cli.doctor import examine

    diagnosis = examine(os.environ, ask_issuers=False)
    if diagnosis.faults:
        refuse("cannot start", diagnosis.faults)
    faults, overdue = content_faults(settings)
    if settings.stale_review == "warn":
        for line in overdue:
            click.echo(f"cds-service: overdue for review: {line}", err=True)
    else:
        faults += overdue
    if faults:
        refuse("cannot start: the clinical content has faults", faults)
    from cds_service.server.server import run

    try:
        run(settings)
    except NotReady as fault:
        refuse(f"cannot start: {fault}", [])


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
        faults, overdue = content_faults(settings_of_environment("cannot check the content"))
        diagnosis.faults += faults + overdue
    if diagnosis.faults:
        refuse(f"the service would not start: {counted(len(diagnosis.faults), 'reason')}", diagnosis.faults)
    click.echo("the service would start")
