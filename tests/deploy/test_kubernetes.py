"""deploy/kubernetes: valid for Kubernetes, and consistent with this service."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from flask import Flask

from cds_service.errors import NotReady
from cds_service.server import server
from cds_service.settings.settings import read_settings
from deploy.layout import read_image
from tests.deploy.manifests import FOLDERS, OLDEST, ROOT, Json, find_faults, pods, render, settings, the
from tests.deploy.manifests import values_named as named
from tests.registered_service import PUBLIC_URL

PROXIES_FORGET_S = 10  # how long proxies may take to hear that a pod is going
CANARY = "canary-of-32-characters-or-more-0123456789"
IMAGE = read_image((ROOT / "Dockerfile").read_text("utf-8"))


@pytest.fixture(params=FOLDERS)
def resources(request: pytest.FixtureRequest) -> list[Json]:
    return copy.deepcopy(render(request.param))


@pytest.fixture
def example() -> list[Json]:
    return copy.deepcopy(render("overlays/example"))


@pytest.mark.parametrize("version", [OLDEST, None], ids=["oldest", "newest"])
def test_kubernetes_takes_every_manifest(resources: list[Json], version: str | None) -> None:
    assert len(resources) >= 7
    assert find_faults(resources, version) == []


def _misspell(resources: list[Json]) -> None:
    spec = the("Deployment", resources)["spec"]["template"]["spec"]
    spec["enableServiceLink"] = spec.pop("enableServiceLinks")


def _misspell_deeply(resources: list[Json]) -> None:
    (container,) = pods(resources)["Job"]["spec"]["containers"]
    container["securityContext"]["readOnlyRootFileSystem"] = True


def _say_in_words(resources: list[Json]) -> None:
    the("HorizontalPodAutoscaler", resources)["spec"]["maxReplicas"] = "eight"


def _leave_out(resources: list[Json]) -> None:
    del the("Deployment", resources)["spec"]["selector"]


@pytest.mark.parametrize(
    ("breakage", "says"),
    [
        pytest.param(_misspell, "enableServiceLink'", id="a misspelled field of a pod"),
        pytest.param(_misspell_deeply, "readOnlyRootFileSystem", id="a misspelled field of a container"),
        pytest.param(_say_in_words, "not of type 'integer'", id="a number in words"),
        pytest.param(_leave_out, "'selector' is a required property", id="a field that must be there"),
    ],
)
def test_a_broken_manifest_is_refused(example: list[Json], breakage: Callable[[list[Json]], None], says: str) -> None:
    breakage(example)
    (fault,) = find_faults(example)
    assert says in fault


def test_every_selector_finds_its_pods(resources: list[Json]) -> None:
    """And the Service does not send calls to the pod that upgrades the database."""
    server_labels = pods(resources)["Deployment"]["metadata"]["labels"]
    job_labels = pods(resources)["Job"]["metadata"]["labels"]
    spread = pods(resources)["Deployment"]["spec"]["topologySpreadConstraints"]
    selectors = [the(kind, resources)["spec"]["selector"] for kind in ("Deployment", "PodDisruptionBudget")]
    selectors += [one["labelSelector"] for one in spread]
    for wanted in [*(one["matchLabels"] for one in selectors), the("Service", resources)["spec"]["selector"]]:
        assert wanted.items() <= server_labels.items()
        assert not wanted.items() <= job_labels.items()
    for labels in (server_labels, job_labels):
        assert the("NetworkPolicy", resources)["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_every_reference_leads_to_something(example: list[Json]) -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in example}
    for pod in pods(example).values():
        spec = pod["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        for volume in spec["volumes"]:
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in names
    target = the("HorizontalPodAutoscaler", example)["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in names
    services = {one["name"] for one in named(the("Ingress", example), "service")}
    assert {("Service", one) for one in services} <= names
    assert {one["metadata"].get("namespace") for one in example if one["kind"] != "Namespace"} == {
        the("Namespace", example)["metadata"]["name"]
    }


def test_ports_agree_from_the_image_to_the_ingress(example: list[Json]) -> None:
    (container,) = pods(example)["Deployment"]["spec"]["containers"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) == IMAGE.environment["CDS_PORT"]
    (of_service,) = the("Service", example)["spec"]["ports"]
    assert of_service["targetPort"] == port["name"]
    assert {one["port"] for one in named(container, "httpGet")} == {port["name"]}
    ingress = the("NetworkPolicy", example)["spec"]["ingress"]
    assert [one["port"] for rule in ingress for one in rule["ports"]] == [port["name"]]
    assert {one["port"]["name"] for one in named(the("Ingress", example), "service")} == {of_service["name"]}
    assert {one["port"] for one in the("ServiceMonitor", example)["spec"]["endpoints"]} == {of_service["name"]}


def test_probes_and_scrapes_ask_what_the_service_answers(make_app: Callable[..., Flask], example: list[Json]) -> None:
    rules = {rule.rule for rule in make_app(metrics_token=CANARY).url_map.iter_rules()}
    (container,) = pods(example)["Deployment"]["spec"]["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    scraped = {one["path"] for one in the("ServiceMonitor", example)["spec"]["endpoints"]}
    assert {*paths.values(), *scraped} <= rules


def test_the_ingress_shows_what_is_public_and_nothing_else(make_app: Callable[..., Flask], example: list[Json]) -> None:
    """Not how the service fares: that is for the operator."""
    rules = {rule.rule for rule in make_app(metrics_token=CANARY).url_map.iter_rules()}
    hidden = {"/metrics", "/health/live", "/health/ready"}
    development = {rule for rule in rules if rule.startswith("/sandbox") or rule == "/"}
    (ingress,) = the("Ingress", example)["spec"]["rules"]
    paths = [one["path"] for one in ingress["http"]["paths"]]
    shown = {rule for rule in rules if any(rule == path or rule.startswith(path + "/") for path in paths)}
    assert shown == rules - hidden - development


def test_a_pod_goes_after_its_calls_have_gone(resources: list[Json]) -> None:
    """Killed only when proxies had time to forget it, and the server had all the time it takes to stop."""
    spec = pods(resources)["Deployment"]["spec"]
    sleep, seconds = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert (sleep, int(seconds)) == ("sleep", PROXIES_FORGET_S)
    assert spec["terminationGracePeriodSeconds"] >= PROXIES_FORGET_S + 2 * server._STOP_SECONDS


def test_a_roll_and_a_drain_leave_a_pod_to_answer(resources: list[Json]) -> None:
    deployment = the("Deployment", resources)["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in deployment  # the autoscaler's, from the first minute
    assert the("HorizontalPodAutoscaler", resources)["spec"]["minReplicas"] >= 2
    assert the("PodDisruptionBudget", resources)["spec"]["maxUnavailable"] == 1


def test_pods_are_as_the_restricted_standard_wants_them(resources: list[Json]) -> None:
    """Pod Security Standards, "restricted"; and beyond it a root that cannot be written and no token of the cluster."""
    for pod in pods(resources).values():
        spec: Json = pod["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
        assert user == IMAGE.user
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert {kind for one in spec["volumes"] for kind in one if kind != "name"} <= {
            "configMap",
            "secret",
            "emptyDir",
        }
        assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys() == set()
        assert spec["automountServiceAccountToken"] is False
        assert {"requests", "limits"} <= container["resources"].keys()
        assert "memory" in container["resources"]["limits"]
        writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
        assert writable == ["/tmp"]  # noqa: S108


def test_services_of_the_namespace_set_no_variables() -> None:
    """Kubernetes tells pods of a Service cds-service by CDS_SERVICE_SERVICE_HOST: a name that refuses our start."""
    with pytest.raises(NotReady, match="CDS_SERVICE_SERVICE_HOST is not a setting"):
        read_settings({"CDS_SERVICE_SERVICE_HOST": "10.0.0.1"})
    for folder in FOLDERS:
        assert [pod["spec"]["enableServiceLinks"] for pod in pods(render(folder)).values()] == [False, False]


def _mounted(pod: Json, path: str) -> Any:
    """The volume and the key in it that a container finds at a path."""
    (container,) = pod["spec"]["containers"]
    file = PurePosixPath(path)
    (name,) = [one["name"] for one in container["volumeMounts"] if one["mountPath"] == str(file.parent)]
    (volume,) = [one for one in pod["spec"]["volumes"] if one["name"] == name]
    return volume, file.name


def test_the_settings_of_the_example_start_production(example: list[Json], tmp_path: Any) -> None:
    """With the files that it mounts; secrets come from a Secret, and stand in no manifest."""
    maps = {one["metadata"]["name"]: one["data"] for one in example if one["kind"] == "ConfigMap"}
    secrets = {"database-url": "postgresql://cds@db.example.org/cds\n", "metrics-token": CANARY}
    for pod in pods(example).values():
        given = IMAGE.environment | settings(example, pod)
        for name, path in [(name, path) for name, path in given.items() if name.startswith("CDS_") and "_FILE" in name]:
            volume, key = _mounted(pod, path)
            text = secrets[key] if "secret" in volume else maps[volume["configMap"]["name"]][key]
            assert ("secret" in volume) == (name != "CDS_CLIENTS_FILE")
            (tmp_path / key).write_text(text, "utf-8")
            given[name] = str(tmp_path / key)
        read = read_settings(given)
        assert (read.is_production, read.base_url, read.metrics_token) == (True, PUBLIC_URL, CANARY)
        assert not any("secret" in name.lower() for name in maps)
    assert [one for one in example if one["kind"] == "Secret"] == []


def test_pods_run_one_image_at_one_version(resources: list[Json]) -> None:
    """The upgrade belongs to the version that is rolled out; `latest` is none."""
    images = {one for pod in pods(resources).values() for one in named(pod, "image")}
    (image,) = images
    assert re.fullmatch(r"(registry\.example\.org/)?cds-service:\d+\.\d+\.\d+", image)


def test_pods_start_the_verbs_of_the_command(resources: list[Json]) -> None:
    arguments = {kind: pod["spec"]["containers"][0]["args"] for kind, pod in pods(resources).items()}
    assert arguments == {"Deployment": IMAGE.command, "Job": ["db", "upgrade"]}
