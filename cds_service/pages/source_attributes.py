"""The thirteen source attributes of an evidence-based decision support intervention.

45 CFR 170.315(b)(11)(iv)(A)(1) to (13), in this order: a certified EHR has to let its users read them for each
intervention (https://www.ecfr.gov/current/title-45/section-170.315).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cards.content.service import Evidence, Service

REGULATION = "45 CFR 170.315(b)(11)(iv)(A)"


class SourceAttribute(msgspec.Struct, frozen=True):
    """One attribute. `name`: as the regulation has it, shortened."""

    id: str
    name: str
    value: str


def source_attributes(service: Service, version: str, sources: Iterable[Evidence]) -> tuple[SourceAttribute, ...]:
    """The attributes of a card. `version`: of the content; `sources`: the evidence that the card cites."""
    about, used = service.about, service.use_of_patient_attributes()
    dates = (
        f"Released {about.released_on}; revised {about.revised_on}; reviewed {service.reviewed_on}. "
        f"Content version {version}."
    )
    values = (
        ("bibliographic-citation", "Bibliographic citation of the intervention", _citations(sources)),
        ("developer", "Developer of the intervention", about.developer),
        ("funding", "Funding source of the technical implementation", about.funding),
        ("dates", "Release and revision dates of the intervention", dates),
        *((name, f"Use of {name.replace('-', ' ')}", use) for name, use in used.items()),
    )
    return tuple(SourceAttribute(*value) for value in values)


def _citations(sources: Iterable[Evidence]) -> str:
    return " ".join(f"{source.citation} {source.url}" if source.url else source.citation for source in sources)
