"""The proxy of compose.yaml without an engine: nginx takes the files that are mounted into it, from where they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import trial
from deploy.layout import ROOT

SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
PROXY: dict[str, Any] = SERVICES["proxy"]
# What the image's own file and program say; Debian's keeps what it buffers in another place.
OF_THE_IMAGE = """
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {}
http {
    client_body_temp_path /var/cache/nginx/client_temp;
    proxy_temp_path /var/cache/nginx/proxy_temp;
    fastcgi_temp_path /var/cache/nginx/fastcgi_temp;
    uwsgi_temp_path /var/cache/nginx/uwsgi_temp;
    scgi_temp_path /var/cache/nginx/scgi_temp;
    include /etc/nginx/conf.d/*.conf;
}
"""


def _capabilities(sysctls: dict[str, int]) -> list[str]:
    """What stands for the sysctl that lets anybody listen on low ports, which bubblewrap cannot set."""
    if sysctls.get("net.ipv4.ip_unprivileged_port_start") != 0:
        return []
    return ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]


def check(folder: Path, known: list[str]) -> subprocess.CompletedProcess[str]:
    """What `nginx -t` says with the proxy's mounts, where these names are known."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert nginx, "not installed: nginx; `bash tests/interop/install` installs it"
    trial.write(folder / "trial")
    (folder / "nginx.conf").write_text(OF_THE_IMAGE, "ascii")
    (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in known), "ascii")
    (folder / "nsswitch.conf").write_text("hosts: files\n", "ascii")
    words = ["bwrap", "--unshare-net", "--unshare-pid", "--ro-bind", "/usr", "/usr", "--dev", "/dev"]
    for name in ("bin", "lib", "lib64"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for one in ("/etc", "/etc/nginx", "/etc/nginx/conf.d", "/var", "/var/cache", "/var/log"):
        words += ["--perms", "0755", "--dir", one]
    for one in PROXY["tmpfs"]:
        words += ["--perms", "1777", "--tmpfs", one]
    for name in ("hosts", "nsswitch.conf"):
        words += ["--ro-bind", str(folder / name), f"/etc/{name}"]
    words += ["--ro-bind", str(folder / "nginx.conf"), "/etc/nginx/nginx.conf"]
    for one in PROXY["volumes"]:
        source, target, _ = one.split(":")
        words += ["--ro-bind", str(ROOT / source).replace(str(ROOT / "deploy/trial"), str(folder / "trial")), target]
    words += ["--remount-ro", "/", "--cap-add", "CAP_NET_BIND_SERVICE"]
    if os.geteuid() == 0:
        user, group = PROXY["user"].split(":")
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "setpriv", "--reuid", user, "--regid", group]
        words += ["--clear-groups", *_capabilities(PROXY["sysctls"])]
    words += [nginx, "-t"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own


def test_nginx_takes_what_is_mounted(tmp_path: Path) -> None:
    told = check(tmp_path, [*SERVICES])
    assert told.returncode == 0, told.stderr
    assert "test is successful" in told.stderr


@pytest.mark.parametrize("missing", ["cds-service", "fhir"])
def test_it_sends_calls_to_the_services_of_the_file(tmp_path: Path, missing: str) -> None:
    """A name that no service has is no host."""
    told = check(tmp_path, [name for name in SERVICES if name != missing])
    assert told.returncode == 1
    assert f'host not found in upstream "{missing}' in told.stderr
