"""The content of a topic, loaded from its files; what is incomplete is refused here, by file and line.

A topic is a subclass of TopicContent with `triage`, `decide`, `order_meaning` and `explain`; the rest of the Topic
protocol has a default here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import ClassVar, Self

from cards.content.files import ContentError, is_content, line_of, parse_yaml, read_text
from cards.content.phrases import PageWords, Phrases, SectionNotes
from cards.content.rules import ContentRules
from cards.content.service import Service
from cards.content.texts import Text, load_text
from cards.content.topic_files import TopicFiles
from cards.fhir.draft_orders import DraftOrder
from cards.order_catalogue import OrderCatalogue
from cards.record.patient_record import PatientRecord
from cards.terminology.site_codes import load_site_codes
from cards.terminology.value_set import ValueSet, load_value_set, with_local_codes
from cards.terminology.value_set_index import Terminology
from cards.timeline import Timeline
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import LexiconContent, load_lexicon


@dataclass(frozen=True)
class TopicContent:
    """The files of a topic, read. `terminologies`: those of `Service.terminologies`, by the same names."""

    files: TopicFiles
    service: Service
    phrases: Phrases
    texts: Mapping[str, Text]
    terminologies: Mapping[str, Terminology]
    patient_pages: Mapping[str, Mapping[str, Text]]
    page_words: Mapping[str, PageWords]
    version: str

    service_shape: ClassVar[type[Service]] = Service
    phrases_shape: ClassVar[type[Phrases]] = Phrases
    own_words: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        """Not the content, which is long."""
        return f"<{type(self).__name__} {self.service.id} {self.version}>"

    @classmethod
    def load(cls, files: TopicFiles, *, local_value_sets: Path | None = None, drafts: bool = False) -> Self:
        """Load a topic from its files. Raises ContentError at the first fault.

        `local_value_sets`: a site's own folder of codes. `drafts`: also the patient pages that await their translator.
        """
        service = _load_service(files, cls.service_shape)
        known = {name for names in service.terminologies().values() for name in names}
        local = load_site_codes(local_value_sets, known, service, files) if local_value_sets else {}
        words = load_words(files)
        topic = cls(
            files,
            service,
            parse_yaml(files.phrases(), read_text(files.phrases()), cls.phrases_shape),
            {name: load_text(files.text(name)) for name in service.text_names()},
            {name: load_terminology(files, names, words, local) for name, names in service.terminologies().items()},
            {page: _load_pages(files, page, service) for page in service.page_names()},
            {language: _load_page_words(files, language) for language in service.patient_languages},
            _version(files, service, local_value_sets, local),
        )
        return topic if drafts else topic.without_drafts()

    def without_drafts(self) -> Self:
        """The topic without the patient pages that await their translator."""
        pages = {page: _reviewed(languages) for page, languages in self.patient_pages.items()}
        return replace(self, patient_pages=pages)

    @property
    def orders(self) -> Terminology:
        return self.terminologies["orders"]

    @property
    def chart(self) -> Terminology:
        return self.terminologies["chart"]

    @property
    def section_notes(self) -> Mapping[str, SectionNotes]:
        return {}

    @property
    def rules(self) -> ContentRules:
        return ContentRules({})

    @property
    def provenance_roles(self) -> Mapping[str, frozenset[str]]:
        return {}

    @property
    def order_catalogue(self) -> OrderCatalogue:
        return OrderCatalogue()

    def reasons_to_look_up(self, orders: Sequence[DraftOrder]) -> tuple[str, ...]:
        return ()

    def timeline(self, record: PatientRecord, today: date) -> Timeline:
        return Timeline(today)


def load_words(files: TopicFiles) -> LexiconContent:
    """The shared words and those of the topic's own. Raises ContentError."""
    return load_lexicon(files.lexicon)


def load_terminology(
    files: TopicFiles, names: Sequence[str], words: LexiconContent, local: Mapping[str, ValueSet]
) -> Terminology:
    """These value sets and their words; `local`: a site's own codes, by value set. Raises ContentError."""
    sets = [load_value_set(files.value_set(name)) for name in dict.fromkeys(names)]
    merged = [with_local_codes(ours, local[ours.id]) if ours.id in local else ours for ours in sets]
    return Terminology(merged, Lexicon(words, [ours.id for ours in sets]))


def _load_service(files: TopicFiles, shape: type[Service]) -> Service:
    source = read_text(files.service)
    service = parse_yaml(files.service, source, shape)
    fault = next(service.faults(), None)
    if fault:
        raise ContentError(files.service, fault.what, line_of(source, fault.words))
    return service


def _load_pages(files: TopicFiles, page: str, service: Service) -> dict[str, Text]:
    """A patient page in each language it may be shown in."""
    return {language: load_text(files.patient_page(page, language)) for language in service.patient_languages}


def _reviewed(pages: Mapping[str, Text]) -> dict[str, Text]:
    return {language: text for language, text in pages.items() if text.head.get("status") != "draft"}


def _load_page_words(files: TopicFiles, language: str) -> PageWords:
    path = files.page_words(language)
    return parse_yaml(path, read_text(path), PageWords)


def _version(files: TopicFiles, service: Service, site: Path | None, local: Mapping[str, ValueSet]) -> str:
    """A hash over the names and texts of all content, so that neither the place of a file nor its line ends matter."""
    paths = {path for path in files.own() if path != files.vignettes}
    paths |= {files.value_set(name) for name in service.value_sets()}
    paths |= {path for path in files.shared_lexicon.iterdir() if is_content(path)}
    named = {f"{path.parent.name}/{path.name}": path for path in paths}
    if site:
        named |= {f"site/{name}": site / f"{name}.json" for name in local}
    digest = hashlib.sha256()
    for name, path in sorted(named.items()):
        digest.update(f"{name}\n{read_text(path)}".encode())
    return digest.hexdigest()[:12]
