"""A release has one version everywhere, an SBOM of the locked packages, and upgrade notes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from cds_service.cli.main import main
from cds_service.served_content import whole_topics
from tests.places import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")


def locked() -> dict[tuple[str, str], set[str]]:
    """The hashes of each locked package, by its name and version."""
    packages: dict[tuple[str, str], set[str]] = {}
    for line in (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ").splitlines():
        requirement, *hashes = line.split(" --hash=sha256:")
        (pin,) = Requirement(requirement).specifier
        packages.setdefault((Requirement(requirement).name, pin.version), set()).update(map(str.strip, hashes))
    return packages


def test_every_place_that_names_the_version_names_this_one() -> None:
    places = {
        "Dockerfile": r'image\.version="(.*?)"',
        "compose.yaml": r"image: cds-service:(\S+)",
        "deploy/kubernetes/base/kustomization.yaml": r"newTag: (\S+)",
        "deploy/kubernetes/overlays/example/kustomization.yaml": r"newTag: (\S+)",
        "docs/deployment.md": r"cds-service:(\d\S*)",
        "docs/release.md": r"git tag --sign v([\d.]+\d)",
    }
    for file, pattern in places.items():
        assert set(re.findall(pattern, (ROOT / file).read_text("utf-8"))) == {VERSION}, file


def test_the_changelog_says_what_an_upgrade_takes() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    for section in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        assert "\n### Upgrading\n" in section, section.splitlines()[0]


def test_the_command_tells_the_version_of_the_program_and_of_the_content() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stderr) == (0, "")
    first, *contents = result.stdout.splitlines()
    assert first == f"cds-service {VERSION}"
    assert contents == [f"content of {name}: {topic.version}" for name, topic in whole_topics(None, None).items()]
    assert contents


@pytest.mark.slow
def test_the_sbom_is_valid_and_holds_what_is_locked(tmp_path: Path) -> None:
    """Written as `make sbom` does, with every proxy set to a port that nobody serves."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator  # takes a second or more

    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    recipe = re.search(r"^\t(\$\(BIN\)/python .*cyclonedx_py .*)$", makefile, re.MULTILINE)
    assert recipe
    command = recipe[1].replace("$(BIN)", ".venv/bin").replace("dist/", f"{tmp_path}/").split()
    subprocess.run(command, cwd=ROOT, env=os.environ | NO_NETWORK, check=True, timeout=120)  # noqa: S603
    text = (tmp_path / "sbom.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    sbom = json.loads(text)
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    listed = {
        (component["name"], component["version"]): {
            one["content"] for reference in component["externalReferences"] for one in reference["hashes"]
        }
        for component in sbom["components"]
    }
    assert listed == locked()
    assert {component["purl"].partition("@")[0].rpartition("/")[2] for component in sbom["components"]} == {
        name for name, _ in locked()
    }
