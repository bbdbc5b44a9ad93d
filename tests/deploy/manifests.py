"""What kustomize renders from a folder below deploy/kubernetes, and whether it fits the schemas of Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.places import ROOT

FOLDERS = ("base", "overlays/example")
OLDEST = "1.27"
_FROM_ELSEWHERE = {"ServiceMonitor"}  # of the Prometheus operator: Kubernetes knows no schema for it

Json = dict[str, Any]


@cache
def render(folder: str) -> list[Json]:
    """Every resource of a folder, as `kubectl apply -k` sends them."""
    ours = Path(sys.executable).with_name("kubectl")
    kubectl = ours if ours.exists() else shutil.which("kubectl")  # the package has none for macOS
    assert kubectl, "kubectl is not installed: `make setup` brings it on Linux; elsewhere install it"
    words = [str(kubectl), "kustomize", str(ROOT / "deploy/kubernetes" / folder)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return list(yaml.safe_load_all(run.stdout))


def find_faults(resources: list[Json], version: str | None = None) -> list[str]:
    """What a version of Kubernetes would refuse, fields that it does not know included; None: the newest version."""
    import kubernetes_validate  # takes a second or more

    faults = []
    version = version or kubernetes_validate.latest_version()
    for one in resources:
        if one["kind"] in _FROM_ELSEWHERE:
            continue
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as fault:
            faults.append(f"{one['kind']} {one['metadata']['name']}: {fault.message}")
    return faults


def the(kind: str, resources: list[Json]) -> Json:
    """The only resource of a kind."""
    (found,) = [one for one in resources if one["kind"] == kind]
    return found


def pods(resources: list[Json]) -> dict[str, Json]:
    """The pod templates, by what makes pods of them."""
    return {one["kind"]: one["spec"]["template"] for one in resources if one["kind"] in ("Deployment", "Job")}


def settings(resources: list[Json], pod: Json) -> dict[str, str]:
    """The environment that the manifests give the container of a pod."""
    (container,) = pod["spec"]["containers"]
    given: dict[str, str] = {one["name"]: one["value"] for one in container.get("env", ())}
    maps = {one["metadata"]["name"]: one["data"] for one in resources if one["kind"] == "ConfigMap"}
    for source in container["envFrom"]:
        given |= maps[source["configMapRef"]["name"]]
    return given


def values_named(value: Any, name: str) -> Iterator[Any]:
    """Every value of a member of this name, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name:
                yield inner
            yield from values_named(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from values_named(inner, name)
