"""`python -m bench.flask_door_server`: the server of `cds-service serve`, its hook calls answered by Flask's door.

There is no setting for it: only this measurement needs it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cds_service.cli.doctor import examine
from cds_service.server import server
from cds_service.settings.settings import read_settings

if TYPE_CHECKING:
    from cds_service.server.door import Door


def create() -> Door:
    """What a server process runs: every request goes through a thread, WSGI and Flask."""
    from cds_service.app import create_app_from_environment
    from cds_service.server.door import Door
    from cds_service.server.request_body import BodyLimits

    settings = read_settings(os.environ)
    app = create_app_from_environment()
    return Door(app, None, threads=settings.threads, limits=BodyLimits(settings.max_body_bytes))


if __name__ == "__main__":
    examine(os.environ, ask_issuers=False)  # which makes the tables, as in `cds-service serve`
    server._create = create
    server.run(read_settings(os.environ))
