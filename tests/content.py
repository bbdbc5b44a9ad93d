"""The content of the topic under test, loaded as it is served, and its vignettes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cards.content.topic_files import SHARED_VALUE_SETS, TopicFiles
from cards.topics.lumbar_puncture.topic import LumbarPuncture, load
from cards.vignettes.casebook import Casebook, load_vignettes

VALUE_SETS = SHARED_VALUE_SETS


@cache
def loaded() -> LumbarPuncture:
    """The topic."""
    return load()


FILES: TopicFiles = TopicFiles(Path(load.__code__.co_filename).parent)


@cache
def casebook() -> Casebook:
    """Its vignettes."""
    return load_vignettes(FILES.vignettes, loaded().service.resource_types)
