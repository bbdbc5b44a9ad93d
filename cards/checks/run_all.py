"""What loading does not refuse but nobody should serve: every check at once, those of service.yaml, dates of review.

The checks of one kind of file stand in text_check, page_check and value_set_check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from cards.catalogue import LUMBAR_PUNCTURE, PATIENT_PAGES, VALUE_SETS, Topic, page_names, text_names
from cards.checks.faults import Step, fault_at, load_or_tell
from cards.checks.patient_pages import find_page_faults, find_page_word_faults, review_day
from cards.checks.texts import find_card_faults
from cards.checks.thresholds import boundary_settings
from cards.checks.value_sets import find_invalid_value_sets, find_value_set_faults
from cards.content.service import Service
from cards.content.texts import Text, load_text
from cards.topics.lumbar_puncture.decision.findings import UNSPECIFIED

_LEGAL_TOKENS = frozenset({"context.userId", "context.patientId", "context.encounterId"})


def find_faults(
    topic: Topic,
    today: date,
    folder: Path = LUMBAR_PUNCTURE,
    value_sets: Path = VALUE_SETS,
    patient_pages: Path = PATIENT_PAGES,
) -> list[str]:
    """Every fault that is found quickly, but not what is due for review, for which there is `find_stale`."""
    service, settings = topic.service, folder / "service.yaml"
    faults: list[str] = []
    spoken: list[Text] = []
    for language in service.languages:
        texts = _load(faults, folder / "text", text_names(service), language)
        faults += find_card_faults(topic, texts, folder / "text" / f"phrases.{language}.yaml")
        spoken += texts.values()
    originals: dict[str, Text] = {}
    for language in service.patient_languages:
        faults += find_page_word_faults(patient_pages / f"words.{language}.yaml")
        pages = _load(faults, patient_pages, page_names(service), language)
        for name, page in pages.items():
            faults += find_page_faults(page, originals.setdefault(name, page), service, language)
        spoken += pages.values()
    faults += _unused_evidence(service, spoken, settings)
    faults += [*_setting_faults(service, settings), *find_value_set_faults(service, value_sets)]
    future = (one for one in _reviews(service, settings, patient_pages) if one[1] > today)
    return faults + [fault_at(path, f"{_dotted(way)} {day} is in the future", *way) for path, day, way in future]


def find_slow_faults(value_sets: Path = VALUE_SETS) -> list[str]:
    """What takes too long for a start: whether the value sets are valid FHIR R4."""
    return find_invalid_value_sets(value_sets)


def find_stale(
    topic: Topic, today: date, folder: Path = LUMBAR_PUNCTURE, patient_pages: Path = PATIENT_PAGES
) -> list[str]:
    """What nobody has looked at for longer than review-every-days: the service, a page, a source, a link."""
    most = topic.service.review_every_days
    return [
        fault_at(path, f"{_dotted(way)} {day} is more than {most} days ago: review it and set the date", *way)
        for path, day, way in _reviews(topic.service, folder / "service.yaml", patient_pages)
        if (today - day).days > most
    ]


def review_due(topic: Topic, folder: Path = LUMBAR_PUNCTURE, patient_pages: Path = PATIENT_PAGES) -> date:
    """The last day on which `find_stale` finds nothing."""
    oldest = min(day for _, day, _ in _reviews(topic.service, folder / "service.yaml", patient_pages))
    return oldest + timedelta(days=topic.service.review_every_days)


def find_missing_boundaries(topic: Topic, marked: Mapping[str, set[int]], folder: Path = LUMBAR_PUNCTURE) -> list[str]:
    """The numbers that no vignette holds in place. `marked`: by setting, which of +1 and -1 some vignette notices."""
    settings, numbers = folder / "service.yaml", boundary_settings(topic.service)
    faults = []
    for path in numbers:
        for delta in sorted({1, -1} - marked.get(path, set()), reverse=True):
            what = f"no vignette would notice if {path} were {numbers[path] + delta} and not {numbers[path]}"
            faults.append(fault_at(settings, what, *_way_to(path, topic.service)))
    unknown = sorted(marked.keys() - numbers.keys())
    return faults + [
        fault_at(settings, f"vignettes mark {path!r}, which is no number that decides") for path in unknown
    ]


def _load(faults: list[str], folder: Path, names: Iterable[str], language: str) -> dict[str, Text]:
    """The texts of one language; what cannot be loaded is a fault."""
    loaded = ((name, load_or_tell(faults, folder / f"{name}.{language}.md", load_text)) for name in names)
    return {name: text for name, text in loaded if text}


def _unused_evidence(service: Service, texts: Iterable[Text], settings: Path) -> Iterator[str]:
    cited = {service.source.evidence}.union(*(text.cited() for text in texts))
    for key in service.evidence:
        if key not in cited:
            yield fault_at(settings, f"nothing cites {key}", "evidence", key)


def _setting_faults(service: Service, settings: Path) -> Iterator[str]:
    for key, template in service.prefetch.items():
        for token in re.findall(r"\{\{(.*?)\}\}", template):
            if token not in _LEGAL_TOKENS:
                yield fault_at(settings, f"{{{{{token}}}}} is no first-level token (R-3.4)", "prefetch", key)
    for place, level in enumerate(service.settings.levels):
        if level not in (*service.levels, UNSPECIFIED):
            yield fault_at(settings, f"no level is called {level!r}", "settings", "levels", place)


def _reviews(service: Service, settings: Path, pages: Path) -> Iterator[tuple[Path, date, tuple[Step, ...]]]:
    """Every day on which somebody looked at something, with its file and the way to it."""
    yield settings, service.reviewed_on, ("reviewed-on",)
    yield from ((settings, one.checked_on, ("links", key, "checked-on")) for key, one in service.links.items())
    yield from ((settings, one.checked_on, ("evidence", key, "checked-on")) for key, one in service.evidence.items())
    for language in service.patient_languages:
        for page in _load([], pages, page_names(service), language).values():
            day = review_day(page)
            if day:
                yield page.path, day, ("reviewed-on",)


def _way_to(path: str, service: Service) -> tuple[Step, ...]:
    """The way to one of `boundary_settings` in service.yaml."""
    part, *of_kind, key = path.split(".")
    kinds = {
        "red-flags": [flag.value_set for flag in service.red_flags],
        "contributors": [kind.value_set for kind in service.contributors],
    }
    return (part, *(kinds[part].index(kind) for kind in of_kind), key)


def _dotted(way: tuple[Step, ...]) -> str:
    return ".".join(map(str, way))
