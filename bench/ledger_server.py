"""`python -m bench.ledger_server on|off`: the server of `cds-service serve`, its ledger as it is, or writing nothing.

There is no setting that turns the ledger off: only this measurement needs it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from cds_service.cli.doctor import examine
from cds_service.server import server
from cds_service.settings.settings import read_settings
from cds_service.storage.ledger import Ledger


def create_without_ledger() -> Any:
    """What a server process runs in place of the application: the same, but for what it records of a call."""
    from cds_service.server.door import create_door_from_environment

    setattr(Ledger, "record", lambda *_: ())  # noqa: B010 - for this process only
    return create_door_from_environment()


def main() -> None:
    """Serve with the settings of the environment."""
    if sys.argv[1:] == ["off"]:
        server._create = create_without_ledger
    examine(os.environ, ask_issuers=False)  # which makes the tables, as in `cds-service serve`
    server.run(read_settings(os.environ))


if __name__ == "__main__":
    main()
