"""What can be ordered in the sandbox, and why: the orders worth trying, each in one way an EHR may write it.

Displays of CPT codes are our own words.
"""

from __future__ import annotations

from typing import Any

import msgspec

_SNOMED = "http://snomed.info/sct"
_CPT = "http://www.ama-assn.org/go/cpt"
_LOINC = "http://loinc.org"
_ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"

Json = dict[str, Any]


class Choice(msgspec.Struct, frozen=True):
    """Something to choose from. `code`: a CodeableConcept, None where the page asks for it or there is none."""

    key: str
    label: str
    code: Json | None = None
    kind: str = "service"  # medication: no service order at all


def _coded(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


ORDERS: dict[str, tuple[Choice, ...]] = {
    "Lumbar puncture": (
        Choice("lp-snomed", "Lumbar puncture (SNOMED CT)", _coded(_SNOMED, "277762005", "Lumbar puncture")),
        Choice("lp-cpt", "Lumbar puncture (CPT)", _coded(_CPT, "62270", "Diagnostic lumbar puncture")),
        Choice(
            "lp-icd-10-pcs",
            "Lumbar puncture (ICD-10-PCS)",
            {"coding": [{"system": _ICD_10_PCS, "code": "009U3ZX"}]},
        ),
        Choice("lp-words", "Lumbar puncture (words only)", {"text": "Diagnostic lumbar puncture"}),
        Choice(
            "lp-local",
            "Spinal tap (a local code)",
            {"coding": [{"system": "urn:example:orders", "code": "NEU-017", "display": "Spinal tap, bedside"}]},
        ),
    ),
    "Work-up of back pain": (
        Choice("mri-lumbar", "MRI, lumbar spine (CPT)", _coded(_CPT, "72148", "MRI of the lumbar spine")),
        Choice("mri-loinc", "MRI, lumbar spine (LOINC)", _coded(_LOINC, "24968-0", "MR Lumbar spine")),
        Choice("neurology-referral", "Referral to neurology", _coded(_SNOMED, "308474002", "Referral to neurologist")),
        Choice("spine-referral", "Referral to neurosurgery", _coded(_SNOMED, "308482002", "Referral to neurosurgeon")),
        Choice(
            "physiotherapy",
            "Referral to physiotherapy",
            _coded(_SNOMED, "308447003", "Referral to physiotherapist"),
        ),
    ),
    "Near misses": (
        Choice("epidural", "Epidural injection", _coded(_SNOMED, "171787008", "Therapeutic epidural injection")),
        Choice("blood-patch", "Epidural blood patch", _coded(_CPT, "62273", "Epidural blood patch")),
    ),
    "Nothing to do with it": (
        Choice("chest-x-ray", "Chest X-ray", _coded(_CPT, "71046", "X-ray of the chest, 2 views")),
        Choice("medication", "Amoxicillin, a medication", {"text": "Amoxicillin 500 mg capsule"}, kind="medication"),
    ),
    "Your own": (Choice("other", "Another code or other words …"),),
}

REASONS: tuple[Choice, ...] = (
    Choice("none", "None given"),
    Choice("meningitis", "Meningitis", _coded(_SNOMED, "7180009", "Meningitis")),
    Choice("multiple-sclerosis", "Multiple sclerosis", _coded(_SNOMED, "24700007", "Multiple sclerosis")),
    Choice("headache", "Headache", _coded(_SNOMED, "25064002", "Headache")),
    Choice("back-pain", "Low back pain", _coded(_SNOMED, "279039007", "Low back pain")),
    Choice("numbness", "Numb leg (words only)", {"text": "Numbness in the left leg"}),
    Choice("other", "In other words …"),
)

PRIORITIES = ("routine", "urgent", "asap", "stat")
ORDER_KEYS = tuple(one.key for group in ORDERS.values() for one in group)
REASON_KEYS = tuple(one.key for one in REASONS)
