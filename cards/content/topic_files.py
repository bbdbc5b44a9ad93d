"""Where the content files of a topic are: in its folder, and in the folder of value sets that topics share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cards.content.files import is_content

SHARED_VALUE_SETS = Path(__file__).parents[1] / "value_sets"
TEXT_TERMS = "text_terms.yaml"


@dataclass(frozen=True)
class TopicFiles:
    """The folder of a topic. It may hold value sets of its own, which come before shared ones of the same name."""

    folder: Path
    shared_value_sets: Path = SHARED_VALUE_SETS

    @property
    def service(self) -> Path:
        return self.folder / "service.yaml"

    @property
    def vignettes(self) -> Path:
        return self.folder / "vignettes.yaml"

    @property
    def own_value_sets(self) -> Path:
        return self.folder / "value_sets"

    def text(self, name: str, language: str = "en") -> Path:
        return self.folder / "text" / f"{name}.{language}.md"

    def phrases(self, language: str = "en") -> Path:
        return self.folder / "text" / f"phrases.{language}.yaml"

    def patient_page(self, page: str, language: str) -> Path:
        return self.folder / "patient_pages" / f"{page}.{language}.md"

    def page_words(self, language: str) -> Path:
        return self.folder / "patient_pages" / f"words.{language}.yaml"

    def value_set(self, name: str) -> Path:
        own = self.own_value_sets / f"{name}.json"
        return own if own.exists() else self.shared_value_sets / f"{name}.json"

    def all(self) -> Iterator[Path]:
        """Every content file that a clinician may change, vignettes and all shared value sets included."""
        yield from self.own()
        yield from filter(is_content, self.shared_value_sets.iterdir())

    def own(self) -> Iterator[Path]:
        """The content files in the folder of the topic, vignettes included."""
        folder = self.folder
        for place in (folder, folder / "text", folder / "patient_pages", self.own_value_sets):
            if place.is_dir():
                yield from filter(is_content, place.iterdir())
