"""The draft orders of a call, as an EHR of each FHIR version writes them (R-2.74), and the context around them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.nearest_names import nearest_names

Json = dict[str, Any]

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
VERSIONS = ("DSTU2", "STU3", "R4", "R4B", "R5")
ORDER_HOOKS = ("order-sign", "order-select")
HOOKS = (*ORDER_HOOKS, "patient-view", "encounter-start", "encounter-discharge")
_REQUESTS = {"DSTU2": "ProcedureRequest", "STU3": "ProcedureRequest"}  # else ServiceRequest
_SYSTEMS = {  # what people write for the URI of a code system
    "snomed": "http://snomed.info/sct",
    "cpt": "http://www.ama-assn.org/go/cpt",
    "loinc": "http://loinc.org",
    "icd-10-cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "rxnorm": RXNORM,
}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_BY_NUMBER = {"1.0": "DSTU2", "3.0": "STU3", "4.0": "R4", "4.3": "R4B", "5.0": "R5"}


_EXAMPLE = "such as 'http://snomed.info/sct|277762005' (in quotes, as | is the shell's)"


class NotAnOrder(ValueError):
    """The text or file is no order or reason; the message says what to write."""


@dataclass(frozen=True)
class Circumstances:
    """What all orders of a session share. `encounter` and each of `conditions` is an id without its type."""

    patient: str
    encounter: str | None = None
    priority: str | None = None
    reasons: Sequence[Json] = ()  # as CodeableConcepts
    conditions: Sequence[str] = ()


def version_of(number: str) -> str | None:
    """The name of a FHIR version by its number, such as 4.0.1; None for an unknown number."""
    return _BY_NUMBER.get(".".join(number.split(".")[:2]))


def parse_concept(text: str) -> Json:
    """A CodeableConcept from SYSTEM|CODE or SYSTEM|CODE|DISPLAY. Raises NotAnOrder."""
    parts = [part.strip() for part in text.split("|", 2)]
    if len(parts) < 2 or not all(parts[:2]):
        raise NotAnOrder(f"{text!r} is not SYSTEM|CODE, {_EXAMPLE}; words without a code: --order-text, --reason-text")
    if not _URI.fullmatch(parts[0]):
        nearest = nearest_names(parts[0], _SYSTEMS)
        instead = f"write {_SYSTEMS[nearest[0]]}" if nearest else f"write it as SYSTEM|CODE, {_EXAMPLE}"
        raise NotAnOrder(f"{parts[0]!r} in {text!r} is not the URI of a code system: {instead}")
    coding = dict(zip(("system", "code", "display"), parts, strict=False))
    return {"coding": [{name: value for name, value in coding.items() if value}]}


def build_order(number: int, concept: Json, version: str, around: Circumstances) -> Json:
    """A draft order for what the concept names: of a medication where its system is RxNorm, else of a service."""
    is_medication = any(coding.get("system") == RXNORM for coding in concept.get("coding", ()))
    if version == "DSTU2":
        order = _order_dstu2(concept, around, is_medication=is_medication)
    else:
        order = _order_since_stu3(concept, version, around, is_medication=is_medication)
    order = {"id": f"draft-{number}", "status": "draft"} | order
    if around.priority:
        order["priority"] = around.priority
    return {"resourceType": order.pop("resourceType")} | order


def _order_since_stu3(concept: Json, version: str, around: Circumstances, *, is_medication: bool) -> Json:
    references = [{"reference": f"Condition/{condition}"} for condition in around.conditions]
    order: Json = {
        "resourceType": "MedicationRequest" if is_medication else _REQUESTS.get(version, "ServiceRequest"),
        "intent": "order",
        "subject": {"reference": f"Patient/{around.patient}"},
    }
    if version == "R5":
        order["medication" if is_medication else "code"] = {"concept": concept}
        reasons = [{"concept": reason} for reason in around.reasons]
        reasons += [{"reference": reference} for reference in references]
        order |= {"reason": reasons} if reasons else {}
    else:
        order["medicationCodeableConcept" if is_medication else "code"] = concept
        order |= {"reasonCode": list(around.reasons)} if around.reasons else {}
        order |= {"reasonReference": references} if references else {}
    if around.encounter:
        order["context" if version == "STU3" else "encounter"] = {"reference": f"Encounter/{around.encounter}"}
    return order


def _order_dstu2(concept: Json, around: Circumstances, *, is_medication: bool) -> Json:
    """DSTU2 has room for one reason, a code or a reference."""
    patient = {"reference": f"Patient/{around.patient}"}
    if is_medication:
        order: Json = {"resourceType": "MedicationOrder", "medicationCodeableConcept": concept, "patient": patient}
    else:
        order = {"resourceType": "ProcedureRequest", "code": concept, "subject": patient}
    if len(around.reasons) + len(around.conditions) > 1:
        raise NotAnOrder("a DSTU2 order has one reason")
    for reason in around.reasons:
        order["reasonCodeableConcept"] = reason
    for condition in around.conditions:
        order["reasonReference"] = {"reference": f"Condition/{condition}"}
    if around.encounter:
        order["encounter"] = {"reference": f"Encounter/{around.encounter}"}
    return order


def read_orders(file: Path, first_number: int) -> list[Json]:
    """The orders in a file, as they are: one resource, a list, or a Bundle of them. Raises NotAnOrder."""
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, OSError, RecursionError) as fault:
        raise NotAnOrder(f"{file.name} cannot be read as JSON ({type(fault).__name__})") from None
    if isinstance(document, dict) and document.get("resourceType") == "Bundle":
        entries = document.get("entry") or []
        document = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    orders = document if isinstance(document, list) else [document]
    if not orders or not all(
        isinstance(order, dict) and isinstance(order.get("resourceType"), str) for order in orders
    ):
        raise NotAnOrder(f"{file.name} has no FHIR resource and no Bundle of resources")
    numbered = enumerate(orders, start=first_number)
    return [{"resourceType": order["resourceType"], "id": f"draft-{number}"} | order for number, order in numbered]


def build_context(
    hook: str, user: str, patient: str, encounter: str | None, orders: Sequence[Json], selected: Sequence[int]
) -> Json:
    """The context of a hook (R-2.30 to R-2.67). `selected`: numbers of orders, from 1; none means all."""
    context: Json = {"userId": user, "patientId": patient}
    if encounter:
        context["encounterId"] = encounter
    if hook == "order-select":
        chosen = [orders[number - 1] for number in selected] or orders
        context["selections"] = [f"{order['resourceType']}/{order['id']}" for order in chosen]
    if hook in ORDER_HOOKS:
        entries = [{"resource": order} for order in orders]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return context
