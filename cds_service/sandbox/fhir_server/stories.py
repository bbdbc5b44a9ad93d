"""The stories of the sandbox's patients: fixtures/patients/stories.yaml, which explains its own keys."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from cards.card import Coding
from cards.content.files import parse_yaml, read_text

_PACKED = Path(__file__).parent / "patients"  # in an installed wheel; pyproject.toml puts them there
_CHECKOUT = Path(__file__).parents[3] / "fixtures" / "patients"
PATIENTS = _PACKED if _PACKED.is_dir() else _CHECKOUT


class Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One patient and what is worth trying with them."""

    id: str
    title: str
    story: str
    fhir_version: Literal["R4", "STU3"]
    order: str
    hook: Literal["order-sign", "order-select"]
    expected: list[str]
    long_chart: dict[int, Coding] | None = None


class HookCallFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A hook call of the fixtures, to be sent with curl, and what it is."""

    words: str
    file: str


class Stories(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """All of them. `told_on`: the day on which their dates are true. `service`: whose orders and cards they name."""

    told_on: date
    service: str
    hook_call: HookCallFile
    patients: list[Story]

    def find(self, patient_id: str) -> Story | None:
        """The story of this patient, None where the patient is not ours."""
        return next((story for story in self.patients if story.id == patient_id), None)


@cache
def load_stories() -> Stories:
    """The stories, from the wheel or the checkout, read once by a process. Raises ContentError."""
    path = PATIENTS / "stories.yaml"
    return parse_yaml(path, read_text(path), Stories)
