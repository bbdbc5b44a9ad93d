"""POST /cds-services/<id>/feedback: what became of our cards. Stored before it is acknowledged, or not acknowledged."""

from __future__ import annotations

from collections import Counter

from flask import Blueprint, Response, g, jsonify, request

from cards.topic import Topic
from cds_service.cds_hooks.feedback_body import decode_feedback
from cds_service.cds_hooks.request_body import read_json_body, refuse_deep
from cds_service.clients.token_check import ClientAuth
from cds_service.errors import LedgerUnavailable, UnknownService
from cds_service.event_log.events import CallLog
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger import Caller, Ledger


def feedback_blueprint(
    topic: Topic, ledger: Ledger, auth: ClientAuth, base_url: str, *, store_comments: bool
) -> Blueprint:
    """The feedback endpoint of the service (R-5.1 to R-5.14)."""
    blueprint = Blueprint("feedback", __name__)

    @blueprint.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        known = service_id == topic.service.id
        log = g.call_log = CallLog("cds_hooks.feedback", topic.service.id if known else None, topic.version)
        url = f"{base_url}/cds-services/{service_id}"
        client = auth.identify(request.headers.get("Authorization"), {url, f"{url}/feedback"}, log)
        if not known:
            raise UnknownService(f"no service has this id; this server has {topic.service.id}")
        body = read_json_body()
        refuse_deep(body, "feedback")
        entries = decode_feedback(body)
        log.lap("decode")
        caller = Caller(topic.service.id, client.name, client.tenant)
        try:
            stored = ledger.store(caller, entries, comments=store_comments, final_reasons=client.quiet.final_reasons)
        except DatabaseUnavailable as reason:
            log.unrecorded = str(reason)
            raise LedgerUnavailable("the feedback was not stored, none of it: send it again later") from None
        log.lap("ledger")
        log.outcome = "stored"
        log.feedback = {"new": stored.new, "repeated": stored.repeated, "unknown_card": stored.unknown}
        log.feedback_outcomes = dict(Counter(entry.outcome for entry in entries))
        return jsonify(stored=stored.new, repeated=stored.repeated, unknownCards=stored.unknown)

    return blueprint
