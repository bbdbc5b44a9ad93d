"""The second, strict reading: what a library that keeps to the letter of FHIR refuses, and where.

No card depends on it. It shows a developer why others would not have read what we read (docs/adr/0002).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fhir.resources
import fhir.resources.R4B
import fhir.resources.STU3
import msgspec
from pydantic import ValidationError

from cards.fhir.draft_orders import FhirVersion
from cards.fhir.tolerant_reading import JsonBytes

# R4B stands for R4, as it does in `FhirVersion`; there are no maintained models of DSTU2.
_MODELS: Mapping[FhirVersion, Callable[[str], Any]] = {
    FhirVersion.R5: fhir.resources.get_fhir_model_class,
    FhirVersion.R4: fhir.resources.R4B.get_fhir_model_class,
    FhirVersion.STU3: fhir.resources.STU3.get_fhir_model_class,
}


@dataclass(frozen=True)
class Objection:
    """Why a resource is not valid. `resource`: its name, or its place in the request; `path`: within the resource."""

    resource: str
    path: str
    message: str


@dataclass(frozen=True)
class StrictReading:
    """How many resources were read, how many of them are valid, and what is wrong with the others."""

    total: int
    valid: int
    objections: tuple[Objection, ...]


def has_models(version: FhirVersion) -> bool:
    """Whether resources of this version can be read strictly."""
    return version in _MODELS


def read_strictly(parts: Iterable[tuple[str, JsonBytes]], version: FhirVersion) -> StrictReading:
    """Validate every resource in these parts of a request, each named by its path ("prefetch.conditions")."""
    total, valid, objections = 0, 0, []
    for part, raw in parts:
        for place, resource in _resources(part, raw):
            here = sorted(set(_objections(place, resource, version)), key=_by_path)
            total += 1
            valid += not here
            objections += here
    return StrictReading(total, valid, tuple(objections))


def _by_path(objection: Objection) -> tuple[str, str]:
    return (objection.path, objection.message)


def _resources(part: str, raw: JsonBytes) -> Iterator[tuple[str, Any]]:
    """Every resource of a Bundle or a list, else the one resource there is; null is none."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield part, None
        return
    if isinstance(value, dict) and value.get("resourceType") is None and "resource" in value:
        value = value["resource"]
    entries = value if isinstance(value, list) else None
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        entries = value.get("entry") or []
    if not isinstance(entries, list):
        entries = None if entries is None else [entries]
    if entries is None:
        yield from () if value is None else ((part, value),)
        return
    for index, entry in enumerate(entries):
        wrapped = isinstance(entry, dict) and "resource" in entry
        yield f"{part}[{index}]", entry["resource"] if wrapped else entry


def _objections(place: str, resource: Any, version: FhirVersion) -> Iterator[Objection]:
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        yield Objection(place, "resourceType", "no FHIR resource")
        return
    kind, resource_id = resource["resourceType"], resource.get("id")
    name = f"{kind}/{resource_id}" if isinstance(resource_id, str) and resource_id else f"{kind} ({place})"
    try:
        model = _MODELS[version](kind)
        if not issubclass(model, _MODELS[version]("Resource")):
            raise ValueError
    except Exception:  # whatever a library raises for a name it does not know
        yield Objection(name, "resourceType", f"no resource type of {version}")
        return
    try:
        model.model_validate(resource)
    except ValidationError as cause:
        for error in cause.errors(include_url=False):
            yield Objection(name, _path(error["loc"]), _message(error))
    except Exception as fault:  # an unknown type among the contained resources is a KeyError
        yield Objection(name, "", f"the library itself fails ({type(fault).__name__})")


def _path(steps: tuple[int | str, ...]) -> str:
    """ "code.coding[1].code"; empty for the resource as a whole."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "root":
            path += f".{step}" if path else step
    return path


def _message(error: Mapping[str, Any]) -> str:
    """The library's own words, unless they repeat what stands in the chart."""
    message = " ".join(str(error["msg"]).removeprefix("Value error, ").split())
    value = str(error["input"])
    return str(error["type"]) if len(value) > 3 and value in message else message
