"""The parameters of GET /infobutton, read as HL7's URL-based guide and MedlinePlus Connect name them.

HL7 Context-Aware Knowledge Retrieval ("Infobutton"), URL-Based Implementation Guide, Release 4. What an EHR sends of
the patient (age, sex) or of itself is not looked at, and nothing that was sent is repeated in a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from werkzeug.datastructures import MIMEAccept, MultiDict

from cards.fhir.resources import CodeableConcept, Coding
from cds_service.cds_hooks.hook_response import FIRST_LANGUAGE

ATOM, JSON, HTML = "application/atom+xml", "application/json", "text/html"
_FORMATS = (
    ATOM,
    JSON,
    HTML,
    "text/xml",
    "application/xml",
)  # where an Accept header ranks them equal, the first of them
PATIENT, _CLINICIANS = "PAT", ("PROV", "PAYOR")
_CRITERIA = re.compile(r"mainSearchCriteria\.v\.(c|cs|dn|ot)([0-9]{0,3})")
_MOST_CRITERIA = 10
_MEMBERS = {"c": ("code", 100), "cs": ("system", 100), "dn": ("display", 500), "ot": ("text", 500)}  # most characters
_LANGUAGES = {"sp": "es", "spa": "es", "eng": "en"}  # "sp" is MedlinePlus Connect's; the others are ISO 639-2


class InfobuttonFault(Exception):
    """A request that cannot be answered; the message tells the integrator what to send."""


@dataclass(frozen=True)
class Criterion:
    """One `mainSearchCriteria`: a code and its system, what the EHR displays for it, or the text somebody wrote."""

    code: str = ""
    system: str = ""
    display: str = ""
    text: str = ""

    @property
    def concept(self) -> CodeableConcept:
        """The criterion as a concept of FHIR. Words without a code count as its text."""
        if not self.code:
            return CodeableConcept(text=self.text or self.display)
        coding = Coding(system=self.system, code=self.code, display=self.display or None)
        return CodeableConcept(coding=[coding], text=self.text or None)


@dataclass(frozen=True)
class InfobuttonRequest:
    """What is asked for. `recipient`: PAT, PROV or PAYOR. `language`: its first part, such as "es" of "es-MX"."""

    criteria: tuple[Criterion, ...]
    recipient: str
    language: str

    @property
    def is_for_patient(self) -> bool:
        return self.recipient == PATIENT


def read_format(parameters: MultiDict[str, str], accept: MIMEAccept) -> str:
    """The media type of the answer: `knowledgeResponseType`, else what the Accept header likes best, else Atom.

    Raises InfobuttonFault where `knowledgeResponseType` names no type that is served.
    """
    wanted = parameters.get("knowledgeResponseType", "").partition(";")[0].strip().lower()
    if not wanted:
        return accepted_format(accept)
    if wanted == "application/javascript":
        raise InfobuttonFault(
            "JSONP is not served: send knowledgeResponseType=application/json, which any web page may read (CORS)"
        )
    if wanted not in _FORMATS:
        raise InfobuttonFault(f"knowledgeResponseType must be one of {', '.join(_FORMATS)}; without it, {ATOM} is sent")
    return wanted


def accepted_format(accept: MIMEAccept) -> str:
    """What the Accept header likes best, else Atom."""
    return accept.best_match(_FORMATS, ATOM)


def read_request(parameters: MultiDict[str, str]) -> InfobuttonRequest:
    """What is asked for. Raises InfobuttonFault."""
    recipient = parameters.get("informationRecipient", PATIENT).strip().upper() or PATIENT
    if recipient not in (PATIENT, *_CLINICIANS):
        raise InfobuttonFault("informationRecipient must be PAT (pages for patients) or PROV (evidence for clinicians)")
    tag = parameters.get("informationRecipient.languageCode.c", "").strip().lower()
    language = re.split("[-_]", tag)[0]
    if not re.fullmatch("[a-z]{2,3}", language):
        language = FIRST_LANGUAGE
    return InfobuttonRequest(_criteria(parameters), recipient, _LANGUAGES.get(language, language))


def _criteria(parameters: MultiDict[str, str]) -> tuple[Criterion, ...]:
    """Each `mainSearchCriteria`, by the number at the end of its parameters: none, or 0, 1, 2 and so on."""
    by_number: dict[str, dict[str, str]] = {}
    for name, values in parameters.lists():
        parameter = _CRITERIA.fullmatch(name)
        if not parameter:
            continue
        if len(values) > 1:
            raise InfobuttonFault(
                "a mainSearchCriteria parameter is sent twice: number further criteria, as in mainSearchCriteria.v.c1 "
                "and mainSearchCriteria.v.cs1"
            )
        member, most = _MEMBERS[parameter[1]]
        if len(values[0]) > most:
            raise InfobuttonFault(f"mainSearchCriteria.v.{parameter[1]} is longer than {most} characters")
        if value := values[0].strip():
            by_number.setdefault(parameter[2], {})[member] = value
    if len(by_number) > _MOST_CRITERIA:
        raise InfobuttonFault(f"there are more than {_MOST_CRITERIA} mainSearchCriteria: send fewer")
    criteria = tuple(Criterion(**by_number[number]) for number in sorted(by_number, key=lambda text: int(text or -1)))
    if not criteria:
        raise InfobuttonFault(
            "mainSearchCriteria is missing: send the code as mainSearchCriteria.v.c and the OID of its code system as "
            "mainSearchCriteria.v.cs, such as 2.16.840.1.113883.6.90 for ICD-10-CM"
        )
    for criterion in criteria:
        _check(criterion)
    return criteria


def _check(criterion: Criterion) -> None:
    if criterion.code and not criterion.system:
        raise InfobuttonFault(
            "mainSearchCriteria.v.cs is missing: send the OID of the code system beside the code, such as "
            "2.16.840.1.113883.6.90 for ICD-10-CM or 2.16.840.1.113883.6.96 for SNOMED CT"
        )
    if not (criterion.code or criterion.display or criterion.text):
        raise InfobuttonFault("mainSearchCriteria.v.c is missing: send the code beside its code system")
