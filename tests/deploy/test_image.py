"""The Dockerfile: what a linter finds, what it copies, and that it fits this service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from packaging.specifiers import SpecifierSet

from cds_service.errors import NotReady
from cds_service.settings.settings import read_settings
from deploy.layout import HOME_OF_SERVICE, read_image
from tests.places import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
IMAGE = read_image(DOCKERFILE)


def lint(dockerfile: str) -> list[str]:
    """The rules of hadolint that a Dockerfile breaks, those of shellcheck for its commands included."""
    hadolint = Path(sys.executable).with_name("hadolint")
    words = [str(hadolint), "--format", "json", "--no-fail", "-"]
    run = subprocess.run(words, input=dockerfile, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return [one["code"] for one in json.loads(run.stdout)]


def test_hadolint_finds_nothing() -> None:
    assert lint(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        pytest.param("USER 10001:10001", "USER root", "DL3002", id="a service that runs as root"),
        pytest.param('CMD ["serve"]', "CMD serve", "DL3025", id="a shell between the signal and the service"),
        pytest.param("FROM ${PYTHON}\n", "FROM python\n", "DL3006", id="a base of any version"),
        pytest.param("FROM ${PYTHON}\n", "FROM python:latest\n", "DL3007", id="a base of the latest version"),
        pytest.param("WORKDIR /source", "WORKDIR source", "DL3000", id="a folder from nowhere"),
        pytest.param('"${EXTRAS}"\n', "$(ls)\n", "SC2046", id="an argument that the shell takes apart"),
        pytest.param("EXPOSE 8080", "EXPOSE 80800", "DL3011", id="a port beyond all ports"),
        pytest.param("--from=build", "--from=builder", "DL3022", id="a stage that is not there"),
    ],
)
def test_hadolint_finds_what_is_wrong(old: str, new: str, code: str) -> None:
    assert DOCKERFILE.count(old) == 1
    assert code in lint(DOCKERFILE.replace(old, new))


def test_what_is_copied_is_there_and_nothing_else_is_let_in() -> None:
    """A secret or a database in the working directory does not reach the builder."""
    copied = {source for *sources, _ in IMAGE.copied for source in sources}
    assert [one for one in copied if not (ROOT / one).exists()] == []
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


def test_what_the_wheel_holds_is_copied() -> None:
    """Else the image is built without it, or not at all."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*build["packages"], *build["force-include"], PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= {source for *sources, _ in IMAGE.copied for source in sources}


def test_the_base_is_one_version_of_a_python_that_the_project_takes() -> None:
    (base,) = re.findall(r"^ARG PYTHON=python:([\d.]+)-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert len(base.split(".")) == 3
    assert base in SpecifierSet(PROJECT["requires-python"])
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}"] * 2


def test_its_environment_asks_for_what_it_must_be_given() -> None:
    """Production on every interface, and no start until an operator has said the rest."""
    with pytest.raises(NotReady) as refusal:
        read_settings(IMAGE.environment)
    assert [one.partition(" ")[0] for one in refusal.value.reasons] == [
        "CDS_CLIENTS_FILE",
        "CDS_DATABASE_URL",
        "CDS_PUBLIC_URL",
    ]
    assert re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE) == [IMAGE.environment["CDS_PORT"]]


def test_it_runs_as_a_user_whom_a_cluster_can_tell_from_root() -> None:
    """By number: a name could be anybody, and `runAsNonRoot` refuses it."""
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", IMAGE.user)


def test_the_health_check_asks_what_the_service_answers(make_app: Callable[..., Flask]) -> None:
    """Whether it lives, not whether it is ready: engines restart what is not healthy."""
    (path,) = re.findall(r"'GET', '([^']+)'", IMAGE.health_check[-1])
    assert path == "/health/live"
    assert make_app().test_client().get(path).status_code == 200


def test_it_starts_the_command_that_the_project_installs() -> None:
    assert Path(IMAGE.entrypoint[0]).name in PROJECT["scripts"]
    assert Path(IMAGE.entrypoint[0]).parent.parent == Path(HOME_OF_SERVICE)
    assert IMAGE.build.split()[1] == HOME_OF_SERVICE
    assert f'image.version="{PROJECT["version"]}"' in DOCKERFILE
    assert f'image.licenses="{PROJECT["license"]}"' in DOCKERFILE


def test_the_extras_that_it_speaks_of_are_there() -> None:
    (extras,) = re.findall(r"^((?:# .*\n)+)ARG EXTRAS", DOCKERFILE, re.MULTILINE)
    named = re.findall(r"^# (\w+): ", extras, re.MULTILINE)
    assert set(named) == PROJECT["optional-dependencies"].keys()
