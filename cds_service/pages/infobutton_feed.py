"""The answer to an Infobutton request as an Atom feed, and as JSON in the shape of MedlinePlus Connect.

Atom: RFC 4287, with the context of the request as categories, as HL7's Service-Oriented Architecture Implementation
Guide of Infobutton has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

import msgspec

_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_WORDS_LANGUAGE = "en"  # of the title and the subtitle

ET.register_namespace("", _ATOM)


@dataclass(frozen=True)
class FeedEntry:
    """One page. `updated`: the day of its last review."""

    title: str
    summary: str
    address: str
    language: str
    updated: date


@dataclass(frozen=True)
class Feed:
    """All pages of an answer. `subtitle`: what was found, in words. `context`: of the request, by parameter."""

    title: str
    subtitle: str
    author: str
    base_url: str
    language: str
    updated: date
    context: Sequence[tuple[str, str]] = ()
    entries: Sequence[FeedEntry] = ()

    @property
    def id(self) -> str:
        """The same for the same question to the same server."""
        question = "&".join(f"{name}={value}" for name, value in self.context)
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{self.base_url}/infobutton?{question}')}"


def as_atom(feed: Feed) -> bytes:
    """The feed as an XML document in UTF-8."""
    root = ET.Element(f"{{{_ATOM}}}feed", {_LANG: feed.language, _BASE: f"{feed.base_url}/"})
    _add(root, "title", feed.title, {"type": "text", _LANG: _WORDS_LANGUAGE})
    _add(root, "subtitle", feed.subtitle, {"type": "text", _LANG: _WORDS_LANGUAGE})
    _add(root, "id", feed.id)
    _add(root, "updated", _timestamp(feed.updated))
    author = _add(root, "author")
    _add(author, "name", feed.author)
    _add(author, "uri", f"{feed.base_url}/")
    for name, value in feed.context:
        _add(root, "category", attributes={"scheme": name, "term": value})
    for entry in feed.entries:
        node = _add(root, "entry", attributes={_LANG: entry.language})
        _add(node, "title", entry.title, {"type": "text"})
        link = {"rel": "alternate", "type": "text/html", "hreflang": entry.language, "href": entry.address}
        _add(node, "link", attributes=link | {"title": entry.title})
        _add(node, "id", entry.address)
        _add(node, "updated", _timestamp(entry.updated))
        _add(node, "summary", entry.summary, {"type": "text"})
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml


def as_json(feed: Feed) -> bytes:
    """The same feed as JSON: text is `{"_value": ...}`, attributes are members."""
    members = {
        "base": f"{feed.base_url}/",
        "lang": feed.language,
        "title": _text(feed.title),
        "subtitle": _text(feed.subtitle),
        "id": {"_value": feed.id},
        "updated": {"_value": _timestamp(feed.updated)},
        "author": {"name": {"_value": feed.author}, "uri": {"_value": f"{feed.base_url}/"}},
        "category": [{"scheme": name, "term": value} for name, value in feed.context],
        "entry": list(_json_entries(feed.entries)),
    }
    return msgspec.json.encode({"feed": members})


def _json_entries(entries: Sequence[FeedEntry]) -> Iterator[dict[str, object]]:
    for entry in entries:
        yield {
            "lang": entry.language,
            "title": _text(entry.title),
            "link": [{"href": entry.address, "rel": "alternate", "title": entry.title}],
            "id": {"_value": entry.address},
            "updated": {"_value": _timestamp(entry.updated)},
            "summary": _text(entry.summary),
        }


def _text(words: str) -> dict[str, str]:
    return {"_value": words, "type": "text"}


def _add(
    parent: ET.Element, name: str, text: str | None = None, attributes: dict[str, str] | None = None
) -> ET.Element:
    node = ET.SubElement(parent, f"{{{_ATOM}}}{name}", attributes or {})
    node.text = text
    return node


def _timestamp(day: date) -> str:
    return f"{day}T00:00:00Z"
