"""Concepts and matches in words, for explanations."""

from __future__ import annotations

from collections.abc import Iterable

from cards.fhir.resources import CodeableConcept
from cards.terminology.code_systems import find_code_system
from cards.terminology.match import Match
from cards.topic import Fact

Paragraph = tuple[str, list[Fact]]  # a title and the facts below it


def quote_words(concepts: Iterable[CodeableConcept]) -> str:
    """The chart's own words, each once: “Asthma”, “Bronchial asthma”."""
    words = [text for concept in concepts for text in concept.texts]
    return ", ".join(f"“{text}”" for text in dict.fromkeys(words)) or "none"


def list_codes(concepts: Iterable[CodeableConcept]) -> str:
    """ "CPT 72148, XR1 of http://example.org/orders"."""
    codes = []
    for coding in (coding for concept in concepts for coding in concept.coding if coding.code):
        system = find_code_system(coding.system)
        unknown = f"{coding.code} of {coding.system or 'no code system'}"
        codes.append(f"{system.name} {coding.code}" if system else unknown)
    return ", ".join(dict.fromkeys(codes)) or "none"


def list_matches(matches: Iterable[Match]) -> str:
    """ "asthma, by ICD-10-CM J45.909; obesity, by its words, doubted"."""
    return "; ".join(dict.fromkeys(f"{match.value_set}, {matched_by(match)}" for match in matches))


def matched_by(match: Match) -> str:
    """ "by ICD-10-CM J45.909", "by its words, doubted"."""
    doubt = "" if match.certain else ", doubted"
    return f"by {match.code_system} {match.code}" if match.code else f"by its words{doubt}"


def name_resource(resource_type: str, resource_id: str | None, index: int) -> str:
    """ "Condition/1"; without an id "Condition [3]", by its place from 0; without a type "entry [3]"."""
    kind = resource_type or "entry"
    return f"{kind}/{resource_id}" if resource_type and resource_id else f"{kind} [{index}]"
