"""`python -m bench.harness.varied_server as-is|without-ledger|flask-door`: `cds-service serve`, or a variant of it.

`without-ledger` records nothing of a call; `flask-door` answers hook calls through Flask. There are no settings for
them: only these measurements need them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cds_service.cli.doctor import examine
from cds_service.server import server
from cds_service.settings.settings import read_settings
from cds_service.storage.ledger import Ledger

if TYPE_CHECKING:
    from cds_service.server.door import Door


def create_without_ledger() -> Door:
    """What a server process runs: the application, without recording."""
    from cds_service.server.door import create_door_from_environment

    setattr(Ledger, "record", lambda *_: ())  # noqa: B010 - for this process only
    return create_door_from_environment()


def create_flask_door() -> Door:
    """What a server process runs: every request goes through a thread, WSGI and Flask."""
    from cds_service.app import create_app_from_environment
    from cds_service.server.door import Door
    from cds_service.server.request_body import BodyLimits

    settings = read_settings(os.environ)
    app = create_app_from_environment()
    return Door(app, None, threads=settings.threads, limits=BodyLimits(settings.max_body_bytes))


if __name__ == "__main__":
    variants = {
        "as-is": server._create,
        "without-ledger": create_without_ledger,
        "flask-door": create_flask_door,
    }
    server._create = variants[sys.argv[1]]
    examine(os.environ, ask_issuers=False)  # which makes the tables, as in `cds-service serve`
    server.run(read_settings(os.environ))
