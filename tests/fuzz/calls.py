"""The real calls of fixtures/ that are spoiled here, and a call as it is sent and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.charts import LUMBAR_PUNCTURE, SERVICE, hook_call, order
from tests.places import FIXTURES

MRI = {"text": "MRI lumbar spine"}
NON_ADHERENCE = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
Place = tuple[Any, ...]


@dataclass(frozen=True)
class MadeUpCall:
    """A request as a WSGI server hands it on: path, query and headers in Latin-1.

    `answers`: what the caller's FHIR server says, by path and query below its base.
    """

    body: bytes = b""
    path: str = SERVICE
    method: str = "POST"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    answers: dict[str, bytes] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line, for `python -m tests.fuzz --again`."""
        answers = {path: answer.decode("latin-1") for path, answer in self.answers.items()}
        return json.dumps(self.__dict__ | {"body": self.body.decode("latin-1"), "answers": answers})

    @classmethod
    def from_json(cls, line: str) -> MadeUpCall:
        """The call that `to_json` wrote."""
        told = json.loads(line)
        return cls(
            body=told["body"].encode("latin-1"),
            path=told["path"],
            method=told["method"],
            query=told["query"],
            headers=tuple((name, value) for name, value in told["headers"]),
            answers={path: answer.encode("latin-1") for path, answer in told["answers"].items()},
        )


def places_in(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of every value in a JSON document, that of the document itself, (), included."""
    yield place
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from places_in(inner, (*place, key))


@dataclass(frozen=True)
class Original:
    """A JSON document as somebody really sent it, and the path it was sent to."""

    document: Any
    path: str = SERVICE

    def __repr__(self) -> str:
        """Not the document, which is long."""
        return f"<Original {self.path}, {len(self.text):,} bytes>"

    @cached_property
    def places(self) -> list[Place]:
        return list(places_in(self.document))

    @cached_property
    def text(self) -> bytes:
        return json.dumps(self.document, ensure_ascii=False).encode()


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _searchset(kind: str, resources: list[Any]) -> dict[str, Any]:
    entries = [{"resource": one} for one in resources if one["resourceType"] == kind]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def _charts() -> Iterator[dict[str, Any]]:
    """The prefetch of each patient of the laboratory."""
    for path in sorted((FIXTURES / "patients").glob("*.json")):
        resources = [entry["resource"] for entry in _read(path)["entry"]]
        yield {
            "patient": next(one for one in resources if one["resourceType"] == "Patient"),
            "conditions": _searchset("Condition", resources),
            "procedures": _searchset("Procedure", resources),
        }


def _calls() -> Iterator[Original]:
    """Every good call in fixtures/, feedback included, and two orders for every patient of the laboratory."""
    for path in sorted((FIXTURES / "hook_calls").glob("*.json")):
        yield Original(_read(path))
    for path in sorted((FIXTURES / "recorded_calls").glob("[0-9]*.json")):
        request = _read(path)["request"]
        if "body" in request:
            yield Original(request["body"], request["path"])
    for path in sorted((FIXTURES / "spec_examples").glob("*.json")):
        example = _read(path)
        if example["expect"]["status"] == 200:  # the others are refused for their hook, whatever else is in them
            yield Original(example["request"], example["path"])
    for chart in _charts():
        for code in (LUMBAR_PUNCTURE, MRI):
            yield Original(call_about(chart["patient"]["id"], code, prefetch=chart))


def call_about(patient_id: str, code: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """An order-sign call for this patient."""
    call = hook_call(order(code, subject={"reference": f"Patient/{patient_id}"}), **elements)
    call["context"]["patientId"] = patient_id
    return call


def _feedback() -> Iterator[Original]:
    """Feedback on the cards of fixtures/hook_calls, which a service that is fuzzed has issued."""
    card, suggestion = "82e8607f-b66a-56b3-9270-5e1362eb8848", "8b70b8d7-93c9-5dc5-addf-593a1f42c606"
    accepted = {"card": card, "outcome": "accepted", "acceptedSuggestions": [{"id": suggestion}]}
    reason = {
        "code": "action-completed",
        "system": NON_ADHERENCE,
        "display": "Recommended action was already completed",
    }
    overridden = {"card": card, "outcome": "overridden", "overrideReason": {"reason": reason, "userComment": "Done."}}
    when = {"outcomeTimestamp": "2026-11-22T15:31:47.815Z"}
    for document in ({"feedback": [accepted | when, overridden | when]}, overridden | when):
        yield Original(document, f"{SERVICE}/feedback")


FIRST_CALL = Original(_read(FIXTURES / "hook_calls" / "lumbar_puncture_with_stenosis.json"))
CALLS = [*_calls(), *_feedback(), *_feedback(), *_feedback()]  # thrice: of the calls in fixtures/ few are feedback
CHARTS = [Original(chart) for chart in _charts()]
