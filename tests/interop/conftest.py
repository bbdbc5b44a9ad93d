"""The real parts as fixtures: each is started when the first test asks for it; the run ends with their start times."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.interop.clocked_app import CLOCK_FILE, FHIR_OF_THE_RECORDINGS
from tests.interop.part import Parts
from tests.interop.watched_page import WatchedPage, start, watched
from tests.server_process import free_port

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("cds-service")
THE_DAY = "2026-11-22T15:00:00+00:00"  # on which the patients of the fixtures hang
_PARTS = pytest.StashKey[Parts]()
_SCREENSHOTS = pytest.StashKey[Path]()
_NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, metavar="FOLDER", help="where pictures and PDFs are kept")


@pytest.fixture(scope="session")
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Starts real parts; their logs lie in its folder."""
    return request.config.stash.setdefault(_PARTS, Parts(tmp_path_factory.mktemp("parts")))


@pytest.fixture(scope="session")
def notes(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the run, about what is as it should be and worth knowing."""
    return request.config.stash.setdefault(_NOTES, [])


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for pictures and PDFs; the run says at its end where it is."""
    folder = request.config.getoption("--screenshots") or tmp_path_factory.mktemp("screenshots")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return request.config.stash.setdefault(_SCREENSHOTS, folder)


@pytest.fixture(scope="session")
def hapi(parts: Parts) -> Iterator[str]:
    """The base URL of a HAPI FHIR JPA server, R4, empty."""
    target = HERE / "hapi" / "target"
    libraries = (target / "classpath").read_text("utf-8").strip()
    # The first tier of the compiler alone: a server that lives for minutes starts sooner with it, and is fast enough.
    java = ["java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]
    with parts.running("HAPI FHIR", [*java, f"{target / 'classes'}{os.pathsep}{libraries}", "HapiServer"]) as address:
        yield address


@pytest.fixture(scope="session")
def medplum(parts: Parts) -> Iterator[str]:
    """The base URL of Medplum's FHIR router over its in-memory repository, R4, empty."""
    with parts.running("Medplum", ["node", HERE / "npm" / "medplum_server.mjs"]) as address:
        yield address


@pytest.fixture(scope="session")
def served(parts: Parts) -> Iterator[str]:
    """The address of `cds-service serve`, with time enough for slow FHIR servers."""
    port = free_port()
    database = f"sqlite:///{parts.folder / 'served.sqlite'}"
    command = [COMMAND, "serve", "--port", port, "--fhir-budget-ms", 60_000, "--database-url", database]
    with parts.running("cds-service serve", command, port=port) as address:
        yield address


@dataclass(frozen=True)
class PageService:
    """`cds-service serve` for people who look at its pages."""

    address: str
    database_url: str


@pytest.fixture(scope="session")
def page_service(parts: Parts) -> Iterator[PageService]:
    """`cds-service serve` with a FHIR budget that a person would wait for, and translations that await review."""
    port = free_port()
    database = f"sqlite:///{parts.folder / 'pages.sqlite'}"
    command = [COMMAND, "serve", "--port", port, "--fhir-budget-ms", 4_000, "--draft-translations", "yes"]
    command += ["--database-url", database]
    with parts.running("cds-service serve for pages", command, port=port) as address:
        yield PageService(address, database)


@dataclass(frozen=True)
class ClockedService:
    """The service with a clock that tests set; `address` is where it listens."""

    address: str
    _file: Path

    def set_clock(self, moment: str) -> None:
        """`moment`: ISO 8601 with its offset."""
        self._file.with_suffix(".new").write_text(moment, "ascii")
        self._file.with_suffix(".new").replace(self._file)  # no reader sees half of it


def _clocked(parts: Parts, name: str, **variables: str) -> Iterator[ClockedService]:
    port = free_port()
    file = parts.folder / f"clock-{port}"
    service = ClockedService(f"http://127.0.0.1:{port}", file)
    service.set_clock(THE_DAY)
    ours = {CLOCK_FILE: str(file), "CDS_PORT": str(port), "CDS_DATABASE_URL": f"sqlite:///{file}.sqlite"}
    command = [sys.executable, "-m", "tests.interop.clocked_app"]
    with parts.running(name, command, port=port, **ours | variables):
        yield service


@pytest.fixture(scope="session")
def that_day(parts: Parts) -> Iterator[ClockedService]:
    """The service on the day on which the fixtures hang, with time enough for slow FHIR servers."""
    yield from _clocked(parts, "service of that day", CDS_FHIR_BUDGET_MS="60000")


@pytest.fixture(scope="session")
def recorded_service(parts: Parts) -> Iterator[ClockedService]:
    """The service at the address that the recorded tokens name, and it takes no call without one."""
    ours = {"CDS_PUBLIC_URL": "http://127.0.0.1:8080", "CDS_REQUIRE_TOKENS": "yes", FHIR_OF_THE_RECORDINGS: "yes"}
    yield from _clocked(parts, "service of the recorded calls", **ours)


@pytest.fixture(scope="session")
def browser(program: dict[str, str], parts: Parts) -> Iterator[Browser]:
    """Chromium, as the operating system has it."""
    begun = time.monotonic()
    with sync_playwright() as playwright:
        chromium = start(playwright, program["chromium"])
        parts.start_times[f"Chromium {chromium.version}"] = time.monotonic() - begun
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser: Browser, screenshots: Path) -> Callable[..., AbstractContextManager[WatchedPage]]:
    """Opens watched pages; takes what `watched` takes."""
    return partial(watched, browser, screenshots)


@pytest.fixture(scope="session")
def program() -> dict[str, str]:
    """Where the programs are that pages are looked at with."""
    found = {name: shutil.which(name) for name in ("chromium", "pdftoppm", "zbarimg")}
    missing = [name for name, path in found.items() if path is None]
    assert not missing, f"not installed: {', '.join(missing)}; `bash tests/interop/install` installs them"
    return {name: path for name, path in found.items() if path}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    parts = config.stash.get(_PARTS, None)
    if not any(key in config.stash for key in (_PARTS, _SCREENSHOTS, _NOTES)):
        return
    terminalreporter.section("real parts")
    for name, seconds in parts.start_times.items() if parts else ():
        terminalreporter.line(f"{name} started in {seconds:.1f} s")
    for note in config.stash.get(_NOTES, []):
        terminalreporter.line(note)
    if _SCREENSHOTS in config.stash:
        terminalreporter.line(f"screenshots and PDFs: {config.stash[_SCREENSHOTS]}")
