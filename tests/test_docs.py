"""The documents are right: the README's card, the commands, the files that SECURITY.md names."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.cli.main import main
from cds_service.settings.settings import Settings
from tests.charts import SERVICE
from tests.places import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for path in ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def test_the_call_in_the_readme_gives_the_card_in_the_readme(client: FlaskClient) -> None:
    fixture = re.search(r"--data @(\S+)", README)
    shown = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert fixture
    assert shown
    call = json.loads((ROOT / fixture[1]).read_text(encoding="utf-8"))
    card = client.post(SERVICE, json=call).get_json()["cards"][1]
    readme_card = json.loads(shown[1])
    for name in ("uuid", "summary", "indicator"):
        assert readme_card[name] == card[name]
    for line in readme_card["detail"].rstrip("…").split("\n"):
        assert line.rstrip() in card["detail"]
    assert readme_card["links"][0] in card["links"]


def test_the_landing_page_shows_a_call_that_works(client: FlaskClient) -> None:
    fixture = re.search(r"--data @(\S+?)<", client.get("/").get_data(as_text=True))
    assert fixture
    assert (ROOT / fixture[1]).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/clinical-safety.md"])
def test_modules_and_tests_that_a_document_names_exist(document: str) -> None:
    """A property or a control whose guard is gone is a claim."""
    names = re.findall(r"`([\w/]+\.py)`", (ROOT / document).read_text(encoding="utf-8"))
    files = [path.as_posix() for path in ROOT.glob("c*/**/*.py")] + [
        path.as_posix() for path in ROOT.glob("tests/**/*.py")
    ]
    assert names
    assert [name for name in names if not any(file.endswith("/" + name) for file in files)] == []


def test_every_security_property_names_modules_and_tests_that_exist() -> None:
    """By paths below cds_service/ and tests/cds_service/, or from the root."""
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("\n## The six risks")[0]
    rows = re.findall(r"^\| (.+) \| (`.+`) \| (`.+`) \|$", security, re.MULTILINE)
    assert len(rows) == security.count("\n| ") - 2 * security.count("\n| property |")
    for claim, modules, tests in rows:
        for path in re.findall(r"`(.+?)`", modules):
            assert (ROOT / path).exists() or (ROOT / "cds_service" / path).exists(), f"{claim}: {path}"
        for path in re.findall(r"`(.+?)`", tests):
            below = ROOT if path.startswith("tests/") else ROOT / "tests" / "cds_service"
            assert (below / path).exists(), f"{claim}: {path}"


def test_every_hazard_names_a_control_and_a_test() -> None:
    safety = (ROOT / "docs" / "clinical-safety.md").read_text(encoding="utf-8")
    rows = [row.split(" | ") for row in re.findall(r"^\| (H\d+ \|.*) \|$", safety, re.MULTILINE)]
    assert [row[0] for row in rows] == [f"H{number}" for number in range(1, len(rows) + 1)]
    assert len(rows) >= 12
    for hazard, _, _, _, control, tests, initial, residual in rows:
        assert re.search(r"`c\w+/[\w/]+\.py`", control), hazard
        assert re.search(r"`tests/[\w/]+\.py`", tests), hazard
        assert 1 <= int(residual) <= int(initial) <= 5, hazard


def test_every_verb_teaches_what_it_does() -> None:
    for name, command in main.commands.items():
        assert command.help, name


def test_every_setting_says_what_it_is() -> None:
    for setting in fields(Settings):
        assert len(setting.metadata["about"]) > 10, setting.name


def test_every_make_target_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        named = re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= targets, document.name
