"""What loading does not refuse and must still not be served: all checks, those of service.yaml, dates of review.

The checks of one kind of file stand in texts, patient_pages, value_sets and boundaries; card_length and us_english
look at the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

from cards.checks.faults import fault_at, load_or_report
from cards.checks.patient_pages import find_page_faults, find_page_word_faults, review_day
from cards.checks.texts import find_card_faults
from cards.checks.us_english import find_word_faults
from cards.checks.value_sets import find_invalid_value_sets, find_value_set_faults
from cards.content.rules import Step
from cards.content.service import Service
from cards.content.texts import Text, load_text
from cards.topic import Topic

_LEGAL_TOKENS = frozenset({"context.userId", "context.patientId", "context.encounterId"})


def find_faults(topics: Collection[Topic], today: date) -> list[str]:
    """Every fault that is quick to find, but not what is due for review, for which there is `find_stale`."""
    faults = [fault for topic in topics for fault in find_topic_faults(topic, today)]
    return faults + find_value_set_faults(topics)


def find_topic_faults(topic: Topic, today: date) -> list[str]:
    """Those of the topic's own settings, texts and pages."""
    service, files = topic.service, topic.files
    faults: list[str] = []
    read: list[Text] = []
    for language in service.languages:
        texts = _load(faults, service.text_names(), language, files.text)
        faults += find_card_faults(topic, texts, files.phrases(language))
        read += texts.values()
    originals: dict[str, Text] = {}
    for language in service.patient_languages:
        faults += find_page_word_faults(files.page_words(language))
        pages = _load(faults, service.page_names(), language, files.patient_page)
        for name, page in pages.items():
            faults += find_page_faults(page, originals.setdefault(name, page), service, language)
        read += pages.values()
    faults += [*_unused_evidence(service, read, files.service), *_setting_faults(topic), *find_word_faults(topic)]
    future = (review for review in _reviews(topic) if review[1] > today)
    return faults + [fault_at(path, f"{_dotted(way)} {day} is in the future", *way) for path, day, way in future]


def find_slow_faults(topics: Iterable[Topic]) -> list[str]:
    """What takes too long for a start: whether the value sets are valid FHIR R4."""
    return find_invalid_value_sets(topics)


def find_stale(topic: Topic, today: date) -> list[str]:
    """What was last reviewed longer ago than review-every-days: the service, a page, a source, a link."""
    most = topic.service.review_every_days
    return [
        fault_at(path, f"{_dotted(way)} {day} is more than {most} days ago: review it and set the date", *way)
        for path, day, way in _reviews(topic)
        if (today - day).days > most
    ]


def review_due(topic: Topic) -> date:
    """The last day on which `find_stale` finds nothing."""
    oldest = min(day for _, day, _ in _reviews(topic))
    return oldest + timedelta(days=topic.service.review_every_days)


def _load(
    faults: list[str], names: Iterable[str], language: str, path_of: Callable[[str, str], Path]
) -> dict[str, Text]:
    """The texts of one language; each that cannot be loaded is a fault."""
    loaded = ((name, load_or_report(faults, path_of(name, language), load_text)) for name in names)
    return {name: text for name, text in loaded if text}


def _unused_evidence(service: Service, texts: Iterable[Text], settings: Path) -> Iterator[str]:
    cited = {card.source for card in service.cards.values()}.union(*(text.cited for text in texts))
    cited |= {key for source in service.evidence.values() for key in source.related}
    for key in service.evidence:
        if key not in cited:
            yield fault_at(settings, f"nothing cites {key}", "evidence", key)


def _setting_faults(topic: Topic) -> Iterator[str]:
    path = topic.files.service
    for key, template in topic.service.prefetch.items():
        for token in re.findall(r"\{\{(.*?)\}\}", template):
            if token not in _LEGAL_TOKENS:
                yield fault_at(path, f"{{{{{token}}}}} is not a first-level token", "prefetch", key)
    for what, way in topic.rules.service_faults:
        yield fault_at(path, what, *way)


def _reviews(topic: Topic) -> Iterator[tuple[Path, date, tuple[Step, ...]]]:
    """Every day on which something was reviewed, with its file and the way to it."""
    service, files = topic.service, topic.files
    path = files.service
    yield path, service.reviewed_on, ("reviewed-on",)
    yield from ((path, link.checked_on, ("links", key, "checked-on")) for key, link in service.links.items())
    yield from ((path, source.checked_on, ("evidence", key, "checked-on")) for key, source in service.evidence.items())
    for language in service.patient_languages:
        for page in _load([], service.page_names(), language, files.patient_page).values():
            day = review_day(page)
            if day:
                yield page.path, day, ("reviewed-on",)


def _dotted(way: tuple[Step, ...]) -> str:
    return ".".join(map(str, way))
