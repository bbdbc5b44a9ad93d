"""Runs the WSGI server."""

from __future__ import annotations

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from cds_service.settings import Settings


def run(settings: Settings) -> None:
    """Serve until the process is told to stop. Each worker reads its settings from the environment."""
    Granian(
        "cds_service.app:create_app_from_environment",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        log_level=LogLevels.error,  # our own events tell more, and tell it without a word about patients
        log_access=False,
    ).serve()
