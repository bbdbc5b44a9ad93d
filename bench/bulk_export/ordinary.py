"""What a hospital orders, diagnoses and does all day, nothing of it about the spine (README.md has the shares)."""

from __future__ import annotations

from dataclasses import dataclass

from bench.bulk_export.concepts import concept
from bench.bulk_export.draws import Weighted

LABORATORY = concept("sct|108252007|Laboratory procedure")
IMAGING = concept("sct|363679005|Imaging")
REFERRAL = concept("sct|3457005|Patient referral")
SURGICAL = concept("sct|387713003|Surgical procedure")
NURSING = concept("sct|9632001|Nursing procedure")
EDUCATION = concept("sct|409073007|Education")
DIAGNOSTIC = concept("sct|103693007|Diagnostic procedure")


@dataclass(frozen=True)
class OrderKind:
    """What is ordered, as JSON: its category and its code."""

    category: str
    code: str


def _orders(category: str, *kinds: tuple[float, str]) -> list[tuple[float, OrderKind]]:
    return [(share, OrderKind(category, code)) for share, code in kinds]


ORDERS = Weighted.of(
    [
        *_orders(
            LABORATORY,
            (95, concept("loinc|58410-2|CBC panel - Blood by Automated count", text="CBC")),
            (85, concept("loinc|24323-8|Comprehensive metabolic 2000 panel - Serum or Plasma", text="CMP")),
            (75, concept("loinc|51990-0|Basic metabolic panel - Blood", text="BMP")),
            (35, concept("loinc|57698-3|Lipid panel with direct LDL - Serum or Plasma", text="Lipid panel")),
            (35, concept("loinc|4548-4|Hemoglobin A1c/Hemoglobin.total in Blood", text="HbA1c")),
            (30, concept("loinc|3016-3|Thyrotropin [Units/volume] in Serum or Plasma", text="TSH")),
            (35, concept("loinc|24356-8|Urinalysis complete panel - Urine", text="UA with reflex")),
            (25, concept("local|LAB4021|PT/INR")),
            (20, concept("loinc|600-7|Bacteria identified in Blood by Culture", text="Blood culture x2")),
            (20, concept("loinc|630-4|Bacteria identified in Urine by Culture", text="Urine culture")),
            (20, concept("local|LAB1187|Troponin, high sensitivity")),
            (15, concept("loinc|19123-9|Magnesium [Mass/volume] in Serum or Plasma", text="Magnesium")),
            (15, concept("local|LAB2240", text="Type and screen")),
            (10, concept("loinc|14957-5|Microalbumin [Mass/volume] in Urine", text="Urine microalbumin")),
            (1, concept("local|LAB3310", text="CSF cell count and differential")),
        ),
        *_orders(
            IMAGING,
            (45, concept("loinc|36643-5|XR Chest 2 Views", text="XR chest 2 views")),
            (18, concept("cpt|70450|CT head or brain without contrast", text="CT head wo contrast")),
            (16, concept("cpt|74177|CT abdomen and pelvis with contrast", text="CT abd/pelvis w contrast")),
            (12, concept("local|IMG5512", text="US abdomen limited")),
            (12, concept("loinc|24606-6|MG Breast Screening", text="Screening mammogram")),
            (8, concept("local|IMG2044|MRI BRAIN W WO CONTRAST")),
            (10, concept("local|IMG1140", text="XR knee 3 views left")),
            (4, concept("local|IMG1171", text="XR cervical spine 2 views")),
            (6, concept("cpt|71275|CT angiography chest", text="CTA chest PE protocol")),
            (5, concept("local|IMG7701", text="US venous duplex lower extremity")),
        ),
        *_orders(
            DIAGNOSTIC,
            (38, concept("sct|29303009|Electrocardiographic procedure", text="ECG 12 lead")),
            (14, concept("sct|40701008|Echocardiography", text="TTE complete")),
            (6, concept("local|CAR0031", text="Holter monitor 48 h")),
            (4, concept("local|PUL0007", text="Pulmonary function tests")),
        ),
        *_orders(
            NURSING,
            (40, concept("local|NUR0011", text="Vital signs every 4 hours")),
            (26, concept("local|NUR0150", text="Insert peripheral IV")),
            (22, concept("local|DIET004", text="Regular diet")),
            (18, concept("local|NUR0042", text="Intake and output")),
            (12, concept("local|NUR0077", text="Fall precautions")),
            (8, concept("local|NUR0090", text="Remove Foley catheter")),
            (6, concept("local|RT00012", text="Oxygen by nasal cannula, titrate to SpO2 > 92 %")),
        ),
        *_orders(
            REFERRAL,
            (14, concept("sct|183519002|Referral to cardiology service", text="Ambulatory referral to cardiology")),
            (12, concept("local|REF0220", text="Ambulatory referral to gastroenterology")),
            (10, concept("local|REF0231", text="Ambulatory referral to dermatology")),
            (8, concept("local|REF0412", text="Consult to case management")),
            (8, concept("local|REF0318", text="PT eval and treat")),
            (6, concept("local|REF0319", text="OT eval and treat")),
            (5, concept("local|REF0550", text="Consult to palliative care")),
        ),
        *_orders(
            SURGICAL,
            (12, concept("sct|73761001|Colonoscopy", text="Colonoscopy")),
            (6, concept("sct|38102005|Cholecystectomy", text="Lap chole")),
            (5, concept("local|PRC1004", text="EGD with biopsy")),
            (4, concept("local|PRC1050", text="Paracentesis, US guided")),
            (3, concept("local|PRC1066", text="Central venous catheter placement")),
            (1, concept("local|PRC1210", text="Lumbar epidural steroid injection")),
        ),
        *_orders(
            EDUCATION,
            (9, concept("local|EDU0003", text="Diabetes education")),
            (6, concept("local|EDU0010", text="Smoking cessation counseling")),
            (4, concept("local|EDU0021", text="Discharge instructions: wound care")),
        ),
    ]
)


@dataclass(frozen=True)
class Diagnosis:
    """A diagnosis with the codes and the shorthand that charts have for it, each as a CodeableConcept in JSON."""

    both: str
    icd: str
    snomed: str
    shorthand: str


def diagnosis(icd: str, snomed: str, shorthand: str) -> Diagnosis:
    """From "I10|Essential hypertension", "38341003|Hypertensive disorder" and "HTN"."""
    words = icd.split("|")[1]
    return Diagnosis(
        both=concept(f"icd|{icd}", f"sct|{snomed}", text=words),
        icd=concept(f"icd|{icd}", text=words),
        snomed=concept(f"sct|{snomed}", text=snomed.split("|")[1]),
        shorthand=concept(text=shorthand),
    )


DIAGNOSES = Weighted.of(
    [
        (90, diagnosis("I10|Essential (primary) hypertension", "38341003|Hypertensive disorder", "HTN")),
        (70, diagnosis("E78.5|Hyperlipidemia, unspecified", "55822004|Hyperlipidemia", "HLD")),
        (
            50,
            diagnosis(
                "E11.9|Type 2 diabetes mellitus without complications",
                "44054006|Diabetes mellitus type 2",
                "T2DM, diet controlled",
            ),
        ),
        (
            40,
            diagnosis(
                "K21.9|Gastro-esophageal reflux disease without esophagitis",
                "235595009|Gastroesophageal reflux disease",
                "GERD",
            ),
        ),
        (35, diagnosis("F41.9|Anxiety disorder, unspecified", "197480006|Anxiety disorder", "anxiety")),
        (35, diagnosis("F32.A|Depression, unspecified", "35489007|Depressive disorder", "depression, on SSRI")),
        (30, diagnosis("J45.909|Unspecified asthma, uncomplicated", "195967001|Asthma", "asthma, mild intermittent")),
        (25, diagnosis("E03.9|Hypothyroidism, unspecified", "40930008|Hypothyroidism", "hypothyroid")),
        (
            25,
            diagnosis(
                "J44.9|Chronic obstructive pulmonary disease, unspecified",
                "13645005|Chronic obstructive lung disease",
                "COPD GOLD 2",
            ),
        ),
        (
            25,
            diagnosis(
                "I25.10|Atherosclerotic heart disease of native coronary artery",
                "53741008|Coronary arteriosclerosis",
                "CAD s/p PCI 2018",
            ),
        ),
        (
            20,
            diagnosis(
                "N39.0|Urinary tract infection, site not specified", "68566005|Urinary tract infectious disease", "UTI"
            ),
        ),
        (
            20,
            diagnosis(
                "J06.9|Acute upper respiratory infection, unspecified",
                "54150009|Upper respiratory infection",
                "URI sx x 3 d",
            ),
        ),
        (20, diagnosis("R07.9|Chest pain, unspecified", "29857009|Chest pain", "CP r/o ACS")),
        (20, diagnosis("R10.9|Unspecified abdominal pain", "21522001|Abdominal pain", "abd pain")),
        (20, diagnosis("G43.909|Migraine, unspecified", "37796009|Migraine", "migraines")),
        (18, diagnosis("M17.9|Osteoarthritis of knee, unspecified", "239873007|Osteoarthritis of knee", "OA knees")),
        (
            15,
            diagnosis(
                "N18.30|Chronic kidney disease, stage 3 unspecified", "433144002|Chronic kidney disease stage 3", "CKD3"
            ),
        ),
        (15, diagnosis("I48.91|Unspecified atrial fibrillation", "49436004|Atrial fibrillation", "AFib")),
        (15, diagnosis("D64.9|Anemia, unspecified", "271737000|Anemia", "anemia, iron def")),
        (12, diagnosis("I50.9|Heart failure, unspecified", "84114007|Heart failure", "HFpEF")),
        (12, diagnosis("J18.9|Pneumonia, unspecified organism", "233604007|Pneumonia", "PNA, LLL")),
        (10, diagnosis("H26.9|Unspecified cataract", "193570009|Cataract", "cataracts OU")),
        (
            8,
            diagnosis(
                "C50.919|Malignant neoplasm of unspecified site of unspecified female breast",
                "254837009|Malignant tumor of breast",
                "breast ca s/p lumpectomy",
            ),
        ),
        (8, diagnosis("G47.33|Obstructive sleep apnea", "78275009|Obstructive sleep apnea syndrome", "OSA on CPAP")),
        (8, diagnosis("G40.909|Epilepsy, unspecified", "84757009|Epilepsy", "sz d/o")),
    ]
)

# In any chart, whatever it was opened for: shares of all patients stand in README.md.
WEIGHT_AND_RISKS = Weighted.of(
    [
        (60, diagnosis("E66.9|Obesity, unspecified", "414916001|Obesity", "obesity, BMI 36")),
        (
            25,
            diagnosis(
                "Z79.01|Long term (current) use of anticoagulants",
                "711150003|Long-term current use of anticoagulant",
                "on apixaban",
            ),
        ),
        (
            15,
            diagnosis(
                "M81.0|Age-related osteoporosis without current pathological fracture",
                "64859006|Osteoporosis",
                "osteoporosis",
            ),
        ),
    ]
)

UNREADABLE_DIAGNOSES = (  # a code that nobody outside this hospital can read, and not a word beside it
    concept("local|DX-77120"),
    concept("local|DX-00418"),
)

PROCEDURES = Weighted.of(
    [
        (30, concept("sct|430193006|Medication reconciliation", text="Medication reconciliation")),
        (25, concept("sct|171207006|Depression screening", text="Depression screening")),
        (20, concept("cpt|93000|Electrocardiogram, complete", text="ECG")),
        (20, concept("cpt|71046|Radiologic examination, chest, 2 views")),
        (14, concept("cpt|45378|Colonoscopy, diagnostic", text="Colonoscopy")),
        (12, concept("sct|40701008|Echocardiography", text="TTE")),
        (10, concept("cpt|90471|Immunization administration")),
        (8, concept("local|PRC2001", text="PICC placement")),
        (6, concept("sct|265764009|Renal dialysis", text="HD session")),
        (5, concept("sct|38102005|Cholecystectomy", text="Lap chole")),
        (5, concept("sct|609588000|Total knee replacement", text="L TKA")),
        (4, concept("cpt|43239|Upper GI endoscopy with biopsy", text="EGD")),
        (3, concept("local|PRC1050", text="Paracentesis")),
        (2, concept("local|PRC1210", text="L4-5 epidural steroid injection")),
        (2, concept("local|PRC3300", text="Spinal anesthesia")),
    ]
)
