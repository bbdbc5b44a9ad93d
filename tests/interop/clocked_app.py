"""The service as `cds-service serve` runs it, but for its clock, which stands where the file CLOCK_FILE says.

Run as a program it serves. The FHIR server that the recorded calls name no longer runs: where FHIR_OF_THE_RECORDINGS is
set, the transport of the tests stands in for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.cli.doctor import examine
from cds_service.server import server
from cds_service.settings.settings import read_settings

if TYPE_CHECKING:
    from cds_service.server.door import Door
    from tests.fake_fhir_server import FakeFhirServer

CLOCK_FILE = "INTEROP_CLOCK_FILE"
FHIR_OF_THE_RECORDINGS = "INTEROP_FHIR_OF_THE_RECORDINGS"


def create() -> Door:
    """What the server process runs. The application is imported only there: metrics need their folder first."""
    from cds_service.app import create_app
    from cds_service.event_log.events import configure
    from cds_service.server.door import Door
    from cds_service.server.request_body import BodyLimits

    configure()
    settings = read_settings(os.environ)
    transport = _recorded_fhir_server() if FHIR_OF_THE_RECORDINGS in os.environ else None
    app = create_app(settings, clock=_clock(Path(os.environ[CLOCK_FILE])), fhir_transport=transport)
    services = app.extensions["cds_services"]
    return Door(app, services, threads=settings.threads, limits=BodyLimits(settings.max_body_bytes))


def _clock(file: Path) -> Callable[[], datetime]:
    def now() -> datetime:
        return datetime.fromisoformat(file.read_text("ascii"))

    return now


def _recorded_fhir_server() -> FakeFhirServer:
    from tests.fake_fhir_server import FakeFhirServer
    from tests.test_recorded_calls import serve_lab_patients

    transport = FakeFhirServer()
    serve_lab_patients(transport)
    return transport


if __name__ == "__main__":
    faults = examine(os.environ, ask_issuers=False).faults  # which also makes the tables, as in `cds-service serve`
    if faults:
        sys.exit("\n".join(faults))
    server._create = create
    server.run(read_settings(os.environ))
