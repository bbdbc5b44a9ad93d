"""A card put together: text, evidence, links, override reasons, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cards.card import Card, Coding, Link, Provenance, Source, Suggestion
from cards.content.texts import Citations
from cards.record.patient_record import PatientRecord
from cards.topic import Content
from cards.writing.wording import list_evidence


def make_card(
    key: str,
    summary: str,
    values: Mapping[str, str],
    topic: Content,
    *,
    citations: Citations,
    indicator: str | None = None,
    links: Sequence[Link] = (),
    suggestions: tuple[Suggestion, ...] = (),
    provenance: tuple[Provenance, ...] = (),
    classification: str | None = None,
) -> Card:
    """The card of this key. `values` fill its text; `citations` may have those of texts within it already."""
    service = topic.service
    body = topic.texts[key].body(values, citations)
    reasons = service.override_reasons
    return Card(
        key,
        summary,
        f"{body}\n\n{list_evidence(citations, topic)}",
        indicator or service.cards[key].indicator,
        Source(service.source.label, service.evidence[service.source.evidence].url or "", service.topic),
        tuple(links),
        suggestions,
        tuple(Coding(reasons.system, code, display) for code, display in reasons.codes.items()),
        topic.version,
        provenance,
        classification,
        service.cards[key].always_shown,
    )


def card_links(key: str, more: Iterable[str | None], record: PatientRecord, topic: Content) -> list[Link]:
    """The links of a card: its patient pages, its own links, and `more` by their keys; in the patient's language.

    Its fallback links are added where none of these is in that language.
    """
    settings, language = topic.service.cards[key], record.language or "en"
    links = [_page_link(page, language, topic) for page in settings.pages]
    wanted = dict.fromkeys(name for name in (*settings.links, *more) if name)
    links += [_patient_link(name, language, topic) for name in wanted]
    if language in topic.service.patient_languages and all(link.language != language for link in links):
        links += [_patient_link(name, language, topic) for name in settings.fallback_links]
    return links


def _page_link(page: str, language: str, topic: Content) -> Link:
    pages = topic.patient_pages[page]
    spoken = language if language in pages else "en"
    return Link(pages[spoken].head["title"], page=page, language=spoken)


def _patient_link(key: str, language: str, topic: Content) -> Link:
    link = topic.service.links[key]
    if language == "es" and link.es:
        return Link(link.es.label, url=link.es.url, language="es")
    return Link(link.en.label, url=link.en.url)
