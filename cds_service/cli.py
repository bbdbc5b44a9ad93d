"""The `cds-service` command: each verb is one call into another module."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from typing import Any

import click

from cards.content import ContentError
from cds_service.errors import NotReady
from cds_service.settings import PREFIX, Settings, read_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="lumbar-puncture-back-pain", prog_name="cds-service")
def main() -> None:
    """A CDS Hooks service about lumbar puncture and back pain.

    \b
    cds-service serve     start it, then open http://127.0.0.1:8080
    cds-service check     is the clinical content fit to be served?
    """


def _settings_as_options(command: Any) -> Any:
    """Every setting as a flag: --fhir-budget-ms is CDS_FHIR_BUDGET_MS."""
    for setting in reversed(fields(Settings)):
        about = f"{setting.metadata['about']} [{PREFIX}{setting.name.upper()}"
        about += f"; default: {setting.default}]" if setting.default != "" else "]"
        command = click.option("--" + setting.name.replace("_", "-"), help=about, metavar="VALUE")(command)
    return command


@main.command()
@_settings_as_options
def serve(**flags: str | None) -> None:
    """Serve until interrupted.

    Every flag is also an environment variable, named in brackets; a flag wins over its variable.
    """
    for name, text in flags.items():
        if text is not None:
            os.environ[PREFIX + name.upper()] = text  # the server's own processes read their settings from there
    try:
        settings = read_settings(os.environ)
    except NotReady as fault:
        _refuse("cannot start", fault.reasons)
    faults = _content_faults()
    if faults:
        _refuse("cannot start: the clinical content has faults", faults)
    from cds_service.server import run

    click.echo(f"Serving {settings.base_url}/cds-services ({settings.profile} profile). Stop with Ctrl-C.", err=True)
    run(settings)


@main.command()
def check() -> None:
    """Check the clinical content: texts, evidence, value sets, settings. Changes nothing.

    Exit status 1 and one line per fault, with file and line, where something must not be served.
    """
    faults = _content_faults(strict=True)
    if faults:
        _refuse(f"{len(faults)} fault(s)", faults)
    click.echo("content: no faults")


def _content_faults(*, strict: bool = False) -> list[str]:
    """Faults of the content. `strict` adds what is too slow for a start: the value sets as valid FHIR."""
    from cards.catalogue import load_topic
    from cards.content_check import find_faults, find_invalid_value_sets

    try:
        return find_faults(load_topic()) + (find_invalid_value_sets() if strict else [])
    except ContentError as fault:
        return [str(fault)]


def _refuse(what: str, reasons: list[str]) -> None:
    click.echo(f"cds-service: {what}", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    sys.exit(1)
