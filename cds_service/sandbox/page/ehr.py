"""What an EHR does before it fires a hook: list patients, and fill the prefetch templates of the discovery document.

From the embedded FHIR server in this process, without HTTP, so that a server of one thread never waits for itself; from
any other loopback server by reading it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard
from urllib.parse import parse_qsl, urlsplit

import msgspec

from cards.fhir.tolerant_reading import JsonBytes
from cds_service.fhir_client.base_url import FhirBase
from cds_service.fhir_client.prefetch import State, fill_template, sort_value
from cds_service.sandbox.fhir_server.endpoints import BASES
from cds_service.sandbox.fhir_server.patient_charts import PatientCharts
from cds_service.sandbox.fhir_server.search import find_resource, search
from cds_service.sandbox.page.loopback import LoopbackReader, NotReadable, loopback_base

_MOST_PATIENTS = 100
_MOST_PAGES = 20  # of one key, where prefetch is to be complete
_FAILED = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}'


def prefetch_modes(templates: Mapping[str, str]) -> dict[str, str]:
    """How the prefetch of a service can be filled, each with what the page says of it."""
    without = {f"no-{key}": f"partial: without {key}" for key, template in templates.items() if _is_search(template)}
    return {
        "complete": "complete",
        "first-page": "partial: first pages, next links",
        **without,
        "failed": "failed: errors instead of data",
        "none": "none",
    }


@dataclass(frozen=True)
class Ehr:
    """Reads for the page. `own_port`: where this process listens, to know its own FHIR server when it is entered."""

    charts: PatientCharts
    reader: LoopbackReader
    today: Callable[[], date]
    own_port: int

    def list_patients(self, base_text: str) -> dict[str, Any]:
        """The FHIR version of a server and its first patients. Raises NotReadable."""
        base = loopback_base(base_text)
        own = self.own_version(base)
        if own:
            version = own
            bundle = search(self.charts.resources(own, self.today()), "Patient", (), base.url, strict=False)
        else:
            statement = _decode(self.reader.read(base, "metadata"))
            version = "STU3" if str(statement.get("fhirVersion", "")).startswith(("3.", "1.8")) else "R4"
            bundle = _decode(self.reader.read(base, f"Patient?_count={_MOST_PATIENTS}"))
        entries = bundle.get("entry")
        entries = entries if isinstance(entries, list) else []
        resources = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
        patients = [describe(patient) for patient in resources if _is_patient(patient)]
        return {"fhirVersion": version, "patients": [patient for patient in patients if patient["id"]]}

    def fill_prefetch(
        self, base_text: str, patient_id: str, templates: Mapping[str, str], mode: str = "complete"
    ) -> dict[str, msgspec.Raw]:
        """The prefetch of a call, as one of `prefetch_modes` has it, by key; a key that cannot be read is left out.

        Raises NotReadable.
        """
        base = loopback_base(base_text)
        if mode == "none":
            return {}
        filled = {}
        for key, template in templates.items():
            if mode == f"no-{key}":
                continue
            fails = mode == "failed" and _is_search(template)
            value = _FAILED if fails else self._fill(base, template, patient_id, mode)
            if value is not None:
                filled[key] = msgspec.Raw(bytes(value))
        if not filled:
            raise NotReadable(f"the server gave none of {', '.join(templates)}")
        return filled

    def _fill(self, base: FhirBase, template: str, patient_id: str, mode: str) -> JsonBytes | None:
        url = fill_template(template, patient_id)
        if mode == "first-page" and "_count=" in url:
            return self._first_page(base, url)
        try:
            first = self._read(base, url)
            return first if mode == "first-page" else self._all_pages(base, first)
        except NotReadable:
            return None

    def _first_page(self, base: FhirBase, url: str) -> JsonBytes | None:
        """A third of what there is, with the link to the rest."""
        counted = url.rpartition("_count=")[0]
        try:
            total = _decode(self._read(base, f"{counted}_count=1")).get("total")
            count = total // 3 if isinstance(total, int) else 5
            return self._read(base, f"{counted}_count={max(count, 1)}")
        except NotReadable:
            return None

    def _all_pages(self, base: FhirBase, first: bytes) -> bytes:
        """The pages of a search in one Bundle, as an EHR that follows the links would send it."""
        value = sort_value(first)
        if value.state is not State.PARTIAL or not value.next_url:
            return first
        bundle = _decode(first)
        entries, pages = list(bundle.get("entry", [])), 1
        while value.next_url and pages < _MOST_PAGES:
            page = self._read(base, value.next_url)
            entries += _decode(page).get("entry", [])
            value, pages = sort_value(page), pages + 1
        links = [link for link in bundle.get("link", []) if link.get("relation") != "next"]
        return msgspec.json.encode(bundle | {"entry": entries, "link": links})

    def _read(self, base: FhirBase, url: str) -> bytes:
        version = self.own_version(base)
        if not version:
            return self.reader.read(base, url)
        parts = urlsplit(base.below(url))
        steps = parts.path.removeprefix(base.path).strip("/").split("/")
        resources = self.charts.resources(version, self.today())
        if len(steps) == 1:
            answer: object = search(resources, steps[0], parse_qsl(parts.query), base.url, strict=False)
        else:
            answer = find_resource(resources, steps[0], steps[1])
        if answer is None:
            raise NotReadable("the server answered 404")
        return msgspec.json.encode(answer)

    def own_version(self, base: FhirBase) -> str | None:
        """The FHIR version of an address of our own server, None for any other server."""
        name = base.path.removeprefix("/sandbox/")
        known = BASES.get(name)
        if known is None or base.port != self.own_port or not base.path.startswith("/sandbox/"):
            return None
        return known.fhir_version


def _is_patient(resource: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(resource, dict) and resource.get("resourceType") == "Patient"


def _is_search(template: str) -> bool:
    """Whether a prefetch template searches, and does not read one resource."""
    return "?" in template


def describe(patient: Mapping[str, Any]) -> dict[str, str]:
    """Who a patient is, in the few words of a banner; whatever is missing or odd is left empty."""
    names = patient.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    family = " ".join(_texts(first.get("family", "")))
    forenames = " ".join(_texts(first.get("given", [])))
    return {
        "id": _text(patient.get("id")),
        "name": ", ".join(filter(None, (family, forenames))) or _text(first.get("text")) or "No name",
        "gender": _text(patient.get("gender")),
        "birthDate": _text(patient.get("birthDate")),
    }


def _texts(value: object) -> Iterable[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _decode(body: JsonBytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotReadable("the server did not answer with JSON") from None
    if not isinstance(value, dict):
        raise NotReadable("the server did not answer with a FHIR resource")
    return value
