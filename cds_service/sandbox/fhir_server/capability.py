"""What the embedded FHIR server says of itself at /metadata."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from cds_service.sandbox.fhir_server.search import search_parameters

_FHIR_VERSIONS = {"R4": "4.0.1", "STU3": "3.0.2"}
_PARAMETER_TYPES = {"_id": "token", "name": "string"}  # the others are references


def capability_statement(
    base: str, fhir_version: str, types: Iterable[str], day: date, *, token_demanded: bool
) -> dict[str, Any]:
    """A CapabilityStatement in the shape of its FHIR version, for these resource types."""
    rest: dict[str, Any] = {
        "mode": "server",
        "documentation": "Fictional patients, read-only, to try a CDS Hooks service. Their dates follow today.",
        "resource": [_resource(name) for name in types],
    }
    if token_demanded:
        rest["security"] = {"description": "Every read wants Authorization: Bearer with the token of docs/sandbox.md."}
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "url": f"{base}/metadata",
        "name": "SandboxFhirServer",
        "title": "FHIR server of the sandbox",
        "status": "active",
        "experimental": True,
        "date": day.isoformat(),
        "kind": "instance",
        "software": {"name": "cds-service, sandbox"},
        "implementation": {"description": "FHIR server of the sandbox", "url": base},
        "fhirVersion": _FHIR_VERSIONS[fhir_version],
        "format": ["application/fhir+json"],
        "rest": [rest],
    }
    if fhir_version == "STU3":
        statement["acceptUnknown"] = "both"
    return statement


def _resource(name: str) -> dict[str, Any]:
    return {
        "type": name,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": parameter, "type": _PARAMETER_TYPES.get(parameter, "reference")}
            for parameter in search_parameters(name)
        ],
    }
