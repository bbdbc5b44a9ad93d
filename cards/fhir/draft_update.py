"""The `update` of a draft order: the client's own draft, every value of it untouched, but for one element of ours."""

from __future__ import annotations

import msgspec

from cards.fhir.draft_orders import DraftOrder, FhirVersion

Elements = dict[str, msgspec.Raw]


def with_patient_instruction(order: DraftOrder, instruction: str) -> bytes | None:
    """The draft with the instruction for the patient, in the FHIR version of the draft, as JSON.

    R4 `patientInstruction` (a string), R5 the same as a list, STU3 `note`, DSTU2 `notes` (lists of Annotation). What
    stands there already is kept and comes first. None where there is nothing to do or no safe way to do it: the draft
    has no id to update by (R-4.48), has this instruction already, or its element has a shape of no FHIR version.
    """
    if not order.id:
        return None
    try:
        elements = msgspec.json.decode(order.raw, type=Elements)
        if order.fhir_version is FhirVersion.R4:
            added = _append_text(elements, "patientInstruction", instruction)
        elif order.fhir_version is FhirVersion.R5:
            added = _append_item(elements, "patientInstruction", "instructionMarkdown", instruction)
        elif order.fhir_version is FhirVersion.STU3:
            added = _append_item(elements, "note", "text", instruction)
        else:
            added = _append_item(elements, "notes", "text", instruction)
    except msgspec.ValidationError:
        return None
    return msgspec.json.encode(elements) if added else None


def with_priority(order: DraftOrder, priority: str) -> bytes | None:
    """The draft with this FHIR request priority and nothing else changed, as JSON; None where it has no id.

    A ReferralRequest of DSTU2 holds its priority as a CodeableConcept, which is left unchanged.
    """
    if not order.id or (order.resource_type, order.fhir_version) == ("ReferralRequest", FhirVersion.DSTU2):
        return None
    try:
        elements = msgspec.json.decode(order.raw, type=Elements)
    except msgspec.ValidationError:
        return None
    elements["priority"] = msgspec.Raw(msgspec.json.encode(priority))
    return msgspec.json.encode(elements)


def _append_text(elements: Elements, name: str, text: str) -> bool:
    there = msgspec.json.decode(elements[name], type=str | None) if name in elements else None
    if there and text in there:
        return False
    elements[name] = msgspec.Raw(msgspec.json.encode(f"{there}\n\n{text}" if there else text))
    return True


def _append_item(elements: Elements, name: str, field: str, text: str) -> bool:
    there = msgspec.json.decode(elements[name], type=list[Elements]) if name in elements else []
    if any(field in item and msgspec.json.decode(item[field]) == text for item in there):
        return False
    elements[name] = msgspec.Raw(msgspec.json.encode([*there, {field: text}]))
    return True
