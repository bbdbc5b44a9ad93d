"""Lumbar punctures, backs and what follows: the orders, diagnoses and procedures that the service may apply to."""

from __future__ import annotations

from bench.bulk_export.concepts import concept
from bench.bulk_export.draws import Weighted
from bench.bulk_export.ordinary import (
    DIAGNOSTIC,
    IMAGING,
    LABORATORY,
    NURSING,
    REFERRAL,
    SURGICAL,
    OrderKind,
    diagnosis,
)

PUNCTURE_ORDERS = Weighted.of(
    [
        (30, OrderKind(SURGICAL, concept("sct|277762005|Lumbar puncture", text="Lumbar puncture"))),
        (25, OrderKind(SURGICAL, concept("local|PRC0440|LUMBAR PUNCTURE"))),
        (15, OrderKind(SURGICAL, concept("cpt|62270|Spinal puncture, lumbar, diagnostic"))),
        (
            12,
            OrderKind(
                IMAGING,
                concept(
                    "loinc|24973-0|RF Guidance for fluid aspiration of Lumbar spine space", text="FL lumbar puncture"
                ),
            ),
        ),
        (10, OrderKind(IMAGING, concept("local|IMG4410", text="IR LP, image guided"))),
        (8, OrderKind(SURGICAL, concept(text="LP with opening pressure"))),
    ]
)
CHEMOTHERAPY_PUNCTURE = OrderKind(SURGICAL, concept("local|ONC0031", text="LP with intrathecal methotrexate"))
PUNCTURES_DONE = Weighted.of(
    [
        (40, concept("sct|277762005|Lumbar puncture", text="Lumbar puncture")),
        (30, concept("cpt|62270|Spinal puncture, lumbar, diagnostic")),
        (15, concept("cpt|62328|Spinal puncture, lumbar, diagnostic, with fluoroscopic guidance")),
        (15, concept("local|PRC0440", text="LUMBAR PUNCTURE")),
    ]
)
PUNCTURE_REASONS = (
    concept(text="r/o meningitis"),
    concept(text="HA, r/o SAH, CT neg"),
    concept("icd|G93.2|Benign intracranial hypertension"),
    concept(text="eval for MS, MRI with periventricular lesions"),
    concept(text="AMS, fever"),
    concept(text="NPH, tap test"),
    concept("icd|R51.9|Headache, unspecified"),
    concept(text="ascending weakness, r/o GBS"),
)
ABOUT_PUNCTURES = (  # tasks about a puncture and its laboratory orders: silence
    OrderKind(LABORATORY, concept("local|LAB3310", text="CSF cell count and differential")),
    OrderKind(LABORATORY, concept("local|LAB3311", text="CSF protein and glucose")),
    OrderKind(
        LABORATORY, concept("loinc|606-4|Bacteria identified in Cerebral spinal fluid by Culture", text="CSF culture")
    ),
    OrderKind(NURSING, concept("local|NUR0420", text="LP tray to bedside")),
    OrderKind(NURSING, concept("local|NUR0421", text="Bed rest 1 hour after LP")),
    OrderKind(NURSING, concept("local|NUR0422", text="Consent for lumbar puncture")),
)

LUMBAR_MRI = OrderKind(IMAGING, concept("loinc|24968-0|MR Lumbar spine", text="MRI L-spine wo contrast"))
SPINE_IMAGES = Weighted.of(
    [
        (40, LUMBAR_MRI),
        (15, OrderKind(IMAGING, concept("cpt|72148|MRI lumbar spine without contrast"))),
        (30, OrderKind(IMAGING, concept("cpt|72100|Radiologic examination, lumbosacral spine, 2 or 3 views"))),
        (10, OrderKind(IMAGING, concept("local|IMG2210", text="XR lumbar spine 2 views"))),
        (5, OrderKind(IMAGING, concept("cpt|72131|CT lumbar spine without contrast"))),
    ]
)
NERVE_CONDUCTION = OrderKind(
    DIAGNOSTIC, concept("cpt|95886|Needle electromyography, complete", text="EMG/NCS lower extremities")
)
BRAIN_MRI = OrderKind(IMAGING, concept("local|IMG2044|MRI BRAIN W WO CONTRAST"))
BLOOD_CULTURE = OrderKind(
    LABORATORY, concept("loinc|600-7|Bacteria identified in Blood by Culture", text="Blood culture x2")
)
THERAPY = OrderKind(REFERRAL, concept("sct|306170007|Referral to physiotherapy service", text="PT eval and treat"))
SPINE_REFERRAL = OrderKind(
    REFERRAL, concept("sct|183545006|Referral to orthopedic service", text="Ambulatory referral to spine surgery")
)
NEUROLOGY_REFERRALS = (
    OrderKind(
        REFERRAL, concept("sct|183521007|Referral to neurology service", text="Ambulatory referral to neurology")
    ),
    OrderKind(REFERRAL, concept("local|REF0240", text="Consult to neurology")),
)
PAIN_REFERRAL = OrderKind(REFERRAL, concept("local|REF0261", text="Ambulatory referral to pain management"))

BACK_REASONS = (
    concept("icd|M54.50|Low back pain, unspecified", text="LBP"),
    concept("icd|M54.16|Radiculopathy, lumbar region"),
    concept("icd|M54.41|Lumbago with sciatica, right side"),
    concept(text="low back pain x 6 wks, failed PT"),
    concept(text="LBP w/ R leg pain"),
    concept(text="back pain, no red flags"),
    concept("sct|279039007|Low back pain"),
)
NEW_BACK_REASONS = (
    concept(text="new back pain since LP"),
    concept("icd|M54.50|Low back pain, unspecified", text="back pain"),
    concept(text="persistent LBP after LP"),
)
WORSE_BACK_REASON = concept(text="severe back pain after LP, worsening")
OTHER_REASONS = (
    concept(text="fall from ladder"),
    concept("icd|Z01.818|Encounter for other preprocedural examination"),
    concept(text="staging, prostate ca"),
)
NUMBNESS_REASON = concept(text="numbness L foot since LP")
SADDLE_REASON = concept(text="saddle numbness and urinary retention, r/o cauda equina")
WEAKNESS_REASON = concept(text="bilateral leg weakness after LP")
HEADACHE_REASON = concept(text="HA worse upright since LP, ?CSF leak")
FEVER_REASONS = (
    concept("icd|R50.9|Fever, unspecified"),
    concept("icd|A41.9|Sepsis, unspecified organism"),
    concept(text="fever 39.2, rigors"),
)

LOW_BACK_PAIN = diagnosis("M54.50|Low back pain, unspecified", "279039007|Low back pain", "LBP x yrs")
NUMBNESS = diagnosis("R20.2|Paresthesia of skin, left leg", "102603008|Numbness of skin", "numb L leg")
FEVER = diagnosis("R50.9|Fever, unspecified", "386661006|Fever", "fever, source unclear")
CAUDA_EQUINA = diagnosis("G83.4|Cauda equina syndrome", "192970008|Cauda equina syndrome", "?CES, ortho aware")
HEADACHE = diagnosis(
    "G97.1|Other reaction to spinal and lumbar puncture", "398987004|Headache following lumbar puncture", "PDPH"
)
ANTICOAGULANT = diagnosis(
    "Z79.01|Long term (current) use of anticoagulants",
    "711150003|Long-term current use of anticoagulant",
    "on warfarin",
)
BACKS = Weighted.of(
    [
        (30, LOW_BACK_PAIN),
        (
            18,
            diagnosis(
                "M51.36|Other intervertebral disc degeneration, lumbar region",
                "26538006|Degeneration of lumbar intervertebral disc",
                "DDD L-spine",
            ),
        ),
        (
            16,
            diagnosis(
                "M48.061|Spinal stenosis, lumbar region without neurogenic claudication",
                "18347007|Spinal stenosis of lumbar region",
                "L4-5 stenosis",
            ),
        ),
        (
            12,
            diagnosis(
                "M47.816|Spondylosis without myelopathy or radiculopathy, lumbar region",
                "239880009|Lumbar spondylosis",
                "facet OA",
            ),
        ),
        (10, diagnosis("M54.16|Radiculopathy, lumbar region", "128196005|Lumbar radiculopathy", "R L5 radic")),
        (
            6,
            diagnosis(
                "M51.26|Other intervertebral disc displacement, lumbar region",
                "202708005|Prolapsed lumbar intervertebral disc",
                "L5-S1 HNP",
            ),
        ),
        (
            4,
            diagnosis("M43.16|Spondylolisthesis, lumbar region", "274152003|Spondylolisthesis", "grade 1 listhesis L4"),
        ),
        (
            4,
            diagnosis(
                "S32.010A|Wedge compression fracture of first lumbar vertebra",
                "207957008|Fracture of lumbar vertebra",
                "L1 compression fx",
            ),
        ),
    ]
)
