"""The public addresses of what a card or the discovery document links to."""

from __future__ import annotations

from cards.content.service import Service

FIRST_LANGUAGE = "en"  # every patient page is there in it; translations have the same headings in the same places


def patient_page_address(base_url: str, page: str, language: str) -> str:
    """A patient page, in a language."""
    return f"{base_url}/education/{page}" + ("" if language == FIRST_LANGUAGE else f"?lang={language}")


def evidence_address(base_url: str, service_id: str, card: str) -> str:
    """The evidence page of a card."""
    return f"{base_url}/evidence/{service_id}/{card}"


def code_system_id(service: Service) -> str:
    """The id of the CodeSystem of a service's override reasons, and of the ConceptMap that maps them."""
    return f"{service.id}.override-reasons"


def override_reason_addresses(base_url: str, service: Service) -> dict[str, str]:
    """Where the CodeSystem and the ConceptMap of a service are served."""
    name = code_system_id(service)
    return {"codeSystem": f"{base_url}/fhir/CodeSystem/{name}", "conceptMap": f"{base_url}/fhir/ConceptMap/{name}"}
