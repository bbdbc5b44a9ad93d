"""A card put together: actions, what this chart holds, sources, links, override reasons, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cards.card import EVIDENCE_PAGE, Card, Coding, Link, Provenance, Source, Suggestion
from cards.content.texts import Text, fill
from cards.fhir.draft_orders import DraftOrder
from cards.record.patient_record import PatientRecord
from cards.terminology.match import Match
from cards.topic import Content
from cards.writing.medlineplus import connect_links


def make_card(
    key: str,
    summary: str,
    topic: Content,
    *,
    actions: Sequence[Text],
    findings: Sequence[str] = (),
    not_checked: str = "",
    also_cited: Sequence[Text] = (),
    source: str | None = None,
    indicator: str | None = None,
    links: Sequence[Link] = (),
    suggestions: tuple[Suggestion, ...] = (),
    provenance: tuple[Provenance, ...] = (),
    classification: str | None = None,
    orders: Iterable[DraftOrder] = (),
) -> Card:
    """The card of this key. `actions`: its texts, in order. `findings`: a line each. `source`: a key of the evidence.

    `also_cited`: texts that the findings quote. `orders`: the draft orders that the card is about.
    """
    service, settings = topic.service, topic.service.cards[key]
    return Card(
        key,
        summary,
        write_detail(actions, findings, not_checked, topic),
        indicator or settings.indicator,
        _source(source or settings.source, topic),
        tuple(links),
        suggestions,
        tuple(
            Coding(service.override_reasons.system, code, service.override_reasons.codes[code].display)
            for code in settings.override_reasons
        ),
        topic.version,
        provenance,
        classification,
        settings.always_shown,
        write_sources((*actions, *also_cited), topic),
        tuple(dict.fromkeys(order.reference for order in orders if order.reference)),
    )


def write_detail(actions: Sequence[Text], findings: Sequence[str], not_checked: str, topic: Content) -> str:
    """What to do, then what this chart holds, then what was not checked; in Markdown, without the line of sources."""
    blocks = ["\n".join(text.body for text in actions)]
    if findings:
        lines = "\n".join(f"- {line}" for line in findings)
        blocks.append(f"**{topic.phrases.in_this_chart}**\n{lines}")
    return "\n\n".join((*blocks, not_checked) if not_checked else blocks)


def write_sources(texts: Iterable[Text], topic: Content) -> str:
    """The line of sources: the short name of each, and a link to the evidence page, whose address is not known here."""
    keys = dict.fromkeys(key for text in texts for key in text.cited)
    names = "; ".join(topic.service.evidence[key].short for key in keys)
    return fill(topic.phrases.sources, {"names": names, "page": EVIDENCE_PAGE})


def card_links(
    key: str,
    more: Iterable[str | None],
    record: PatientRecord,
    topic: Content,
    coded: Iterable[tuple[str, Match]] = (),
) -> list[Link]:
    """The links of a card: its patient pages, its own links, and `more` by their keys; in the patient's language.

    Its fallback links are added where none of these is in that language. `coded`: problems whose codes MedlinePlus
    Connect is to look up, the foremost first, by our name; as many are linked as a summary names.
    """
    settings, language = topic.service.cards[key], record.language or "en"
    links = [_page_link(page, language, topic) for page in settings.pages]
    wanted = dict.fromkeys(name for name in (*settings.links, *more) if name)
    links += [_patient_link(name, language, topic) for name in wanted]
    if language in topic.service.patient_languages and all(link.language != language for link in links):
        links += [_patient_link(name, language, topic) for name in settings.fallback_links]
    return links + connect_links(coded, language)[: topic.service.settings.most_findings_in_summary]


def evidence_links(keys: Iterable[str], topic: Content) -> list[Link]:
    """A link to each of these sources, as a clinician uses it."""
    sources = (topic.service.evidence[key] for key in dict.fromkeys(keys))
    return [Link(source.label, url=source.url) for source in sources]


def _source(key: str, topic: Content) -> Source:
    evidence = topic.service.evidence[key]
    return Source(evidence.label, evidence.url or "", topic.service.topic)


def _page_link(page: str, language: str, topic: Content) -> Link:
    pages = topic.patient_pages[page]
    spoken = language if language in pages else "en"
    return Link(pages[spoken].head["title"], page=page, language=spoken)


def _patient_link(key: str, language: str, topic: Content) -> Link:
    link = topic.service.links[key]
    if language == "es" and link.es:
        return Link(link.es.label, url=link.es.url, language="es")
    return Link(link.en.label, url=link.en.url)
