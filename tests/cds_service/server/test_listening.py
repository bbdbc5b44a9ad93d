"""A port belongs to one server: a start that cannot have it says so in one line, and announces nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.errors import NotReady
from cds_service.server.listening import bind, listen
from cds_service.settings.settings import Settings
from tests.server_process import COMMAND, ENDS_S, ask, environment, free_port

STARTS_S = 60
TAKEN = "cds-service: cannot start: 127.0.0.1:{} is used by another program: stop it, or choose another port with "
TAKEN += "CDS_PORT or --port\n"
SHARING = pytest.param((socket.SO_REUSEADDR, socket.SO_REUSEPORT), id="a program that shares its port")
NOT_SHARING = pytest.param((socket.SO_REUSEADDR,), id="a program that does not share its port")
WORKERS = [pytest.param(1, id="one worker"), pytest.param(2, id="two workers")]


def other_program(port: int, options: tuple[int, ...]) -> socket.socket:
    """A socket of another program that listens on this port."""
    other = socket.socket()
    try:
        for option in options:
            other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
    except OSError:
        other.close()
        raise
    return other


def start(port: int, workers: int, folder: Path) -> subprocess.Popen[str]:
    variables = environment(CDS_PORT=str(port), CDS_WORKERS=str(workers))
    pipe = subprocess.PIPE
    return subprocess.Popen([COMMAND, "serve"], cwd=folder, env=variables, stdout=pipe, stderr=pipe, text=True)  # noqa: S603


def refusal(port: int, workers: int, folder: Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a start that is refused."""
    with start(port, workers, folder) as process:
        said = process.communicate(timeout=STARTS_S)
        return process.returncode, *said


@pytest.fixture(scope="module", params=WORKERS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and number of workers of a server that has said that it serves."""
    port = free_port()
    with start(port, request.param, tmp_path_factory.mktemp("first")) as process:
        try:
            assert process.stderr
            announced = process.stderr.readline()
            assert announced == f"Serving http://127.0.0.1:{port}/ (development profile). Stop with Ctrl-C.\n"
            assert ask(port, "GET", "/")[0] == 200  # the first request, without a second try
            yield port, request.param
        finally:
            process.terminate()
            process.wait(ENDS_S)


@pytest.mark.slow
@pytest.mark.parametrize("workers", WORKERS)
def test_a_second_server_is_refused_and_the_first_serves_on(
    running: tuple[int, int], workers: int, tmp_path: Path
) -> None:
    port, _ = running
    assert refusal(port, workers, tmp_path) == (1, "", TAKEN.format(port))
    assert ask(port, "GET", "/cds-services")[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("options", [SHARING, NOT_SHARING])
@pytest.mark.parametrize("workers", WORKERS)
def test_a_port_that_another_program_has_is_refused(workers: int, options: tuple[int, ...], tmp_path: Path) -> None:
    port = free_port()
    with other_program(port, options):
        assert refusal(port, workers, tmp_path) == (1, "", TAKEN.format(port))


@pytest.mark.slow
def test_another_program_does_not_get_the_port_of_a_server(running: tuple[int, int]) -> None:
    """With several workers on Linux, the kernel lets a program of the same user in that shares its port on purpose."""
    port, workers = running
    options = (socket.SO_REUSEADDR, socket.SO_REUSEPORT) if workers == 1 else (socket.SO_REUSEADDR,)
    with pytest.raises(OSError, match="in use"):
        other_program(port, options)


@pytest.mark.parametrize("workers", WORKERS)
def test_of_two_servers_that_start_at_once_one_gets_the_port(workers: int) -> None:
    settings = Settings(port=free_port(), workers=workers)
    with bind(settings) as first, bind(settings) as second:
        listeners = listen(first, settings)
        with pytest.raises(NotReady, match="is used by another program"):
            listen(second, settings)
        for listener in listeners:
            listener.close()


def test_a_server_can_start_again_at_once() -> None:
    """The connections that the former server closed are still known to the kernel, and do not count."""
    settings = Settings(port=free_port())
    for _ in range(2):
        with bind(settings) as listener:
            listen(listener, settings)
            listener.setblocking(True)
            with socket.create_connection(("127.0.0.1", settings.port)) as connection:
                listener.accept()[0].close()
                assert connection.recv(1) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take other addresses for theirs")
@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_this_machine_does_not_have_is_refused(host: str) -> None:
    with pytest.raises(NotReady, match=rf"^{host}:8080 cannot be listened on \(.+\): choose another address with"):
        bind(Settings(host=host))
