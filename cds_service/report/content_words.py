"""What the clinical content calls things: override reasons by their display, cards by what they say."""

from __future__ import annotations

import re

from cards.catalogue import Topic
from cds_service.report.ledger_report import Words

_PLACEHOLDER = re.compile(r"\{\w+\}")


def words_of(topic: Topic) -> Words:
    """The words of a topic as they stand now; earlier versions of the content may have said it otherwise."""
    offered = topic.service.override_reasons
    heads = {key: topic.texts[key].head.get("summary") for key in topic.service.cards}
    return Words(
        service=topic.service.id,
        reasons={(offered.system, code): display for code, display in offered.codes.items()},
        cards={key: _PLACEHOLDER.sub("…", summary) for key, summary in heads.items() if summary},
    )
