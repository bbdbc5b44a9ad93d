"""What r4.py and stu3.py share, and the Patient, which is the same in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bench.bulk_export.ordinary import OrderKind


@dataclass(frozen=True)
class Requester:
    """Who ordered, or for which service: "Practitioner/204", "Ortiz, D"."""

    reference: str
    display: str


class Order(NamedTuple):
    """`reason`: `"reasonCode":[...],`, `"reasonReference":[...],` or nothing. Dates are ISO texts, here and below."""

    identity: str
    patient: str
    encounter: str
    kind: OrderKind
    status: str
    priority: str
    authored: str | None
    requester: Requester | None
    reason: str


class Condition(NamedTuple):
    """`code`: JSON; the rest in the words of R4."""

    identity: str
    patient: str
    encounter: str
    code: str
    clinical: str | None
    verification: str
    category: str
    onset: str | None
    recorded: str | None
    abated: str | None


class Procedure(NamedTuple):
    """`code`: JSON. With an end it has a period."""

    identity: str
    patient: str
    encounter: str
    code: str
    status: str
    start: str | None
    end: str | None


def element(name: str, text: str | None) -> str:
    """`"name":"text",` or nothing."""
    return f'"{name}":"{text}",' if text else ""


def patient(identity: str, family: str, given: str, gender: str, birth_date: str | None, language: str) -> str:
    """A Patient, with a name so that a reader may fail to keep it to itself."""
    return (
        f'{{"resourceType":"Patient","id":"{identity}","active":true,'
        f'"name":[{{"use":"official","family":"{family}","given":["{given}"]}}],"gender":"{gender}",'
        f"{element('birthDate', birth_date)}"
        f'"communication":[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"{language}"}}]}}}}]}}'
    )
