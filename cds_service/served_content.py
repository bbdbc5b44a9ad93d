"""The clinical content that a process serves: read once, and shared with the processes that it forks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cards.catalogue import load_topics
from cards.topic import Topic
from cds_service.settings.settings import Settings


@lru_cache(maxsize=1)
def whole_topics(value_sets_dir: Path | None, names: tuple[str, ...] | None) -> Mapping[str, Topic]:
    """The topics of these names, or all, by service id, with all their translations, drafts among them.

    Read once by a process. Raises ContentError.
    """
    return load_topics(names, local_value_sets=value_sets_dir, drafts=True)


def served_topics(settings: Settings) -> Mapping[str, Topic]:
    """The topics as these settings have them served, by service id. Raises ContentError."""
    topics = whole_topics(settings.value_sets_dir, settings.topics)
    if settings.draft_translations:
        return topics
    return {service_id: topic.without_drafts() for service_id, topic in topics.items()}
