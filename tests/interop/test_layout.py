"""The image without an engine: what the Dockerfile builds, started as it says, by a user who can write nowhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests

from deploy.layout import HOME_OF_SERVICE, ROOT, Image, build, read_image, start_command
from tests.charts import SERVICE
from tests.databases import PostgresqlServer
from tests.registered_service import ISSUER, PUBLIC_URL, REGISTRY, key_files
from tests.server_process import free_port
from tests.token_forge import Forge, key_for

CALL = (ROOT / "fixtures/hook_calls/lumbar_puncture_with_stenosis.json").read_bytes()
MOST_MB = 200
ENDS_S = 20
WHERE_IT_RUNS = """
import os, sys, cds_service
def refused(path):
    try: open(path, "w").close()
    except OSError: return True
    os.unlink(path)
    return False
module = cds_service.__file__
folders = ["/", "/usr", "/etc/cds-service", sys.prefix, os.path.dirname(module), os.getcwd()]
writable = [one for one in folders if not refused(one + "/x")]
print([os.getuid(), os.getgid(), writable, refused("/tmp/x"), module])
"""


@dataclass(frozen=True)
class Layout:
    """The image's folder, and beside it what an operator mounts into a container."""

    folder: Path
    mounts: Path
    image: Image
    environment: dict[str, str] = field(default_factory=dict)

    def words(self, command: list[str], **variables: str) -> list[str]:
        volumes = [f"{self.mounts}/config:/etc/cds-service:ro", f"{self.mounts}/secrets:/run/secrets:ro"]
        given = self.environment | variables
        return start_command(self.image, self.folder, command, environment=given, volumes=volumes)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`docker run IMAGE ARGUMENT...`, to its end."""
        return self.execute([*self.image.entrypoint, *arguments])

    def execute(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """`docker run --entrypoint`, to its end."""
        words = self.words(command, **variables)
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory, notes: list[str]) -> Layout:
    """Built by the Dockerfile's own step, in a fresh environment from the locks."""
    folder, mounts = tmp_path_factory.mktemp("image"), tmp_path_factory.mktemp("mounts")
    for name in ("config", "secrets"):
        (mounts / name).mkdir()
    built = Layout(folder, mounts, read_image((ROOT / "Dockerfile").read_text("utf-8")))
    begun = time.monotonic()
    build(built.image, folder)
    notes.append(f"image: {HOME_OF_SERVICE} has {size_mb(folder):.0f} MB, built in {time.monotonic() - begun:.0f} s")
    return built


@pytest.fixture(scope="module")
def configured(layout: Layout, postgresql: PostgresqlServer) -> Layout:
    """Production with a registered client and an empty PostgreSQL, whose address is in a mounted file."""
    config, secrets = layout.mounts / "config", layout.mounts / "secrets"
    (config / "clients.toml").write_text(REGISTRY, "utf-8")
    for name, keys in key_files().items():
        (config / f"{name}.json").write_text(json.dumps({"keys": keys}), "utf-8")
    (secrets / "database_url").write_text(postgresql.url(postgresql.create(template=None)) + "\n", "utf-8")
    environment = {
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_CLIENTS_FILE": "/etc/cds-service/clients.toml",
        "CDS_DATABASE_URL_FILE": "/run/secrets/database_url",
        "CDS_PORT": str(free_port()),
    }
    return replace(layout, environment=environment)


@dataclass
class Container:
    """A running layout. `pid`: of the service, which is process 1 of its own namespace."""

    layout: Layout
    sandbox: subprocess.Popen[bytes]
    address: str

    @property
    def pid(self) -> int:
        (child,) = Path(f"/proc/{self.sandbox.pid}/task/{self.sandbox.pid}/children").read_text("ascii").split()
        return int(child)


@pytest.fixture
def container(configured: Layout, tmp_path: Path) -> Iterator[Container]:
    """`docker run IMAGE` after `docker run IMAGE db upgrade`, once it takes calls."""
    upgrade = configured.run("db", "upgrade")
    assert (upgrade.returncode, upgrade.stdout) == (0, "the database schema is up to date\n"), upgrade.stderr
    log = tmp_path / "log"
    words = configured.words([*configured.image.entrypoint, *configured.image.command])
    with log.open("wb") as out:
        sandbox = subprocess.Popen(words, stdout=out, stderr=out)  # noqa: S603 - our own words
    running = Container(configured, sandbox, f"http://127.0.0.1:{configured.environment['CDS_PORT']}")
    try:
        _wait_until_ready(running, log)
        yield running
    finally:
        if sandbox.poll() is None:
            os.kill(running.pid, signal.SIGKILL)  # and not the sandbox, which it would outlive
        sandbox.wait(ENDS_S)


def _wait_until_ready(running: Container, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert running.sandbox.poll() is None, log.read_text("utf-8")
        try:
            if requests.get(f"{running.address}/health/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8"))


def size_mb(folder: Path) -> float:
    """What its files hold."""
    return sum(one.lstat().st_size for one in folder.rglob("*")) / 1e6


def test_the_image_is_small_and_holds_neither_pip_nor_what_was_not_asked_for(layout: Layout) -> None:
    packages = {one.name for one in (layout.folder / "lib").glob("python*/site-packages/*")}
    assert {"cards", "cds_service", "granian", "psycopg"} <= packages
    assert packages & {"pip", "setuptools", "hatchling", "matplotlib", "numpy", "pytest"} == set()
    assert size_mb(layout.folder) < MOST_MB


def test_the_image_starts_with_bytecode(layout: Layout) -> None:
    """Nothing can be written where it runs, so each start would compile everything anew."""
    (package,) = (layout.folder / "lib").glob("python*/site-packages/cds_service")
    compiled = {one.name.partition(".")[0] for one in (package / "__pycache__").iterdir()}
    assert compiled == {one.stem for one in package.glob("*.py")}


def test_without_settings_it_does_not_start(layout: Layout) -> None:
    """The image is for production: nothing of what that demands has a default."""
    refusal = layout.run(*layout.image.command)
    assert refusal.returncode == 1
    said = [line.split()[0] for line in refusal.stderr.splitlines()[1:]]
    assert said == ["CDS_CLIENTS_FILE", "CDS_DATABASE_URL", "CDS_PUBLIC_URL"]


def test_it_runs_as_nobody_in_particular_and_can_write_to_tmp_only(configured: Layout) -> None:
    told = configured.execute([f"{HOME_OF_SERVICE}/bin/python", "-I", "-c", WHERE_IT_RUNS])
    assert told.returncode == 0, told.stderr
    user, group, writable, tmp_refused, module = json.loads(told.stdout.replace("'", '"').lower())
    if os.geteuid() == 0:
        assert f"{user}:{group}" == configured.image.user
    assert user != 0
    assert (writable, tmp_refused) == ([], False)
    assert module.startswith(HOME_OF_SERVICE)


def test_before_the_schema_is_there_it_does_not_start(configured: Layout) -> None:
    refusal = configured.run("serve")
    assert refusal.returncode == 1
    assert "db upgrade" in refusal.stderr


def test_a_signed_call_is_answered_and_its_token_is_good_once(container: Container) -> None:
    forge = Forge(
        time.time(),
        issuer=ISSUER,
        audience=PUBLIC_URL + SERVICE,
        tenant="north",
        kid="ES384 of general-hospital",
        algorithm="ES384",
        key=key_for("ES384"),
    )
    headers = {"Authorization": forge.bearer(), "Content-Type": "application/json"}
    answers = [requests.post(container.address + SERVICE, CALL, headers=headers, timeout=30) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 401]
    assert "Chart shows spinal stenosis" in answers[0].json()["cards"][1]["summary"]
    report = container.layout.run("report", "--format", "json")
    assert (report.returncode, report.stderr) == (0, "")


def test_the_health_check_tells_a_running_service_from_none(container: Container) -> None:
    check = container.layout.image.health_check
    good = container.layout.execute(check)
    assert (good.returncode, good.stderr) == (0, "")
    assert container.layout.execute(check, CDS_PORT=str(free_port())).returncode == 1


def test_sigterm_ends_process_1_in_good_order(container: Container) -> None:
    """A process 1 that does not ask for the signal never gets it, and is killed when the grace is over."""
    os.kill(container.pid, signal.SIGTERM)
    assert container.sandbox.wait(ENDS_S) == 0


def test_doctor_finds_nothing_amiss(configured: Layout, container: Container) -> None:
    told = configured.run("doctor")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.endswith("the service would start\n")
