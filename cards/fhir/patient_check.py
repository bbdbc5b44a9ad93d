"""Whether an entry is about the patient of the call: data of two people are never mixed (R-2.88)."""

from __future__ import annotations

import re

from cards.fhir.bundle import Entries
from cards.fhir.resources import Reference

_PATIENT_REFERENCE = re.compile(r"(?:.*/)?Patient/([^/?#]+)(?:/_history/[^/]+)?")

_UUID = "urn:uuid:"


class OtherPatient(Exception):
    """An entry names a patient other than the one the call is about. `index`: its place among the entries."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} is about another patient")
        self.index = index


def patient_id(reference: str) -> str | None:
    """The id of the Patient that a reference names, relative, absolute or as a UUID; None where it names none."""
    match = _PATIENT_REFERENCE.fullmatch(reference.strip())
    return match[1] if match else reference.strip().removeprefix(_UUID) if reference.strip().startswith(_UUID) else None


class Ownership:
    """Compares each entry's patient reference, in any form FHIR allows, with the patient of the call."""

    def __init__(self, patient_id: str, entries: Entries) -> None:
        self._patient_id = patient_id
        self._entries = entries
        self.ours = {f"Patient/{patient_id}", f"urn:uuid:{patient_id}", patient_id}  # references, as they were met
        self._unresolved: set[str] = set()
        self._patients_by_full_url: dict[str, str | None] | None = None

    def is_ours(self, subject: Reference | None, index: int) -> bool:
        """True for the patient of the call, or where no subject is named at all; False where it cannot be resolved.

        Raises OtherPatient where it certainly names another patient.
        """
        if subject is None:
            return True
        reference = subject.reference or ""
        if reference not in self.ours and reference not in self._unresolved:
            match = _PATIENT_REFERENCE.fullmatch(reference.strip())
            patient_id = match[1] if match else self._resolve(reference)
            if patient_id is not None and patient_id != self._patient_id:
                raise OtherPatient(index)
            (self._unresolved if patient_id is None else self.ours).add(reference)
        return reference in self.ours

    def _resolve(self, reference: str) -> str | None:
        """The id of the Patient whose UUID, or whose fullUrl in the same Bundle, this is: Synthea refers by both."""
        if reference.lower() == f"urn:uuid:{self._patient_id}".lower():
            return self._patient_id
        if self._patients_by_full_url is None:
            self._patients_by_full_url = {
                entry.full_url: entry.resource.id
                for entry in self._entries
                if entry and entry.full_url and entry.resource and entry.resource.resource_type == "Patient"
            }
        return self._patients_by_full_url.get(reference)
