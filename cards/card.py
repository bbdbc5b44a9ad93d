"""Cards in the specification's terms (https://cds-hooks.hl7.org/2.0/#cds-service-response), without ids and without
JSON.

A card carries no uuid: ids belong to a call, and cards are the same for every call with the same input.
"""

from __future__ import annotations

from dataclasses import dataclass

EVIDENCE_PAGE = (
    "{evidence-page}"  # in a card's line of sources: where the service puts the address of the evidence page
)


@dataclass(frozen=True)
class Coding:
    """A Coding (R-4.39); `display` is obligatory in override reasons only."""

    system: str
    code: str
    display: str


@dataclass(frozen=True)
class Source:
    """The primary source of the guidance (R-4.35 to R-4.38)."""

    label: str
    url: str
    topic: Coding


@dataclass(frozen=True)
class Link:
    """An absolute link. `page`: a patient page of ours, to which the service gives its own address; else `url`."""

    label: str
    url: str | None = None
    page: str | None = None
    language: str = "en"


@dataclass(frozen=True)
class Action:
    """One action of a suggestion (R-4.45 to R-4.48). `resource`: FHIR JSON."""

    type: str
    description: str
    resource: bytes


@dataclass(frozen=True)
class Suggestion:
    """One suggestion (R-4.40). `key` names it within its card."""

    key: str
    label: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Provenance:
    """A chart entry that a card is based on, for machines. `resource`: "Condition/1", or its type if it has no id.

    `role`: the part it plays in the decision, in a word of the topic. `date`: onset or performed, else recorded, as in
    the chart. `system` and `code` are None where words were recognized.
    """

    role: str
    resource: str
    system: str | None
    code: str | None
    date: str | None
    value_set: str
    version: str


@dataclass(frozen=True)
class Card:
    """One card (R-4.20 to R-4.34). `key` names it within its service; `detail` is GitHub-flavored Markdown.

    `content_version`, `provenance` and `classification` (a word of the topic, if any) are sent in its `extension`.
    `always_shown`: no setting of a client or site may suppress it. `orders`: the draft orders it is about, as
    "ServiceRequest/order-1"; those without an id are left out.
    """

    key: str
    summary: str
    detail: str
    indicator: str
    source: Source
    links: tuple[Link, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    override_reasons: tuple[Coding, ...] = ()
    content_version: str = ""
    provenance: tuple[Provenance, ...] = ()
    classification: str | None = None
    always_shown: bool = False
    sources: str = ""
    orders: tuple[str, ...] = ()

    def full_detail(self, evidence_page: str) -> str:
        """The detail with its line of sources. `evidence_page`: the public URL of the card's evidence page."""
        return f"{self.detail}\n\n{self.sources.replace(EVIDENCE_PAGE, evidence_page)}"
