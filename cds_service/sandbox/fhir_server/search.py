"""Reading and searching the embedded charts as a FHIR server does, without HTTP: as much as these charts need.

Search by `_id`, `patient`, `subject`, and `name` of a Patient; pages by `_count` and `_offset`. What is not known is
passed over, as https://hl7.org/fhir/R4/search.html#errors allows, and the `self` link names the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

_PARAMETERS = {"Patient": ("_id", "name"), "Practitioner": ("_id",)}
_OF_A_PATIENT = ("_id", "patient", "subject")  # of every other resource type
MOST_OF_A_PAGE = 500
_PAGE = 50  # entries, unless _count says otherwise
_CONTROLS = ("_count", "_offset")
_PASSED_OVER = ("_format", "_pretty", "_total", "_sort", "_summary", "_elements")

Json = dict[str, Any]
Parameters = Sequence[tuple[str, str]]


class SearchRefused(Exception):
    """A search that cannot be answered; the message says what to send, and repeats nothing."""


def search_parameters(resource_type: str) -> tuple[str, ...]:
    """What resources of a type can be searched by."""
    return _PARAMETERS.get(resource_type, _OF_A_PATIENT)


def find_resource(resources: Iterable[Json], resource_type: str, resource_id: str) -> Json | None:
    """One resource by type and id."""
    of_type = (resource for resource in resources if resource["resourceType"] == resource_type)
    return next((resource for resource in of_type if resource.get("id") == resource_id), None)


def search(resources: Iterable[Json], resource_type: str, parameters: Parameters, base: str, *, strict: bool) -> Json:
    """The page of a search as a searchset Bundle whose links begin with `base`. Raises SearchRefused.

    `strict`: unknown parameters are refused (`Prefer: handling=strict`).
    """
    known = search_parameters(resource_type)
    used = [(name, text) for name, text in parameters if name in known]
    unknown = [name for name, _ in parameters if name not in (*known, *_CONTROLS, *_PASSED_OVER)]
    if strict and unknown:
        raise SearchRefused(f"{resource_type} can be searched by {', '.join(known)}: leave the others out")
    count, offset = _whole_number(parameters, "_count", _PAGE), _whole_number(parameters, "_offset", 0)
    count = min(count, MOST_OF_A_PAGE)
    of_type = (resource for resource in resources if resource["resourceType"] == resource_type)
    matches = [resource for resource in of_type if all(_matches(resource, *pair) for pair in used)]
    page = matches[offset : offset + count]

    def link(relation: str, start: int) -> Json:
        query = urlencode([*used, ("_count", count), ("_offset", start)], quote_via=quote)
        return {"relation": relation, "url": f"{base}/{resource_type}?{query}"}

    links = [link("self", offset)]
    if count and offset + count < len(matches):
        links.append(link("next", offset + count))
    if count and offset:
        links.append(link("previous", max(offset - count, 0)))
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(matches), "link": links}
    if page:
        bundle["entry"] = [_entry(resource, base) for resource in page]
    return bundle


def _entry(resource: Json, base: str) -> Json:
    """An entry of a page; without fullUrl where the resource, as some in real charts, has no id."""
    entry: Json = {"resource": resource, "search": {"mode": "match"}}
    if "id" in resource:
        entry = {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", **entry}
    return entry


def _matches(resource: Json, name: str, text: str) -> bool:
    """Whether a resource has one of the comma-separated values."""
    wanted = [value.strip() for value in text.split(",")]
    if name == "_id":
        return resource.get("id") in wanted
    if name == "name":
        names = " ".join(_words(resource.get("name", []))).lower().split()
        return any(word.startswith(prefix.lower()) for prefix in wanted for word in names)
    subject = (resource.get("subject") or resource.get("patient") or {}).get("reference", "")
    return any(subject == f"Patient/{reference.rpartition('/')[2]}" for reference in wanted if _is_patient(reference))


def _is_patient(reference: str) -> bool:
    """Whether a value of `patient` is a bare id, "Patient/<id>", or an address that ends so."""
    steps = reference.split("/")
    return bool(steps[-1]) and (len(steps) == 1 or steps[-2] == "Patient")


def _words(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _words(part)
    elif isinstance(value, dict):
        for key in ("family", "given"):
            yield from _words(value.get(key, []))


def _whole_number(parameters: Parameters, name: str, default: int) -> int:
    value = next((text for parameter, text in reversed(parameters) if parameter == name), None)
    if value is None:
        return default
    if not value.isascii() or not value.isdecimal() or len(value) > 6:
        raise SearchRefused(f"{name} must be a whole number from 0 to 999999")
    return int(value)
