"""The orders and reasons worth trying with this topic, each in a way an EHR may write it.

Displays of CPT codes are our own words.
"""

from __future__ import annotations

from cards.order_catalogue import Choice, OrderCatalogue, coded

_SNOMED = "http://snomed.info/sct"
_CPT = "http://www.ama-assn.org/go/cpt"
_LOINC = "http://loinc.org"
_ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"

ORDERS_TO_TRY = OrderCatalogue(
    orders={
        "Lumbar puncture": (
            Choice("lp-snomed", "Lumbar puncture (SNOMED CT)", coded(_SNOMED, "277762005", "Lumbar puncture")),
            Choice("lp-cpt", "Lumbar puncture (CPT)", coded(_CPT, "62270", "Diagnostic lumbar puncture")),
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
            Choice("mri-lumbar", "MRI, lumbar spine (CPT)", coded(_CPT, "72148", "MRI of the lumbar spine")),
            Choice(
                "mri-back-pain",
                "MRI, lumbar spine, for back pain (CPT)",
                coded(_CPT, "72148", "MRI of the lumbar spine for back pain"),
            ),
            Choice("mri-loinc", "MRI, lumbar spine (LOINC)", coded(_LOINC, "24968-0", "MR Lumbar spine")),
            Choice(
                "neurology-referral", "Referral to neurology", coded(_SNOMED, "308474002", "Referral to neurologist")
            ),
            Choice(
                "spine-referral", "Referral to neurosurgery", coded(_SNOMED, "308482002", "Referral to neurosurgeon")
            ),
            Choice(
                "physiotherapy",
                "Referral to physiotherapy",
                coded(_SNOMED, "308447003", "Referral to physiotherapist"),
            ),
        ),
        "Near misses": (
            Choice("epidural", "Epidural injection", coded(_SNOMED, "171787008", "Therapeutic epidural injection")),
            Choice("blood-patch", "Epidural blood patch", coded(_CPT, "62273", "Epidural blood patch")),
        ),
    },
    reasons=(
        Choice("meningitis", "Meningitis", coded(_SNOMED, "7180009", "Meningitis")),
        Choice("multiple-sclerosis", "Multiple sclerosis", coded(_SNOMED, "24700007", "Multiple sclerosis")),
        Choice("headache", "Headache", coded(_SNOMED, "25064002", "Headache")),
        Choice("back-pain", "Low back pain", coded(_SNOMED, "279039007", "Low back pain")),
        Choice("numbness", "Numb leg (words only)", {"text": "Numbness in the left leg"}),
    ),
)
