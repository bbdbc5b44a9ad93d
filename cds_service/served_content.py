"""The clinical content that a process serves: read once, and shared with the processes it forks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cards.catalogue import Topic, load_topic, without_drafts
from cds_service.settings.settings import Settings


@lru_cache(maxsize=1)
def whole_topic(value_sets_dir: Path | None) -> Topic:
    """The content with all its translations, drafts among them, read once by a process. Raises ContentError."""
    return load_topic(local_value_sets=value_sets_dir, drafts=True)


def served_topics(settings: Settings) -> Mapping[str, Topic]:
    """The content as these settings have it served, by the id of the service. Raises ContentError."""
    topic = whole_topic(settings.value_sets_dir)
    return {topic.service.id: topic if settings.draft_translations else without_drafts(topic)}
