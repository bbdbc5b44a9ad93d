"""The command `cds-service`: its verbs, its refusals, and one server that really runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.settings.settings import Settings
from tests.charts import SERVICE, hook_call
from tests.server_process import COMMAND, ServerProcess, ask, environment, free_port, listens

VARIABLES = [f"CDS_{setting.name.upper()}" for setting in fields(Settings)]
# `serve` hands its flags on as environment variables; the runner puts each of these back as it was
KEEP: dict[str, str | None] = dict.fromkeys(VARIABLES)


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, arguments, env=KEEP | variables)


def test_check_finds_no_fault_in_the_content_that_is_served() -> None:
    result = run("check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "content: no faults\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_verbs(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    assert "serve" in result.stdout
    assert "check" in result.stdout


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_help_of_serve_explains_every_setting(setting: Any) -> None:
    """Its flag, what it is for, its variable and its default."""
    said = run("serve", "--help").stdout
    told = {"True": "yes", "False": "no", "None": "", "()": ""}.get(str(setting.default), setting.default)
    default = f"; default: {told}]" if told != "" else "]"
    assert f"--{setting.name.replace('_', '-')} VALUE" in said
    explained = f"{setting.metadata['about']} [CDS_{setting.name.upper()}{default}"
    assert "".join(explained.split()) in "".join(said.split())  # wherever a line was broken


@pytest.mark.parametrize(
    ("arguments", "variables", "reasons"),
    [
        pytest.param(["--port", "x"], {}, ["--port must be a whole number"], id="a wrong flag"),
        pytest.param([], {"CDS_PORT": "x"}, ["CDS_PORT must be a whole number"], id="a wrong variable"),
        pytest.param(["--port", "x"], {"CDS_PORT": "8080"}, ["--port must"], id="a flag that wins over its variable"),
        pytest.param(
            ["--port", "x", "--host", "0.0.0.0", "--workers", "0"],  # noqa: S104 - is refused
            {"CDS_NOPE": "1"},
            ["--host must be a loopback", "--port must", "--workers must", "CDS_NOPE is not a setting"],
            id="four faults at once",
        ),
        pytest.param(
            ["--profile", "production"],
            {},
            ["CDS_CLIENTS_FILE must", "CDS_DATABASE_URL must", "CDS_PUBLIC_URL must"],
            id="production without clients, database or public address",
        ),
    ],
)
def test_serve_refuses_with_one_line_for_each_reason(
    arguments: list[str], variables: dict[str, str], reasons: list[str]
) -> None:
    result = run("serve", *arguments, **variables)
    first, *lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, first) == (1, "", "cds-service: cannot start")
    assert len(lines) == len(reasons)
    assert all(line.startswith("  " + reason) for line, reason in zip(lines, reasons, strict=True))


@pytest.mark.parametrize("arguments", [["fly"], ["serve", "--nope", "1"], ["check", "--port", "1"]])
def test_what_is_no_verb_or_flag_is_a_usage_error(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[ServerProcess]:
    """`cds-service serve`, started elsewhere than in the checkout, and listening."""
    command = [COMMAND, "serve", "--port", port]
    process = ServerProcess(command, tmp_path / "log", environment(), lambda: listens(port), folder=tmp_path)
    try:
        process.start()
        yield process
    finally:
        process.kill()


def test_serve_answers_over_the_network_logs_the_call_and_ends_when_told(server: ServerProcess, port: int) -> None:
    """R-1.1, R-4.1: from the installed command to the socket and back."""
    status, body = ask(port, "GET", "/cds-services")
    discovery = json.loads(body)
    assert (status, discovery["services"][0]["id"]) == (200, "lumbar-puncture-back-pain")
    status, body = ask(port, "POST", SERVICE, hook_call())
    answer = json.loads(body)
    assert (status, len(answer["cards"])) == (200, 1)
    assert f"http://127.0.0.1:{port}/education/lumbar-puncture" in [link["url"] for link in answer["cards"][0]["links"]]
    assert server.process
    server.process.terminate()
    assert server.wait() == 0
    said = server.log.read_text("utf-8").splitlines()
    assert said[0] == f"Serving http://127.0.0.1:{port}/ (development profile). Stop with Ctrl-C."
    (event,) = [json.loads(line) for line in said if line.startswith("{")]
    assert (event["event"], event["cds_hooks.cards"]) == ("cds_hooks.call", ["what-to-expect"])
