"""The numbers of service.yaml that decide something: each by its path, and a service with one of them changed."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from cards.content.service import ContributorKind, RedFlagKind, Service

Kind = TypeVar("Kind", ContributorKind, RedFlagKind)
_AFTER_PUNCTURE = ("look-back-days", "expected-days", "late-onset-days", "chronic-days", "nerve-symptom-warning-days")
_SETTINGS = ("most-findings-listed", "most-findings-in-summary", "most-entries-named")


def boundary_settings(service: Service) -> dict[str, int]:
    """Every such number by its path, such as `after-puncture.chronic-days` or `red-flags.fever.within-days`."""
    numbers = {f"after-puncture.{key}": getattr(service.after_puncture, _field(key)) for key in _AFTER_PUNCTURE}
    for flag in service.red_flags:
        if flag.within_days is not None:
            numbers[f"red-flags.{flag.value_set}.within-days"] = flag.within_days
    for kind in service.contributors:
        if kind.look_back_days is not None:
            numbers[f"contributors.{kind.value_set}.look-back-days"] = kind.look_back_days
    return numbers | {f"settings.{key}": getattr(service.settings, _field(key)) for key in _SETTINGS}


def with_setting(service: Service, path: str, value: int) -> Service:
    """A copy of the service with one number changed. Raises KeyError for a path that `boundary_settings` lacks."""
    if path not in boundary_settings(service):
        raise KeyError(path)
    part, *of_kind, key = path.split(".")
    change = {_field(key): value}
    if part == "red-flags":
        return msgspec.structs.replace(service, red_flags=_change_kind(service.red_flags, of_kind[0], change))
    if part == "contributors":
        return msgspec.structs.replace(service, contributors=_change_kind(service.contributors, of_kind[0], change))
    changed = msgspec.structs.replace(getattr(service, _field(part)), **change)
    return msgspec.structs.replace(service, **{_field(part): changed})


def _change_kind(kinds: list[Kind], value_set: str, change: dict[str, int]) -> list[Kind]:
    return [msgspec.structs.replace(kind, **change) if kind.value_set == value_set else kind for kind in kinds]


def _field(key: str) -> str:
    return key.replace("-", "_")
