"""The content that a backtest judges by, loaded once in each process that works on it."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import cards
import cds_service.backtest
from cards.catalogue import load_topics
from cards.content.files import ContentError
from cards.content.topic_files import TopicFiles
from cards.topic import Topic


@dataclass(frozen=True)
class ContentPlace:
    """Where the content is. `against`: the folder of the same topic in another version, or None."""

    service: str
    value_sets_dir: Path | None = None
    against: Path | None = None


@lru_cache(maxsize=2)
def load(place: ContentPlace) -> tuple[Topic, Topic | None]:
    """The topic that is served, and the same one with the content to compare with. Raises ContentError."""
    topic = load_topics(local_value_sets=place.value_sets_dir)[place.service]
    if place.against is None:
        return topic, None
    if not (place.against / "service.yaml").is_file():
        raise ContentError(place.against, "has no service.yaml: name the folder of the topic in the other version")
    return topic, topic.load(_files_of(place.against), local_value_sets=place.value_sets_dir)


def _files_of(folder: Path) -> TopicFiles:
    """The files of a topic. In a copy of all of `cards`, the shared value sets and words beside it are used, too."""
    house = folder.resolve().parent.parent
    value_sets, lexicon = house / "value_sets", house / "lexicon"
    if value_sets.is_dir() and lexicon.is_dir():
        return TopicFiles(folder, value_sets, lexicon)
    return TopicFiles(folder)


@cache
def code_version() -> str:
    """A hash over the program that judges, with the version of Python: equal where equal input gives equal rows."""
    digest = hashlib.sha256(sys.version.split()[0].rpartition(".")[0].encode())
    for package in (cards, cds_service.backtest):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def versions(place: ContentPlace) -> dict[str, str]:
    """The versions of code and content in this process, by what they are of. Raises ContentError."""
    topic, against = load(place)
    compared = {"content to compare with": against.version} if against else {}
    return {"code": code_version(), "content": topic.version} | compared
