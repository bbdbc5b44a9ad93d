"""Lumbar puncture and back pain, before the puncture.

When   an order for a lumbar puncture is placed (order-select: is among the selected ones) Then   `what-to-expect`:
soreness is common, chronic pain described as exceedingly rare, when to seek help   [spineinfo] [nhs-2023] with the
patient instructions as a suggestion for the order And    where the chart holds possible contributors to back pain:
`confounders`   [spineinfo] But    an urgent order gets `what-to-expect` alone, without suggestions, and the chart is
not read for it: no puncture is delayed
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cards.card import Action, Card, Coding, Link, Source, Suggestion
from cards.catalogue import Topic
from cards.draft_update import with_patient_instruction
from cards.findings import Finding, find_contributors
from cards.orders import DraftOrder
from cards.record import PatientRecord
from cards.text_terms import fold
from cards.texts import Citations
from cards.wording import list_evidence, list_findings, not_read, summary_with


@dataclass(frozen=True)
class Triage:
    """The orders we speak about, and what of the chart that takes: keys of the service's prefetch."""

    lumbar_punctures: tuple[DraftOrder, ...]
    urgent: bool
    needs: tuple[str, ...]


def triage(orders: Sequence[DraftOrder], topic: Topic) -> Triage | None:
    """What of these orders is ours to speak about; None, for nearly every order in a hospital, means silence."""
    punctures = tuple(order for order in orders if is_lumbar_puncture(order, topic))
    if not punctures:
        return None
    urgent = any(order.priority in topic.service.orders.urgent_priorities for order in punctures)
    return Triage(punctures, urgent, () if urgent else tuple(topic.service.prefetch))


def is_lumbar_puncture(order: DraftOrder, topic: Topic) -> bool:
    """By code, in any code system; by words only where no code decides, and then only if they are certain.

    Intrathecal chemotherapy is a lumbar puncture unless the draft speaks, anywhere, of a reservoir or a pump.
    """
    settings = topic.service.orders
    value_sets = {match.value_set for match in topic.orders.match(order.concept) if match.certain}
    if settings.lumbar_puncture in value_sets:
        return True
    if settings.unless_into_a_device in value_sets:
        draft = fold(order.raw.decode(errors="replace"))
        return not any(word in draft for word in settings.device_words)
    return False


def decide(found: Triage, record: PatientRecord | None, topic: Topic, today: date) -> tuple[Card, ...]:
    """The cards, most urgent first. `record` is None for an urgent order, for which no chart is read."""
    if found.urgent or record is None:
        return (_what_to_expect(found, None, topic),)
    findings = find_contributors(record, topic, today)
    cards = [_what_to_expect(found, record, topic)]
    if findings:
        cards.append(_confounders(findings, record, topic))
    return tuple(cards)


def _what_to_expect(found: Triage, record: PatientRecord | None, topic: Topic) -> Card:
    values = {"not_read": not_read(record, topic) if record else ""}
    settings = topic.service.cards["what-to-expect"]
    links = [Link(topic.patient_pages[page].head["title"], page=page) for page in settings.pages]
    links += _patient_links(settings.links, record, topic)
    suggestions = () if found.urgent else _instruction_suggestion(found.lumbar_punctures, topic)
    checked = record is None or record.conditions.obtained
    summary = topic.texts["what-to-expect"].head["summary" if checked else "summary-not-checked"]
    return _card("what-to-expect", summary, values, topic, links, suggestions)


def _confounders(findings: Sequence[Finding], record: PatientRecord, topic: Topic) -> Card:
    serious = [finding for finding in findings if finding.kind.serious]
    contributors = [finding for finding in findings if not finding.kind.serious]
    head = topic.texts["confounders"].head
    summary = summary_with(head["summary"] if contributors else head["summary-serious"], contributors or serious, topic)
    values = {
        "contributors": list_findings(contributors, topic),
        "serious": list_findings(serious, topic),
        "not_read": not_read(record, topic),
    }
    wanted = dict.fromkeys(finding.kind.link for finding in contributors if finding.kind.link)
    return _card("confounders", summary, values, topic, _patient_links(wanted, record, topic), ())


def _instruction_suggestion(orders: Sequence[DraftOrder], topic: Topic) -> tuple[Suggestion, ...]:
    """One suggestion that updates every lumbar puncture order which does not hold the instruction yet."""
    text = topic.texts["patient-instruction"]
    updates = [with_patient_instruction(order, text.plain_body()) for order in orders]
    actions = tuple(Action("update", text.head["action"], update) for update in updates if update is not None)
    return (Suggestion("patient-instruction", text.head["suggestion"], actions),) if actions else ()


def _patient_links(keys: Iterable[str], record: PatientRecord | None, topic: Topic) -> list[Link]:
    """Pages to hand to the patient, in Spanish where the patient prefers it and a Spanish page is known."""
    links = []
    for key in keys:
        pages = topic.service.links[key]
        page = pages.es if record and record.language == "es" and pages.es else pages.en
        links.append(Link(page.label, url=page.url))
    return links


def _card(
    key: str,
    summary: str,
    values: Mapping[str, str],
    topic: Topic,
    links: Sequence[Link],
    suggestions: tuple[Suggestion, ...],
) -> Card:
    service = topic.service
    citations = Citations()
    body = topic.texts[key].body(values, citations)
    source = Source(service.source.label, service.evidence[service.source.evidence].url or "", service.topic)
    reasons = service.override_reasons
    return Card(
        key,
        summary,
        f"{body}\n\n{list_evidence(citations, topic)}",
        service.cards[key].indicator,
        source,
        tuple(links),
        suggestions,
        tuple(Coding(reasons.system, code, display) for code, display in reasons.codes.items()),
    )
