"""Kinds of settings: each reads the text of a variable, and describes what it accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cds_service.storage.database_url import parse_database_url

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
_CARD = re.compile(r"(?:[a-z0-9.-]+/)?[a-z0-9-]+")
_SHORTEST_SECRET = 32


@dataclass(frozen=True)
class Kind:
    """`takes` completes "must be". `parse` raises ValueError for any other text, with a message or without."""

    takes: str
    parse: Callable[[str], Any]
    hint: str = ""

    def read(self, text: str) -> Any:
        """The value. Raises ValueError, whose message begins with "must" and does not show the text."""
        try:
            return self.parse(text)
        except ValueError as fault:
            message = str(fault)
            raise ValueError(message if message.startswith("must") else f"must be {self.takes}{self.hint}") from None


def whole_number(least: int, most: int) -> Kind:
    """Decimal digits, both bounds included."""

    def parse(text: str) -> int:
        if not text.strip().isdecimal() or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Kind(f"a whole number from {least} to {most}", parse)


def one_of(*choices: str) -> Kind:
    """One of a few words, case-sensitive."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Kind(" or ".join(choices), parse)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ValueError
    return text.lower() == "yes"


def _folder(text: str) -> Path:
    folder = Path(text)
    if not text or not folder.is_dir():
        raise ValueError
    return folder


def _file(text: str) -> Path:
    file = Path(text)
    if not file.is_file():
        raise ValueError
    return file


def _topics(text: str) -> tuple[str, ...]:
    from cards.catalogue import find_topics  # not for every command

    names = tuple(name.strip() for name in text.split(","))
    installed = find_topics()
    if not set(names) <= installed.keys():
        raise ValueError(f"must be {TOPICS.takes}: {', '.join(installed)}")
    return names


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError
    return text.strip("[]")


def _database_url(text: str) -> str:
    parse_database_url(text)
    return text


def _secret(text: str) -> str:
    if len(text) < _SHORTEST_SECRET:
        raise ValueError
    return text


def _public_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = parts.port != 0 and not set("@?# \\") & set(text)
    except ValueError:  # an invalid port
        plain = False
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    return text.rstrip("/")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(_CARD.fullmatch(name) for name in names):
        raise ValueError
    return names


YES_OR_NO = Kind("yes or no", _yes_or_no)
NAMES = Kind("names of cards, separated by commas", _names)
FOLDER = Kind("an existing folder", _folder)
TOPICS = Kind("names of installed topics, separated by commas", _topics)
FILE = Kind("an existing file", _file)
HOST = Kind("an address or host name to listen on, such as 127.0.0.1", _host)
DATABASE_URL = Kind("a sqlite:///… or postgresql://… URL with the name of a database", _database_url)
SECRET = Kind(
    f"{_SHORTEST_SECRET} characters or more", _secret, ": python3 -c 'import secrets; print(secrets.token_hex())'"
)
PUBLIC_URL = Kind("an http or https address without user or query, such as http://127.0.0.1:8080", _public_url)
