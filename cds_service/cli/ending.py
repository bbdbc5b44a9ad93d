"""What every command does alike: read the settings, and end with reasons."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from cds_service.errors import NotReady
from cds_service.settings.settings import Settings, read_settings


def settings_of_environment(what: str, flags: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment. Exits with `what` and the reasons if they are not valid.

    `flags`: the flag that set a variable, by variable, for the message.
    """
    try:
        return read_settings(os.environ, flags)
    except NotReady as fault:
        refuse(what, fault.reasons)


def refuse(what: str, reasons: list[str]) -> NoReturn:
    """Exit with status 1 after saying what failed, and why, one line for each reason."""
    click.echo(f"cds-service: {what}", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    sys.exit(1)
