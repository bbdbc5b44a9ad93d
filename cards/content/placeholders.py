"""Placeholders of a text or phrase: which the code fills."""

from __future__ import annotations

import re
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Filled:
    """What the code fills in: `needed` has to stand there, `offered` may."""

    needed: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()


BARE = Filled()


def needs(names: str) -> Filled:
    """All of these placeholders, separated by blanks, have to stand there."""
    return Filled(frozenset(names.split()))
