"""The content of this topic, loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cards.content.phrases import SectionNotes
from cards.terminology.value_set_index import Terminology
from cards.topic_content import TopicContent
from cards.topics.lumbar_puncture.settings import Phrases, Service


@dataclass(frozen=True, repr=False)
class LumbarPunctureContent(TopicContent):
    """The settings, texts and value sets of this topic."""

    service: Service
    phrases: Phrases

    service_shape = Service
    phrases_shape = Phrases

    @property
    def levels(self) -> Terminology:
        """The value sets that say which level of the spine an entry of the chart names."""
        return self.terminologies["levels"]

    @property
    def section_notes(self) -> Mapping[str, SectionNotes]:
        return {"conditions": self.phrases.conditions, "procedures": self.phrases.procedures}
