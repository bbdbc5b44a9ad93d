"""The numbers of service.yaml that decide something: each by its path, and a service with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from cards.checks.faults import fault_at
from cards.content.rules import Step
from cards.content.service import Service
from cards.topic import Topic

Node = TypeVar("Node")


def boundary_settings(service: Service) -> dict[str, int]:
    """Every such number by its path, as `Service.boundaries` has it: `settings.most-findings-listed`.

    A step into a list is the key of the item, which is its value set unless it has a name: `kinds.<key>.within-days`.
    """
    return {path: _number_at(service, path) for path in service.boundaries()}


def with_setting(service: Service, path: str, value: int) -> Service:
    """A copy of the service with one number changed. Raises KeyError for a path that `boundary_settings` lacks."""
    if path not in boundary_settings(service):
        raise KeyError(path)
    return _with_change(service, path.split("."), value)


def find_missing_boundaries(topic: Topic, marked: Mapping[str, set[int]]) -> list[str]:
    """The numbers that a vignette does not stand beside, above and below, by file and line.

    `marked`: for each path the steps (+1, -1) that some vignette would notice.
    """
    numbers, path_of_file = boundary_settings(topic.service), topic.files.service
    faults = []
    for path in numbers:
        for delta in sorted({1, -1} - marked.get(path, set()), reverse=True):
            what = f"no vignette would notice if {path} were {numbers[path] + delta} and not {numbers[path]}"
            faults.append(fault_at(path_of_file, what, *_way_to(path, topic.service)))
    unknown = sorted(marked.keys() - numbers.keys())
    return faults + [
        fault_at(path_of_file, f"vignettes mark {path!r}, which is not a number that decides") for path in unknown
    ]


def _number_at(service: Service, path: str) -> int:
    *_, number = _nodes(service, path)
    if not isinstance(number, int):
        raise KeyError(path)
    return number


def _way_to(path: str, service: Service) -> Iterator[Step]:
    """The steps to a number in the YAML of the file."""
    node: object = service
    for step, below in zip(path.split("."), _nodes(service, path), strict=True):
        yield _index(node, step) if isinstance(node, list) else step
        node = below


def _nodes(service: Service, path: str) -> Iterator[object]:
    """The nodes on the way to a number, the number last."""
    node: object = service
    for step in path.split("."):
        node = node[_index(node, step)] if isinstance(node, list) else getattr(node, _field(step))
        yield node


def _with_change(node: Node, steps: list[str], value: int) -> Node:
    """A copy of a struct or list in which the number at the end of these steps is another."""
    if not steps:
        return value  # type: ignore[return-value]
    if isinstance(node, list):
        index = _index(node, steps[0])
        return [*node[:index], _with_change(node[index], steps[1:], value), *node[index + 1 :]]  # type: ignore[return-value]
    field = _field(steps[0])
    changed = _with_change(getattr(node, field), steps[1:], value)
    return msgspec.structs.replace(node, **{field: changed})  # type: ignore[type-var]


def _index(items: list[object], key: str) -> int:
    return [getattr(item, "key", None) or getattr(item, "value_set", None) for item in items].index(key)


def _field(key: str) -> str:
    return key.replace("-", "_")
