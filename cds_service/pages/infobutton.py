"""GET /infobutton: an EHR asks by code, and is led to the patient pages, or to the evidence pages for clinicians.

In every profile, without a token: nothing but public pages is behind it. What the request says of a patient is neither
used nor logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from flask import Blueprint, Response, render_template, request

from cards.content.service import Education
from cards.education import education_about
from cards.fhir.resources import CodeableConcept
from cards.terminology.code_systems import find_code_system
from cards.topic import Topic
from cds_service.cds_hooks.hook_response import FIRST_LANGUAGE, evidence_address, patient_page_address
from cds_service.pages.caching import KEPT_S, let_caches_keep
from cds_service.pages.infobutton_feed import Feed, FeedEntry, as_atom, as_json
from cds_service.pages.infobutton_request import (
    HTML,
    JSON,
    InfobuttonFault,
    InfobuttonRequest,
    accepted_format,
    read_format,
    read_request,
)

_TITLE = "Patient education and evidence"
_LONGEST_ECHO = 50  # characters of a code or its system


def infobutton_blueprint(topics: Mapping[str, Topic], base_url: str) -> Blueprint:
    """The Infobutton responder over the pages of all topics."""
    blueprint = Blueprint("infobutton", __name__)
    responder = _Responder(topics, base_url)
    blueprint.add_url_rule("/infobutton", "infobutton", responder.respond)
    return blueprint


class _Responder:
    def __init__(self, topics: Mapping[str, Topic], base_url: str) -> None:
        self._topics = topics.values()
        self._base_url = base_url
        self._author = "; ".join(dict.fromkeys(topic.service.owner for topic in self._topics))
        self._updated = max(topic.service.about.revised_on for topic in self._topics)

    def respond(self) -> Response:
        """What there is to read, in the media type that was asked for; a person goes straight to a single page."""
        media_type = accepted_format(request.accept_mimetypes)
        try:
            media_type = read_format(request.args, request.accept_mimetypes)
            asked = read_request(request.args)
        except InfobuttonFault as fault:
            return self._refuse(str(fault), media_type)
        found = [(topic, education) for topic in self._topics for education in education_about(topic, _concepts(asked))]
        entries = list(dict.fromkeys(entry for topic, each in found for entry in self._entries(topic, each, asked)))
        is_certain = any(not education.related for _, education in found)
        if media_type == HTML and len(entries) == 1 and is_certain:
            response = Response(status=302, headers={"Location": entries[0].address}, mimetype=HTML)
            response.cache_control.public = True
            response.cache_control.max_age = KEPT_S
            return _open_to_all(response)
        languages = list(dict.fromkeys(entry.language for entry in entries)) or [FIRST_LANGUAGE]
        feed = self._feed(self._words(asked, entries), languages[0], _context(asked), entries)
        response = _answer(feed, media_type)
        response.content_language.update(languages)
        return _open_to_all(let_caches_keep(response))

    def _refuse(self, fault: str, media_type: str) -> Response:
        response = _answer(self._feed(f"Not answered: {fault}.", FIRST_LANGUAGE), media_type)
        response.status_code = 400
        response.cache_control.no_store = True
        return _open_to_all(response)

    def _feed(
        self,
        subtitle: str,
        language: str,
        context: Sequence[tuple[str, str]] = (),
        entries: Sequence[FeedEntry] = (),
    ) -> Feed:
        updated = max((entry.updated for entry in entries), default=self._updated)
        return Feed(_TITLE, subtitle, self._author, self._base_url, language, updated, context, entries)

    def _entries(self, topic: Topic, education: Education, asked: InfobuttonRequest) -> Iterator[FeedEntry]:
        if asked.is_for_patient:
            yield from (self._patient_page(topic, page, asked.language) for page in education.pages)
        else:
            yield from (self._evidence(topic, card) for card in education.cards)

    def _patient_page(self, topic: Topic, page: str, language: str) -> FeedEntry:
        languages = topic.patient_pages[page]
        shown = language if language in languages else FIRST_LANGUAGE
        head = languages[shown].head
        address = patient_page_address(self._base_url, page, shown)
        return FeedEntry(head["title"], head["summary"], address, shown, date.fromisoformat(head["reviewed-on"]))

    def _evidence(self, topic: Topic, card: str) -> FeedEntry:
        service = topic.service
        title = f"{service.title}: evidence of the card {card.replace('-', ' ')}"
        address = evidence_address(self._base_url, service.id, card)
        return FeedEntry(title, service.decision_of(card), address, FIRST_LANGUAGE, service.reviewed_on)

    def _words(self, asked: InfobuttonRequest, entries: Sequence[FeedEntry]) -> str:
        """What was found, for the person who configures the EHR and for a clinician who sees it."""
        if not entries:
            covered = "; ".join(topic.service.title for topic in self._topics)
            systems = [criterion.system for criterion in asked.criteria if criterion.system]
            if systems and not any(map(find_code_system, systems)):
                return f"No page: this server does not know the code system. Its pages are about: {covered}."
            return f"No page for this. The pages of this server are about: {covered}."
        number = "1 page was found" if len(entries) == 1 else f"{len(entries)} pages were found"
        if any(entry.language != asked.language for entry in entries):
            return f"{number}, in English where there is none in the language asked for ({asked.language})."
        return f"{number}."


def _concepts(asked: InfobuttonRequest) -> list[CodeableConcept]:
    return [criterion.concept for criterion in asked.criteria]


def _context(asked: InfobuttonRequest) -> list[tuple[str, str]]:
    """What the answer repeats of the question: codes, recipient and language; no words, and nothing of a patient."""
    context = [("informationRecipient", asked.recipient), ("informationRecipient.languageCode.c", asked.language)]
    for number, criterion in enumerate(asked.criteria):
        suffix = str(number) if number else ""
        for name, value in (("c", criterion.code), ("cs", criterion.system)):
            if value and len(value) <= _LONGEST_ECHO and value.isprintable():
                context.append((f"mainSearchCriteria.v.{name}{suffix}", value))
    return context


def _answer(feed: Feed, media_type: str) -> Response:
    if media_type == HTML:
        return Response(render_template("infobutton.html", feed=feed, title=feed.title), mimetype=HTML)
    if media_type == JSON:
        return Response(as_json(feed), mimetype=JSON)
    return Response(as_atom(feed), content_type=f"{media_type}; charset=utf-8")


def _open_to_all(response: Response) -> Response:
    """Any web page may read what everybody may read; no cookie or token is ever looked at."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.vary.add("Accept")
    return response
