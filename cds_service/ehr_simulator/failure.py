"""What ends a call: one line that says what is wrong, and below it what to do."""

from __future__ import annotations

from collections.abc import Sequence

import click


class CallFailed(click.ClickException):
    """The service was not reached, or did not answer with cards. Exit status 1."""

    def __init__(self, message: str, advice: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.advice = advice

    def show(self, file: object = None) -> None:
        """As the other verbs say it."""
        click.echo(f"cds-service: cannot call: {self.message}", err=True)
        for line in self.advice:
            click.echo(f"  {line}", err=True)
