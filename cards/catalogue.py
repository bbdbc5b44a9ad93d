"""Finds and loads the topics: the folders in `cards/topics`, and those of other packages, by their entry points."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import cards.topics
from cards.content.files import ContentError
from cards.content.topic_files import TopicFiles
from cards.nearest_names import did_you_mean
from cards.terminology.site_codes import refuse_unknown_sets
from cards.topic import Topic

ENTRY_POINTS = "cds_cards.topics"  # the group in which a package names its topics


class TopicError(ContentError):
    """A topic that cannot be served: it is not there, cannot be imported, or has the service id of another."""

    def __init__(self, what: str) -> None:
        Exception.__init__(self, what)


@dataclass(frozen=True)
class TopicSource:
    """Where a topic is: the module, in the folder of the topic, and the name of its `load` function."""

    name: str
    module: str
    function: str = "load"

    @property
    def files(self) -> TopicFiles:
        """The files of the topic, without loading it. Raises TopicError where the module is missing."""
        try:
            spec = find_spec(self.module)
        except ImportError as cause:
            raise TopicError(f"topic {self.name}: {self.module} cannot be imported: {cause}") from None
        if spec is None or spec.origin is None:
            raise TopicError(f"topic {self.name}: there is no module {self.module}")
        return TopicFiles(Path(spec.origin).parent)

    def load(self, *, local_value_sets: Path | None, drafts: bool) -> Topic:
        """Load the topic. Raises ContentError."""
        try:
            load = getattr(import_module(self.module), self.function)
        except (ImportError, AttributeError) as cause:
            raise TopicError(f"topic {self.name}: {self.module}:{self.function} cannot be imported: {cause}") from None
        topic: Topic = load(local_value_sets=local_value_sets, drafts=drafts)
        return topic


def find_topics() -> dict[str, TopicSource]:
    """Every topic that is installed, by name: the name of its folder, or of its entry point. Raises TopicError."""
    package = cards.topics
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]
    sources = [TopicSource(name, f"{package.__name__}.{name}.topic") for name in sorted(names)]
    points = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    sources += [TopicSource(point.name, point.module, point.attr or "load") for point in points]
    by_name: dict[str, TopicSource] = {}
    for source in sources:
        if by_name.setdefault(source.name, source) != source:
            raise TopicError(f"two topics are called {source.name}: {by_name[source.name].module}, {source.module}")
    return by_name


def load_topics(
    names: Collection[str] | None = None, *, local_value_sets: Path | None = None, drafts: bool = False
) -> dict[str, Topic]:
    """The topics of these names, in their order, or all that are installed, by the id of their service.

    `local_value_sets`: a site's own folder of codes. `drafts`: also the patient pages that await their translator.
    Raises ContentError at the first fault.
    """
    topics: dict[str, Topic] = {}
    for source in _named(names):
        topic = source.load(local_value_sets=local_value_sets, drafts=drafts)
        if topic.service.id in topics:
            raise TopicError(f"topic {source.name}: another topic has the service id {topic.service.id}")
        topics[topic.service.id] = topic
    if local_value_sets:
        sets = (names for topic in topics.values() for names in topic.service.terminologies().values())
        refuse_unknown_sets(local_value_sets, {name for names in sets for name in names})
    return topics


def load_topic(*, local_value_sets: Path | None = None) -> Topic:
    """The first topic, for callers that serve only one. Raises ContentError."""
    return next(iter(load_topics(local_value_sets=local_value_sets).values()))


def content_files(names: Collection[str] | None = None) -> Iterator[Path]:
    """Every content file that a clinician may change, of the topics of these names or of all. Raises TopicError."""
    yield from dict.fromkeys(path for source in _named(names) for path in source.files.all())


def _named(names: Collection[str] | None) -> list[TopicSource]:
    installed = find_topics()
    for name in names or ():
        if name not in installed:
            raise TopicError(
                f"there is no topic {name!r}; installed are {', '.join(installed)}{did_you_mean(name, installed)}"
            )
    return [installed[name] for name in (installed if names is None else dict.fromkeys(names))]
