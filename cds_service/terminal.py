"""Cards in the terminal, as a clinician would see them: urgency, summary, detail, suggestions, links."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from cards.card import Card, Link

_COLOURS = {"info": "blue", "warning": "yellow", "critical": "red"}


def show_cards(cards: Sequence[Card], console: Console) -> None:
    """Print each card as a box; silence is said in words."""
    if not cards:
        console.print("No card: the service is silent.")
    for card in cards:
        console.print(_box(card))


def _box(card: Card) -> Panel:
    parts: list[RenderableType] = [Text(card.summary, style="bold"), Text(""), Markdown(card.detail)]
    parts += [Text(f"\n[ {one.label} ]", style="bold") for one in card.suggestions]
    if card.links:
        parts.append(Text("\n" + "\n".join(f"→ {link.label}: {_address(link)}" for link in card.links)))
    parts.append(Text(f"\nSource: {card.source.label}", style="dim"))
    title = f"{card.indicator} · {card.key}"
    return Panel(Group(*parts), title=title, title_align="left", border_style=_COLOURS[card.indicator], padding=(1, 2))


def _address(link: Link) -> str:
    return link.url or f"/education/{link.page}?lang={link.language}"
