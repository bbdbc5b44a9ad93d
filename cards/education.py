"""What to read about a coded problem, order or procedure: the patient pages and evidence that a topic has for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cards.content.service import Education
from cards.fhir.resources import CodeableConcept
from cards.topic import Topic


def education_about(topic: Topic, concepts: Iterable[CodeableConcept]) -> tuple[Education, ...]:
    """The education of service.yaml whose value sets hold one of the concepts, what is only related last.

    By code, or else by words, as an order or an entry of a chart is read; words that leave a doubt do not count.
    """
    held = frozenset(_value_sets(topic, concepts))
    found = (education for education in topic.service.education if not held.isdisjoint(education.value_sets))
    return tuple(sorted(found, key=lambda education: education.related))


def _value_sets(topic: Topic, concepts: Iterable[CodeableConcept]) -> Iterator[str]:
    for concept in concepts:
        for terminology in (topic.orders, topic.chart):
            yield from (match.value_set for match in terminology.match(concept) if match.certain)
