"""CodeableConcepts as JSON text, made once: what is ordered, diagnosed and done in the export."""

from __future__ import annotations

import json

SNOMED = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"
LOCAL = "urn:oid:2.999.1.13"  # the hospital's own order codes; 2.999 is the arc for examples

_SYSTEMS = {"sct": SNOMED, "icd": ICD_10_CM, "cpt": CPT, "loinc": LOINC, "local": LOCAL}


def concept(*codings: str, text: str | None = None) -> str:
    """A CodeableConcept of codings written as "sct|277762005|Lumbar puncture"; the display may be left out."""
    written: dict[str, object] = {}
    if codings:
        written["coding"] = [_coding(coding) for coding in codings]
    if text is not None:
        written["text"] = text
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False)


def _coding(written: str) -> dict[str, str]:
    system, code, *display = written.split("|")
    return {"system": _SYSTEMS[system], "code": code} | ({"display": display[0]} if display else {})
