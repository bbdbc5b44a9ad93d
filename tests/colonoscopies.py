"""Calls of the second topic, a fictional one (tests/second_topic)."""

from __future__ import annotations

from typing import Any

from tests.charts import CPT, PATIENT, Json, coded, hook_call, order, patient, searchset

COLONOSCOPY_SERVICE = "colonoscopy-preparation"
COLONOSCOPY = coded(CPT, "45378", "Colonoscopy")
LATEX_ALLERGY: Json = {
    "resourceType": "AllergyIntolerance",
    "id": "allergy-1",
    "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
    "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "Z91.040", "Latex allergy status"),
    "patient": {"reference": f"Patient/{PATIENT}"},
    "onsetDateTime": "2019",
}


def colonoscopy_call(**elements: Any) -> Json:
    """A call in which a colonoscopy is ordered for a patient with a latex allergy."""
    complete = {"patient": patient(), "allergies": searchset(LATEX_ALLERGY)}
    return hook_call(order(COLONOSCOPY), **{"prefetch": complete, **elements})
