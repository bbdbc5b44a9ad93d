"""What a card stands on: /evidence/<service id>/<card>, as HTML that prints on one sheet, and as JSON by `Accept`.

All of it comes from service.yaml and the card's texts. Working notes of the evidence are never read here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import msgspec
from flask import Blueprint, Response, abort, render_template, request

from cards.content.service import Evidence
from cards.content.texts import Statement
from cards.topic import Topic
from cds_service.pages.caching import let_caches_keep
from cds_service.pages.source_attributes import REGULATION, SourceAttribute, source_attributes
from cds_service.settings.cards_off import SwitchedOff

_HTML, _JSON = "text/html", "application/json"
_PLACEHOLDER = re.compile(r"\{\w+\}")
_KEY = re.compile(r"\[([a-z0-9-]+)\]")


@dataclass(frozen=True)
class CitedStatement:
    """A sentence of the card, with the numbers of its sources on the page; "…" stands for what a chart fills in."""

    words: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class EvidencePage:
    """All that the page says. `sources`: by key, in the order in which the sentences cite them."""

    topic: Topic
    card: str
    statements: tuple[CitedStatement, ...]
    sources: Mapping[str, Evidence]
    decision: str
    attributes: tuple[SourceAttribute, ...]

    def limits_of(self, key: str) -> str:
        """What speaks against a source, with the short names of the other sources it refers to."""
        evidence = self.topic.service.evidence
        return _KEY.sub(lambda other: f"({evidence[other[1]].short})", self.sources[key].limits)


def evidence_blueprint(topics: Mapping[str, Topic], switched_off: SwitchedOff) -> Blueprint:
    """The evidence pages of all cards, in every profile, open to everybody: nothing of a patient is on them."""
    blueprint = Blueprint("evidence_page", __name__)

    @cache
    def page_of(service_id: str, card: str) -> EvidencePage:
        return read_evidence_page(topics[service_id], card)

    @blueprint.get("/evidence/<service_id>/<card>")
    def evidence(service_id: str, card: str) -> Response:
        if service_id not in topics or card not in topics[service_id].service.cards:
            abort(404)
        page, is_off = page_of(service_id, card), (service_id, card) in switched_off
        if request.accept_mimetypes.best_match((_HTML, _JSON), _HTML) == _JSON:
            response = Response(msgspec.json.encode(_as_json(page, is_off)), mimetype=_JSON)
        else:
            html = render_template("evidence_page.html", page=page, service=page.topic.service, is_off=is_off)
            response = Response(html, mimetype=_HTML)
        response.vary.add("Accept")
        return let_caches_keep(response)

    return blueprint


def read_evidence_page(topic: Topic, card: str) -> EvidencePage:
    """The page of a card, from service.yaml and the texts that may stand on the card."""
    service = topic.service
    statements = _statements(topic, card)
    cited = dict.fromkeys(key for statement in statements for key in statement.evidence)
    keys = list(dict.fromkeys((*cited, service.cards[card].source)))
    numbers = {key: number for number, key in enumerate(keys, start=1)}
    sources = {key: service.evidence[key] for key in keys}
    return EvidencePage(
        topic,
        card,
        tuple(
            CitedStatement(_PLACEHOLDER.sub("…", statement.words), tuple(numbers[key] for key in statement.evidence))
            for statement in statements
        ),
        sources,
        service.decision_of(card),
        source_attributes(service, topic.version, sources.values()),
    )


def _statements(topic: Topic, card: str) -> Collection[Statement]:
    """Every sentence that may stand on the card, each once, in the order of its texts."""
    texts = (topic.texts[name] for name in topic.service.texts_of(card))
    return dict.fromkeys(statement for text in texts for statement in text.statements())


def _as_json(page: EvidencePage, is_off: bool) -> dict[str, object]:
    service = page.topic.service
    return {
        "service": service.id,
        "card": page.card,
        "contentVersion": page.topic.version,
        "switchedOff": is_off,
        "owner": service.owner,
        "reviewedOn": service.reviewed_on,
        "releasedOn": service.about.released_on,
        "revisedOn": service.about.revised_on,
        "decision": page.decision,
        "statements": [
            {"text": statement.words, "evidence": [list(page.sources)[number - 1] for number in statement.numbers]}
            for statement in page.statements
        ],
        "evidence": list(_evidence(page)),
        "reportProblems": service.about.report_problems,
        "sourceAttributesOf": REGULATION,
        "sourceAttributes": [msgspec.structs.asdict(attribute) for attribute in page.attributes],
    }


def _evidence(page: EvidencePage) -> Iterable[dict[str, object]]:
    for key, source in page.sources.items():
        members = {
            "key": key,
            "citation": source.citation,
            "url": source.url,
            "type": source.type,
            "strength": source.strength,
            "contrary": page.limits_of(key),
            "supports": source.supports,
            "checkedOn": source.checked_on,
        }
        yield {name: value for name, value in members.items() if value}
