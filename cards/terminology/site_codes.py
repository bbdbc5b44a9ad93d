"""A site's own codes: a folder of ValueSet files, each of which adds to the value set of the same name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from cards.content.files import ContentError, is_content, line_of, read_text
from cards.content.service import OrderSettings
from cards.terminology.value_set import ValueSet, load_value_set


def load_site_codes(
    folder: Path, known: Collection[str], orders: OrderSettings, value_sets: Path
) -> dict[str, ValueSet]:
    """The value sets of a site, by name; `known` are those of ours that it may add to. Raises ContentError."""
    if not folder.is_dir():
        raise ContentError(folder, "the folder of the site's own codes is missing")
    local = {}
    for path in sorted(filter(is_content, folder.glob("*.json"))):
        if path.stem not in known:
            what = f"there is no value set {path.stem!r} to add to; there are {', '.join(sorted(known))}"
            raise ContentError(path, what, 1)
        local[path.stem] = _load(path, value_sets)
    _check_contradiction(local, folder, orders, value_sets)
    return local


def _load(path: Path, value_sets: Path) -> ValueSet:
    """One file. A code that our own set has already is a fault: somebody believes that it was missing."""
    local, ours = load_value_set(path, local=True), load_value_set(value_sets / path.name)
    for system, codes in local.codes.items():
        for code in sorted(codes & ours.codes.get(system, frozenset())):
            raise ContentError(path, f"{code} is in our value set already", line_of(read_text(path), code))
    return local


def _check_contradiction(local: Mapping[str, ValueSet], folder: Path, orders: OrderSettings, value_sets: Path) -> None:
    """A site's code cannot say that an order is a lumbar puncture and that it is none."""
    for one, other in ((orders.lumbar_puncture, orders.near_miss), (orders.near_miss, orders.lumbar_puncture)):
        path = folder / f"{one}.json"
        theirs = local.get(other) or load_value_set(value_sets / f"{other}.json")
        for system, codes in (local[one].codes if one in local else {}).items():
            for code in sorted(codes & theirs.codes.get(system, frozenset())):
                what = f"{code} stands in {other}, too: an order is a lumbar puncture or it is none"
                raise ContentError(path, what, line_of(read_text(path), code))
