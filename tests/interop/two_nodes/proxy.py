"""nginx with the configuration that deploy/nginx ships: only addresses and files are filled in."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import self_signed
from tests.interop.part import ROOT, Parts

SHIPPED = ROOT / "deploy" / "nginx"
_SITE, _NODES = "cds-service.conf", "cds-service-nodes.conf"
_LOGGED_S = 20
_LINE = re.compile(r'\S+ (?P<id>\S+) \S+ \S+ \S+ (?P<status>\d+) \S+ "(?P<nodes>[^"]*)" "(?P<statuses>[^"]*)"')
# What a distribution's nginx.conf does, as far as it is needed here.
_MAIN = """
{user}daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/main.log;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


@dataclass(frozen=True)
class Passed:
    """One line of the access log: which nodes a call was passed to, in turn, and what they answered."""

    status: int
    nodes: list[str]
    statuses: list[str]


class Proxy:
    """nginx. `port`: where it takes TLS; `nodes`: host and port of each, in the order of the shipped file."""

    def __init__(
        self, folder: Path, port: int, nodes: Sequence[str], *, changes: Sequence[tuple[str, str]] = ()
    ) -> None:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "nginx is not installed; `bash tests/interop/install` installs it"
        self._program = program
        self._folder = folder
        self._out = folder / "out"
        self._out.mkdir()
        self.port = port
        self.certificate = self_signed(folder, "127.0.0.1")
        self.access_log = folder / "access.log"
        self.error_log = folder / "error.log"
        user = "user root;\n" if os.geteuid() == 0 else ""  # for pytest's folders are shut to others
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user), "utf-8")
        (folder / "conf.d").mkdir()
        theirs = re.findall(r"server (\S+:\d+)", (SHIPPED / _NODES).read_text("utf-8"))
        addresses = dict(zip(dict.fromkeys(theirs), nodes, strict=True))
        filled = {
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "server_name cds.example.org;": "server_name 127.0.0.1;",
            "/etc/nginx/tls/cds.example.org.pem": str(self.certificate),
            "/etc/nginx/tls/cds.example.org.key": str(self.certificate),
            "/var/log/nginx/cds-service.log": str(self.access_log),
            "/var/log/nginx/cds-service.error.log": str(self.error_log),
            **{
                f"/etc/nginx/cds-service-out/{_host(one)})": f"{self._out}/{_host(addresses[one])})"
                for one in addresses
            },
            **dict(changes),
        }
        for name, values in ((_SITE, filled), (_NODES, addresses)):
            text = _replaced((SHIPPED / name).read_text("utf-8"), values)
            (folder / "conf.d" / name).write_text(text, "utf-8")

    @contextmanager
    def running(self, parts: Parts, name: str = "nginx") -> Iterator[None]:
        """Run it until the block ends."""
        with parts.running(name, [self._program, "-c", self._folder / "nginx.conf"], port=self.port):
            yield

    def take_out(self, host: str) -> None:
        """Send no new call to the node of this address (docs/high-availability.md)."""
        (self._out / host).touch()

    def put_back(self, host: str) -> None:
        """Send it calls again."""
        (self._out / host).unlink()

    def passed(self, wanted: Iterable[str] = ()) -> dict[str, Passed]:
        """The access log, by request id, once it has the `wanted` ones: a line is written when the answer has gone."""
        deadline = time.monotonic() + _LOGGED_S
        while missing := set(wanted) - (lines := self._lines()).keys():
            assert time.monotonic() < deadline, f"{len(missing)} calls are not in the log"
            time.sleep(0.02)
        return lines

    def _lines(self) -> dict[str, Passed]:
        found = map(_LINE.fullmatch, self.access_log.read_text("utf-8").splitlines())
        lines = [line for line in found if line]
        return {
            line["id"]: Passed(int(line["status"]), line["nodes"].split(", "), line["statuses"].split(", "))
            for line in lines
        }


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _replaced(text: str, filled: dict[str, str]) -> str:
    """The text with other values in it, each of which must stand in it."""
    for theirs, ours in filled.items():
        assert theirs in text, f"deploy/nginx does not say {theirs} any more"
        text = text.replace(theirs, ours)
    return text
