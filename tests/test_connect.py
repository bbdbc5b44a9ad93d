"""docs/connect: every line says how it is known, and its examples work."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from cds_service.cli.main import main
from cds_service.clients.registry import SANDBOX_FILE, load_registry
from cds_service.settings.settings import read_settings
from tests.charts import SERVICE, cards_of, hook_call
from tests.places import ROOT

FOLDER = ROOT / "docs" / "connect"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
COMMON = (FOLDER / "README.md").read_text("utf-8")
TOPICS = [
    "Registration", "Hooks", "Prefetch", "Scopes", "Order codes", "Card fields", "Timeouts", "Silent mode", "Feedback",
]  # fmt: skip
_TEST = re.compile(r"`(tests/[\w/]+\.py)`")
_SOURCE = re.compile(r"\]\(https://[^)\s]+\)")
_NAMED_SOURCES = re.compile(r"\*\*([a-z ]+)\*\* = \[[^\]]+\]\(https://[^)\s]+\)")


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of each table, without heads."""
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def marked_lines(text: str) -> list[str]:
    """The mark of every row and of every item of a checklist, with what follows it."""
    after_legend = text.partition("| *not verified* | we have not tried it")[2].partition("\n")[2] or text
    marks = [cells[-1] for cells in rows(after_legend)]
    return marks + [item.rpartition(" — ")[2] for item in re.findall(r"^- \[ \] (.*)$", text, re.MULTILINE)]


def fault_of(mark: str, named_sources: set[str]) -> str | None:
    """What is wrong with a mark."""
    if mark.startswith("*not verified*"):
        return None
    if mark.startswith("*seen here* "):
        tests = _TEST.findall(mark)
        missing = [test for test in tests if not (ROOT / test).is_file()]
        return None if tests and not missing else f"names no test that exists: {missing}"
    if mark.startswith("*seen* "):
        source = mark.removeprefix("*seen* ").partition(" (")[0]
        return None if source in named_sources or _SOURCE.search(mark) else "names no source"
    return "has no mark"


def entries() -> list[Any]:
    return [
        pytest.param(page.name, block, id=page.name)
        for page in PAGES
        for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]


def commands() -> list[Any]:
    pages = [(page.name, page.read_text("utf-8")) for page in (*PAGES, FOLDER / "README.md")]
    return [
        pytest.param(line, id=f"{name}: {line[:60]}")
        for name, text in pages
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]


@pytest.mark.parametrize("page", [FOLDER / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_line_says_how_it_is_known(page: Path) -> None:
    text = page.read_text("utf-8")
    marks = marked_lines(text)
    assert len(marks) >= 12
    named = set(_NAMED_SOURCES.findall(text))
    assert [(mark, fault) for mark in marks if (fault := fault_of(mark, named))] == []


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param("", id="none"),
        pytest.param("*seen*", id="seen, by nobody"),
        pytest.param("*seen* copy", id="a source that the page does not name"),
        pytest.param("*seen here* `tests/test_nothing.py`", id="a test that is not there"),
        pytest.param("*seen here* on a good day", id="no test"),
        pytest.param("everybody knows", id="another word"),
    ],
)
def test_a_line_without_its_source_is_noticed(mark: str) -> None:
    assert fault_of(mark, {"page"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_answers_the_same_questions_in_the_same_order(page: Path) -> None:
    text = page.read_text("utf-8")
    asked = [cells[0] for cells in rows(text)]
    assert list(dict.fromkeys(asked)) == TOPICS
    assert "## Go-live checklist\n" in text
    assert f"]({page.name})" in COMMON


@pytest.mark.parametrize(("page", "toml"), entries())
def test_the_entry_of_a_page_loads(page: str, toml: str, tmp_path: Path) -> None:
    """In production, unless it says that it is for development."""
    (tmp_path / "sandbox-jwks.json").write_bytes(SANDBOX_FILE.with_name("sandbox-jwks.json").read_bytes())
    (tmp_path / "clients.toml").write_text(toml, "utf-8")
    production = "development only" not in toml
    registry = load_registry(tmp_path / "clients.toml", production=production, fetch=lambda url: b"")
    assert registry.clients


@pytest.mark.parametrize("line", commands())
def test_a_command_has_the_options_that_it_is_given(line: str) -> None:
    words = [word for word in shlex.split(line) if not re.fullmatch(r"CDS_\w+=\S*", word)]
    settings = dict(word.split("=", 1) for word in shlex.split(line) if re.fullmatch(r"CDS_\w+=\S*", word))
    assert words.pop(0) == "cds-service"
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options
    assert read_settings({name: value for name, value in settings.items() if name != "CDS_VALUE_SETS_DIR"})


def test_the_templates_are_those_of_discovery(client: FlaskClient) -> None:
    (block,) = re.findall(r"## The prefetch templates.*?```json\n(.*?)```", COMMON, re.DOTALL)
    services = client.get("/cds-services").get_json()["services"]
    assert [service["prefetch"] for service in services] == [json.loads(block)] * 2


def test_the_value_set_worked_through_passes_the_check_and_makes_the_order_ours(
    tmp_path: Path, client: FlaskClient, make_app: Any
) -> None:
    worked = COMMON.partition("## Your order codes, worked through")[2]
    order, value_set = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", worked, re.DOTALL)[:2])
    folder = tmp_path / "value-sets"
    folder.mkdir()
    (folder / "lumbar-puncture.json").write_text(json.dumps(value_set), "utf-8")
    call = hook_call(order | {"subject": {"reference": "Patient/pat-1"}})
    variables = {"CDS_VALUE_SETS_DIR": str(folder)}

    result = CliRunner().invoke(main, ["check"], env=variables)
    assert (result.exit_code, result.stdout) == (0, "content: no faults\n"), result.stderr
    assert cards_of(client, call) == {}
    app: Flask = make_app(value_sets_dir=folder)
    assert "what-to-expect" in cards_of(app.test_client(), call)
    (tmp_path / "call.json").write_text(json.dumps(call), "utf-8")
    explained = CliRunner().invoke(main, ["explain", str(tmp_path / "call.json")], env=variables)
    assert explained.exit_code == 0, explained.stderr
    assert "what-to-expect" in explained.stdout
    assert SERVICE.rpartition("/")[2] in COMMON
