"""Every topic, loaded once at start. What is incomplete is refused here, by file and line, and never during a call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cards.content.files import ContentError, is_content, line_of, parse_yaml, read_text
from cards.content.service import PageWords, Phrases, Service
from cards.content.texts import Text, load_text
from cards.terminology.site_codes import load_site_codes
from cards.terminology.text_terms import TermsFile, TextTerms
from cards.terminology.value_set import Terminology, load_value_set, with_local_codes

_ROOT = Path(__file__).parent
TOPICS = _ROOT / "topics"
VALUE_SETS = _ROOT / "value_sets"
VIGNETTES = "vignettes.yaml"
LUMBAR_PUNCTURE = TOPICS / "lumbar_puncture"
PATIENT_PAGES = LUMBAR_PUNCTURE / "patient_pages"


@dataclass(frozen=True)
class Topic:
    """One clinical question: its settings, its words, and the value sets it asks.

    `texts`: the texts of the cards, by name. `orders`, `chart`, `levels`: what is asked of an order, of a Condition or
    Procedure, and of the level of the spine. `patient_pages`: by page, then by language. `version`: of the content, a
    hash over every file it comes from.
    """

    service: Service
    phrases: Phrases
    texts: Mapping[str, Text]
    orders: Terminology
    chart: Terminology
    levels: Terminology
    patient_pages: Mapping[str, Mapping[str, Text]]
    page_words: Mapping[str, PageWords]
    version: str

    def __repr__(self) -> str:
        """Not the content, which is long."""
        return f"<Topic {self.service.id} {self.version}>"


def load_topic(
    folder: Path = LUMBAR_PUNCTURE,
    value_sets: Path = VALUE_SETS,
    *,
    local_value_sets: Path | None = None,
    drafts: bool = False,
) -> Topic:
    """Load one topic folder. Raises ContentError at the first fault.

    `local_value_sets`: a site's own folder of codes. `drafts`: also the patient pages that await their translator.
    """
    path = folder / "service.yaml"
    source = read_text(path)
    service = parse_yaml(path, source, Service)
    _check_references(service, path, source)
    words = folder / "text" / "phrases.en.yaml"
    phrases = parse_yaml(words, read_text(words), Phrases)
    texts = {name: load_text(folder / "text" / f"{name}.en.md") for name in text_names(service)}
    terms_path = value_sets / "text_terms.yaml"
    terms = parse_yaml(terms_path, read_text(terms_path), TermsFile)
    known = {*order_value_sets(service), *chart_value_sets(service), *service.levels.values()}
    local = load_site_codes(local_value_sets, known, service.orders, value_sets) if local_value_sets else {}
    files = {f"{one.parent.name}/{one.name}": one for one in content_files(folder, value_sets) if one.name != VIGNETTES}
    if local_value_sets:
        files |= {f"site/{name}": local_value_sets / f"{name}.json" for name in local}

    def terminology(names: Iterable[str]) -> Terminology:
        sets = [load_value_set(value_sets / f"{name}.json") for name in dict.fromkeys(names)]
        merged = [with_local_codes(one, local[one.id]) if one.id in local else one for one in sets]
        return Terminology(merged, TextTerms(terms, [one.id for one in sets]))

    return Topic(
        service,
        phrases,
        texts,
        orders=terminology(order_value_sets(service)),
        chart=terminology(chart_value_sets(service)),
        levels=terminology(service.levels.values()),
        patient_pages={page: _load_pages(page, service, drafts=drafts) for page in page_names(service)},
        page_words={language: _load_words(language) for language in service.patient_languages},
        version=_hash(files),
    )


def without_drafts(topic: Topic) -> Topic:
    """The topic without the patient pages that await their translator."""
    pages = {page: _reviewed(languages) for page, languages in topic.patient_pages.items()}
    return replace(topic, patient_pages=pages)


def content_files(folder: Path = LUMBAR_PUNCTURE, value_sets: Path = VALUE_SETS) -> Iterator[Path]:
    """Every file of content that a clinician may change, vignettes and patient pages included."""
    for place in (folder, folder / "text", value_sets, PATIENT_PAGES):
        yield from (path for path in place.iterdir() if is_content(path))


def text_names(service: Service) -> Iterator[str]:
    """The names of all texts a service needs."""
    yield from service.cards
    yield from (f"pain-class-{name}" for name in service.after_puncture.classes)
    yield from ("patient-instruction", "contributors", "nerve-irritation", "referral")


def page_names(service: Service) -> Iterator[str]:
    """The names of all patient pages that cards link to."""
    yield from dict.fromkeys(page for card in service.cards.values() for page in card.pages)


def order_value_sets(service: Service) -> Iterator[str]:
    """The value sets that are asked of an order and of its reasons."""
    orders = service.orders
    yield from (orders.lumbar_puncture, orders.unless_into_a_device, orders.near_miss)
    yield from (*orders.work_up, *orders.work_up_reasons)
    yield from (referral.value_set for referral in service.after_puncture.referrals.values())


def chart_value_sets(service: Service) -> Iterator[str]:
    """The value sets that are asked of a Condition or a Procedure."""
    orders, after = service.orders, service.after_puncture
    yield from (orders.lumbar_puncture, orders.unless_into_a_device, orders.near_miss)
    yield from (after.pain, after.nerve_symptom)
    yield from (flag.value_set for flag in service.red_flags)
    yield from (kind.value_set for kind in service.contributors if kind.enabled)


def _load_pages(page: str, service: Service, *, drafts: bool) -> dict[str, Text]:
    """One patient page in each language it may be shown in."""
    pages = {language: load_text(PATIENT_PAGES / f"{page}.{language}.md") for language in service.patient_languages}
    return pages if drafts else _reviewed(pages)


def _reviewed(pages: Mapping[str, Text]) -> dict[str, Text]:
    return {language: text for language, text in pages.items() if text.head.get("status") != "draft"}


def _load_words(language: str) -> PageWords:
    path = PATIENT_PAGES / f"words.{language}.yaml"
    return parse_yaml(path, read_text(path), PageWords)


def _check_references(service: Service, path: Path, source: str) -> None:
    """Every link, evidence and class that service.yaml speaks of has to stand in it."""

    def require(holds: bool, what: str, words: str) -> None:
        if not holds:
            raise ContentError(path, what, line_of(source, words))

    for card in service.cards.values():
        for link in (*card.links, *card.fallback_links):
            require(link in service.links, f"a card links to {link!r}, which is not among the links", link)
    for kind in service.contributors:
        found = kind.link is None or kind.link in service.links
        require(found, f"no link {kind.link!r} for {kind.value_set}", f"value-set: {kind.value_set}")
    require(service.source.evidence in service.evidence, "source.evidence is not among the evidence", "\nsource:")
    for name in ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms", "red-flags"):
        require(name in service.cards, f"cards: {name} is missing", "\ncards:")
    shown = service.cards["red-flags"].always_shown
    require(shown, "cards.red-flags: always-shown must be true: nothing may silence a red flag", "\n  red-flags:")
    for name in ("pre-existing", "late-onset", "unknown", "expected", "chronic", "lingering"):
        require(name in service.after_puncture.classes, f"after-puncture.classes: {name} is missing", "classes:")
    indicators = [card.indicator for card in service.cards.values()]
    indicators += [one.indicator for one in service.after_puncture.classes.values()]
    for indicator in (*indicators, *(flag.indicator for flag in service.red_flags)):
        allowed = indicator in ("info", "warning", "critical")
        require(allowed, f"an indicator is info, warning or critical: {indicator}", f"indicator: {indicator}")


def _hash(files: Mapping[str, Path]) -> str:
    """Over names and texts, so that neither the place of the files nor their line ends matter."""
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\n{read_text(path)}".encode())
    return digest.hexdigest()[:12]
