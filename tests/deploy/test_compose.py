"""compose.yaml: valid by the specification, as closed as possible, and consistent with this service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from cds_service.settings.settings import read_settings
from deploy import trial
from deploy.layout import read_image
from tests.places import ROOT

TEXT = (ROOT / "compose.yaml").read_text("utf-8")
IMAGE = read_image((ROOT / "Dockerfile").read_text("utf-8"))
OURS = ("cds-service", "upgrade")
NOT_READ_ONLY = {"fhir"}  # writes beside its program


def parse(text: str) -> dict[str, Any]:
    """The file with its anchors resolved. Raises ValueError for what the Compose Specification does not know."""
    document = {name: value for name, value in yaml.safe_load(text).items() if not name.startswith("x-")}
    parsed = PyCompose.from_json(json.dumps(document))
    parsed.validate()
    return document


SERVICES: dict[str, dict[str, Any]] = parse(TEXT)["services"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("read_only: true", "readonly: true", "readonly", id="a misspelled key"),
        pytest.param("interval: 5s", "intervall: 5s", "intervall", id="a misspelled key further down"),
        pytest.param("service_healthy", "service_well", "service_well", id="a condition that there is not"),
        pytest.param("stop_grace_period: 15s", "stop_grace_period: soon", "soon", id="a time in words"),
        pytest.param("127.0.0.1:8443:443", "127.0.0.1:99999:443", "99999", id="a port beyond all ports"),
        pytest.param("networks: [front, back]", "networks: [front, rear]", "rear", id="a network from nowhere"),
        pytest.param("secrets: [postgres_password]", "secrets: [word]", "word", id="a secret from nowhere"),
    ],
)
def test_a_file_with_a_fault_is_refused(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=says):
        parse(TEXT.replace(old, new))


def test_what_waits_waits_for_a_service_that_is_there() -> None:
    waits = {name: one.get("depends_on", {}) for name, one in SERVICES.items()}
    assert {other for one in waits.values() for other in one} <= SERVICES.keys()
    assert waits["cds-service"] == {"upgrade": {"condition": "service_completed_successfully"}}
    assert waits["upgrade"] == {"database": {"condition": "service_healthy"}}
    assert "healthcheck" in SERVICES["database"]
    assert IMAGE.health_check  # what the proxy waits for is in the image


def test_every_service_is_closed_as_far_as_it_can_be() -> None:
    for name, one in SERVICES.items():
        assert (one["cap_drop"], one["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name
        assert one.get("read_only", False) == (name not in NOT_READ_ONLY), name
        assert {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & one.keys() == set(), name


def test_nothing_listens_beyond_this_machine_and_the_database_not_at_all() -> None:
    ports = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert SERVICES["database"]["networks"] == ["back"]
    assert parse(TEXT)["networks"]["back"]["internal"] is True


def test_every_image_is_one_version() -> None:
    for name, one in SERVICES.items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+[\w.-]*", one["image"]), name
    assert len({SERVICES[name]["image"] for name in (*OURS, "ehr")}) == 1


def test_no_secret_stands_in_the_file() -> None:
    """They are files, and what reads one reads it from a file."""
    for name, one in parse(TEXT)["secrets"].items():
        assert list(one) == ["file"], name
    for name, one in SERVICES.items():
        for variable, value in one.get("environment", {}).items():
            named = variable.removesuffix("_FILE")
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL", named):
                assert variable != named, name
                assert value.removeprefix("/run/secrets/") in one["secrets"], name


def test_what_is_mounted_is_there_or_is_what_the_trial_writes(tmp_path: Path) -> None:
    trial.write(tmp_path / "trial")
    sources = [one.partition(":")[0] for service in SERVICES.values() for one in service.get("volumes", ())]
    sources += [one["file"] for one in parse(TEXT)["secrets"].values()]
    named = [one for one in sources if not one.startswith(".")]
    assert set(named) <= parse(TEXT)["volumes"].keys()
    for source in set(sources) - set(named):
        written = source.removeprefix("./deploy/trial/")
        assert ((tmp_path / "trial" / written) if written != source else (ROOT / source)).exists(), source


def test_its_settings_start_production(tmp_path: Path) -> None:
    """With the files of the trial where the containers have them."""
    trial.write(tmp_path / "trial")
    files = {f"/run/secrets/{name}": one["file"] for name, one in parse(TEXT)["secrets"].items()}
    files["/etc/cds-service/clients.toml"] = "./deploy/trial/clients/clients.toml"
    for name in OURS:
        given = IMAGE.environment | SERVICES[name]["environment"]
        for variable, value in given.items():
            if value in files:
                given[variable] = str(tmp_path / "trial" / files[value].removeprefix("./deploy/trial/"))
        given["CDS_PUBLIC_URL"] = re.sub(r"\$\{CDS_PUBLIC_URL:-(.+)\}", r"\1", given["CDS_PUBLIC_URL"])
        settings = read_settings(given)
        assert settings.is_production
        assert settings.database.host in SERVICES
        assert settings.database.username == SERVICES["database"]["environment"]["POSTGRES_USER"]
        assert settings.database.password == (tmp_path / "trial/secrets/postgres_password").read_text("utf-8").strip()


def test_the_proxy_is_known_by_the_names_that_its_certificate_has() -> None:
    assert SERVICES["proxy"]["networks"]["front"]["aliases"] == list(trial.NAMES)
    upstreams = (ROOT / "deploy/compose/nodes.conf").read_text("utf-8") + (
        ROOT / "deploy/compose/fhir.conf"
    ).read_text()
    assert f"server cds-service:{IMAGE.environment['CDS_PORT']};" in upstreams
    assert {"cds-service", "fhir"} <= SERVICES.keys()
    assert "http://fhir:8080" in upstreams
