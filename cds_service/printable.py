"""Words of others for a terminal: what is not a letter, a sign or a space stays out, for it may steer the terminal."""

from __future__ import annotations

import unicodedata

_LONGEST = 2_000  # characters of a server's words in a message
_NOT_SHOWN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control and format characters, halves of pairs, and what is no character


def printable(words: object) -> str:
    """A server's words, without what would steer a terminal; line breaks and tabs stay."""
    text = str(words).replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in _NOT_SHOWN)


def in_one_line(words: object) -> str:
    """The same, for a message: on one line, and not without end."""
    line = " ".join(printable(words).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
