"""The content of the topic under test, loaded as it is served, and its vignettes."""

from __future__ import annotations

from functools import cache, wraps
from pathlib import Path
from typing import cast

from cards.catalogue import TopicSource, load_topic
from cards.content.topic_files import SHARED_VALUE_SETS, TopicFiles
from cards.topic import Topic
from cards.topics.lumbar_puncture.topic import LumbarPuncture, load
from cards.vignettes.casebook import Casebook, load_vignettes

VALUE_SETS = SHARED_VALUE_SETS


def keep_topics() -> None:
    """Load each installed topic once in this process; not so where a site adds codes to it. No test changes a topic."""
    load_anew = TopicSource.load
    kept: dict[tuple[TopicSource, bool], Topic] = {}

    @wraps(load_anew)
    def load_once(source: TopicSource, *, local_value_sets: Path | None, drafts: bool) -> Topic:
        if local_value_sets:
            return load_anew(source, local_value_sets=local_value_sets, drafts=drafts)
        if (source, drafts) not in kept:
            kept[source, drafts] = load_anew(source, local_value_sets=None, drafts=drafts)
        return kept[source, drafts]

    TopicSource.load = load_once  # type: ignore[method-assign]


@cache
def loaded() -> LumbarPuncture:
    """The topic."""
    return cast(LumbarPuncture, load_topic())


FILES: TopicFiles = TopicFiles(Path(load.__code__.co_filename).parent)


@cache
def casebook() -> Casebook:
    """Its vignettes."""
    return load_vignettes(FILES.vignettes, loaded().service.resource_types)
