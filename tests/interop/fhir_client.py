"""What an EHR does with a FHIR server before it calls: charts are put there, and prefetch is read from there."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.charts import SERVICE, Json
from tests.places import FIXTURES

FHIR_JSON = "application/fhir+json"
SECTIONS = {"conditions": "Condition", "procedures": "Procedure"}
_MOST_S = 120


class FhirClient:
    """Talks to the FHIR server at `base`, or to the service at any other address."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy: everything is on loopback

    def put_each(self, entries: list[Json]) -> dict[str, Json]:
        """Store each resource under its own id; what the server refused, by id, with its OperationOutcome."""
        refused = {}
        for entry in sorted(entries, key=lambda one: bool(one["resource"]["resourceType"] != "Patient")):
            resource = entry["resource"]
            url = f"{self.base}/{resource['resourceType']}/{resource['id']}"
            answer = self._session.put(url, json=resource, headers={"Content-Type": FHIR_JSON}, timeout=_MOST_S)
            if answer.status_code not in (200, 201):
                refused[resource["id"]] = answer.json()
        return refused

    def put_together(self, entries: list[Json]) -> None:
        """Store a chart as one transaction, in which the server turns its urn:uuid references into its own."""
        charted = [one for one in entries if one["resource"]["resourceType"] in ("Patient", *SECTIONS.values())]
        inside = {one["fullUrl"] for one in charted}
        requested = [
            {"fullUrl": one["fullUrl"], "resource": without_strangers(one["resource"], inside)}
            | {"request": {"method": "PUT", "url": f"{one['resource']['resourceType']}/{one['resource']['id']}"}}
            for one in charted
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": requested}
        answer = self._session.post(self.base, json=bundle, headers={"Content-Type": FHIR_JSON}, timeout=_MOST_S)
        assert answer.status_code == 200, answer.text[:2000]

    def get(self, url: str) -> requests.Response:
        """Read an absolute URL, or one relative to the base."""
        address = url if url.startswith("http") else f"{self.base}/{url}"
        return self._session.get(address, headers={"Accept": FHIR_JSON}, timeout=_MOST_S)

    def pages(self, search: str) -> list[Json]:
        """Every page of a search, by the server's own `next` links."""
        found, url = [], search
        while url:
            found.append(self.get(url).json())
            url = next_link(found[-1])
        return found

    def prefetch(self, patient_id: str) -> Json:
        """Complete: the patient, and all pages of each search in one Bundle, without a link."""
        filled = {"patient": self.get(f"Patient/{patient_id}").json()}
        for key, resource_type in SECTIONS.items():
            entries = [
                entry
                for page in self.pages(f"{resource_type}?patient={patient_id}&_count=500")
                for entry in page.get("entry", [])
            ]
            filled[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
        return filled

    def first_pages(self, patient_id: str) -> Json:
        """The first 20 of each search as the server answers, and no patient: what a careless client sends."""
        return {
            key: self.get(f"{resource_type}?patient={patient_id}&_count=20").json()
            for key, resource_type in SECTIONS.items()
        }

    def call(self, body: Json) -> Json:
        """The answer of the service here to a hook call."""
        return self.post(SERVICE, body)

    def post(self, path: str, body: Json) -> Json:
        """What the service here answers at a path."""
        answer = self._session.post(self.base + path, json=body, timeout=_MOST_S)
        assert answer.status_code == 200, answer.text
        parsed: Json = answer.json()
        return parsed


def next_link(bundle: Json) -> str:
    """Where a search goes on; empty where this is its last page."""
    return next((str(link["url"]) for link in bundle.get("link", []) if link["relation"] == "next"), "")


def fixture_entries(patient_id: str) -> list[Json]:
    """What the fixture file of a patient holds."""
    entries: list[Json] = json.loads((FIXTURES / "patients" / f"{patient_id}.json").read_text("utf-8"))["entry"]
    return entries


def prefetch_of(entries: list[Json]) -> Json:
    """A complete prefetch of what a file holds, without a FHIR server."""
    patient = next(one["resource"] for one in entries if one["resource"]["resourceType"] == "Patient")
    filled = {"patient": patient}
    for key, resource_type in SECTIONS.items():
        found = [one for one in entries if one["resource"]["resourceType"] == resource_type]
        filled[key] = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": found}
    return filled


def without_strangers(value: Any, inside: set[str]) -> Any:
    """A copy without references to what an export names and does not hold: a server looks them up, and refuses it."""
    if isinstance(value, list):
        kept = [without_strangers(one, inside) for one in value]
        return [one for one in kept if one != {}]
    if not isinstance(value, dict):
        return value
    reference = value.get("reference")
    if isinstance(reference, str) and reference not in inside and (reference.startswith("urn:") or "?" in reference):
        return {}
    kept = {name: without_strangers(one, inside) for name, one in value.items()}
    return {name: one for name, one in kept.items() if one not in ({}, [])}
