"""A site's own codes: a folder of ValueSet files, each of which adds to the value set of the same name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from cards.content.files import ContentError, is_content, line_of, read_text
from cards.content.service import Service
from cards.content.topic_files import TopicFiles
from cards.nearest_names import did_you_mean
from cards.terminology.value_set import ValueSet, load_value_set


def load_site_codes(folder: Path, known: Collection[str], service: Service, files: TopicFiles) -> dict[str, ValueSet]:
    """The value sets of a site that add to one of `known`, by name. Raises ContentError."""
    local = {path.stem: _load(path, files) for path in site_files(folder) if path.stem in known}
    for pair in service.exclusive():
        if pair.why_at_site:
            _refuse_shared_code(pair.value_set, pair.other, pair.why_at_site, local, folder, files)
            _refuse_shared_code(pair.other, pair.value_set, pair.why_at_site, local, folder, files)
    return local


def site_files(folder: Path) -> list[Path]:
    """The ValueSet files of a site. Raises ContentError where the folder is missing."""
    if not folder.is_dir():
        raise ContentError(folder, "the folder of the site's own codes is missing")
    return sorted(filter(is_content, folder.glob("*.json")))


def refuse_unknown_sets(folder: Path, known: Collection[str]) -> None:
    """Raise ContentError where a site adds to a value set that no topic has; `known`: those that they have."""
    for path in site_files(folder):
        if path.stem not in known:
            what = f"there is no value set {path.stem!r} to add to{did_you_mean(path.stem, known)} (docs/site-codes.md)"
            raise ContentError(path, what, 1)


def _load(path: Path, files: TopicFiles) -> ValueSet:
    """A file of the site. A code that our own set has already is a fault: the site believes that it was missing."""
    local, ours = load_value_set(path, local=True), load_value_set(files.value_set(path.stem))
    for code in _shared_codes(local, ours):
        raise ContentError(path, f"{code} is in our value set already", line_of(read_text(path), code))
    return local


def _refuse_shared_code(
    name: str, other: str, why: str, local: Mapping[str, ValueSet], folder: Path, files: TopicFiles
) -> None:
    """Raise ContentError where the site's codes of one value set contradict the other set, the site's or ours."""
    if name not in local:
        return
    path = folder / f"{name}.json"
    for code in _shared_codes(local[name], local.get(other) or load_value_set(files.value_set(other))):
        raise ContentError(path, f"{code} stands in {other}, too: {why}", line_of(read_text(path), code))


def _shared_codes(value_set: ValueSet, other: ValueSet) -> Iterator[str]:
    for system, codes in value_set.codes.items():
        yield from sorted(codes & other.codes.get(system, frozenset()))
