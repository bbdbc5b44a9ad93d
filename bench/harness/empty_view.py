"""The reference of calls over HTTP: a Flask view that reads the body and does nothing, on the server that we run on."""

from __future__ import annotations

import os
import sys

from flask import Flask, Response, request

from bench.harness.server import SERVICE, Command
from cds_service.server.door import Door
from cds_service.server.request_body import BodyLimits
from cds_service.settings.settings import read_settings


def create_door() -> Door:
    """What a server process runs."""
    settings = read_settings(os.environ)
    app = Flask(__name__)

    @app.post(SERVICE)
    def nothing() -> Response:
        request.get_data()
        return Response(b'{"cards":[]}', mimetype="application/json")

    return Door(app, None, threads=settings.threads, limits=BodyLimits(settings.max_body_bytes))


def command(workers: int = 1) -> Command:
    """granian as `cds_service.server.server` runs it, with this application."""
    options = ["--interface", "rsgi", "--http", "1", "--no-ws", "--log-level", "error", "--workers", str(workers)]
    start = [sys.executable, "-m", "granian", *options, "--factory", "bench.harness.empty_view:create_door"]
    return lambda port: [*start, "--port", str(port)]
