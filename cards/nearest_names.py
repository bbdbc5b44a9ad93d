"""Names that somebody may have meant by one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 2


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """The known names that look most like this one, at most two, the best first. Capitals do not matter."""
    by_lowercase = {one.lower(): one for one in known}
    return [by_lowercase[close] for close in get_close_matches(name.lower(), by_lowercase, n=_MOST)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean procedures?", or nothing where no name is near."""
    nearest = nearest_names(name, known)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
