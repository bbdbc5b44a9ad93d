"""What is printed in a terminal: cards as a clinician would see them, and the words of others made harmless."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cards.card import Card, Link

_LONGEST = 2_000  # characters of a server's words in a message
_NOT_SHOWN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control and format characters, halves of pairs, and what is no character
_COLORS = {"info": "blue", "warning": "yellow", "critical": "red"}


@dataclass(frozen=True)
class _Shown:
    """What is shown of a card, whether it is ours or came over the wire."""

    indicator: str
    name: str
    summary: str
    detail: str
    suggestions: Sequence[tuple[str, Sequence[str]]]  # each with what it would do
    links: Sequence[str]
    source: str
    notes: Sequence[str] = ()


def show_cards(cards: Sequence[Card], console: Console) -> None:
    """Print each card as a box, or that there is none."""
    if not cards:
        console.print("No card: the service is silent.")
    for card in cards:
        suggestions = [(suggestion.label, ()) for suggestion in card.suggestions]
        links = [_address(link) for link in card.links]
        shown = _Shown(
            card.indicator,
            card.key,
            card.summary,
            card.full_detail(f"/evidence/…/{card.key}"),
            suggestions,
            links,
            card.source.label,
        )
        console.print(_box(shown, hyperlinks=True))


def show_answer(answer: Any, console: Console) -> None:
    """Print the cards in the JSON answer of any service. Its control characters do not reach the terminal.

    The addresses of links are printed, because the label of a link may not say where it leads.
    """
    members = answer if isinstance(answer, dict) else {}
    cards = objects_in(members.get("cards"))
    if not cards:
        console.print("No card: the service is silent.")
    for number, card in enumerate(cards, start=1):
        console.print(_box(_received(card, number), hyperlinks=False))
    actions = objects_in(members.get("systemActions"))
    if actions:
        console.print(Text("System actions, which a client applies without asking:"))
        console.print(Text("\n".join(_action(action) for action in actions)))


def _box(card: _Shown, *, hyperlinks: bool) -> Panel:
    parts: list[RenderableType] = [Text(card.summary, style="bold")]
    if card.detail:
        parts += [Text(""), Markdown(card.detail, hyperlinks=hyperlinks)]
    for label, actions in card.suggestions:
        parts.append(Text(f"\n[ {label} ]", style="bold"))
        parts += [Text(f"    {action}", style="dim") for action in actions]
    if card.links:
        parts.append(Text("\n" + "\n".join(f"→ {link}" for link in card.links)))
    parts.append(Text(f"\nSource: {card.source}", style="dim"))
    parts += [Text(note, style="dim") for note in card.notes]
    title = Text(f"{card.indicator} · {card.name}")
    color = _COLORS.get(card.indicator, "none")
    return Panel(Group(*parts), title=title, title_align="left", border_style=color, padding=(1, 2))


def _address(link: Link) -> str:
    return f"{link.label}: " + (link.url or f"/education/{link.page}?lang={link.language}")


def _received(card: Mapping[str, Any], number: int) -> _Shown:
    """A received card; a missing member is printed as missing."""
    source = card.get("source")
    label = source.get("label") if isinstance(source, dict) else None
    detail = card.get("detail")
    suggestions = enumerate(objects_in(card.get("suggestions")), start=1)
    reasons = [_words(reason, "code") for reason in objects_in(card.get("overrideReasons"))]
    return _Shown(
        _words(card, "indicator"),
        f"card {number}",
        _words(card, "summary"),
        printable(detail) if isinstance(detail, str) else "",
        [_suggestion(suggestion, f"{number}.{place}") for place, suggestion in suggestions],
        [_link(link) for link in objects_in(card.get("links"))],
        in_one_line(label) if isinstance(label, str) else "(none)",
        [f"Override reasons: {', '.join(reasons)}"] if reasons else [],
    )


def _suggestion(suggestion: Mapping[str, Any], place: str) -> tuple[str, list[str]]:
    recommended = " (recommended)" if suggestion.get("isRecommended") is True else ""
    actions = [_action(action) for action in objects_in(suggestion.get("actions"))]
    return f"{place} {_words(suggestion, 'label')}{recommended}", actions


def _action(action: Mapping[str, Any]) -> str:
    """Its type, its target and its description."""
    resource = action.get("resource")
    if isinstance(resource, dict):
        target = "/".join(str(resource[name]) for name in ("resourceType", "id") if resource.get(name))
    else:
        target = str(action.get("resourceId") or resource or "")
    return f"{_words(action, 'type')} {in_one_line(target)}: {_words(action, 'description')}"


def _link(link: Mapping[str, Any]) -> str:
    kind = " (a SMART app)" if link.get("type") == "smart" else ""
    return f"{_words(link, 'label')}: {_words(link, 'url')}{kind}"


def _words(holder: Mapping[str, Any], name: str) -> str:
    words = holder.get(name)
    return in_one_line(words) if isinstance(words, str) and words.strip() else f"(no {name})"


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The JSON objects in a list; none where `value` is no list."""
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def printable(words: object) -> str:
    """A text from elsewhere without characters that control a terminal; line breaks and tabs stay."""
    text = str(words).replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in _NOT_SHOWN)


def in_one_line(words: object) -> str:
    """The same on one line of at most 2,000 characters, for a message."""
    line = " ".join(printable(words).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
