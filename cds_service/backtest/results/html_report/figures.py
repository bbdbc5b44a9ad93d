"""Bars as inline SVG: their colors are the page's, and the text stays text. The numbers are in the tables, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from cds_service.readable import count

_WIDTH, _HEIGHT = 380, 150  # narrow enough for a phone
_TOP, _BOTTOM = 16, 18  # room for the number above a column, and for the month below


@dataclass(frozen=True)
class Column:
    """One column: what stands below it, what in full, and how high."""

    label: str
    name: str
    number: int


def bar(number: float, most: float) -> Markup:
    """A bar in a table cell, as long as its share of the longest."""
    width = max(100 * number / most, 0.6) if most and number else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="fill-line" y="4.6" width="100" height="0.8"/>'
        '<rect class="fill-point" width="{:.2f}" height="10"/></svg>'
    ).format(width)


def columns(name: str, title: str, drawn: Sequence[Column]) -> Markup:
    """Columns side by side, each with its number. `name`: of the figure, for the ids in it."""
    most = max((column.number for column in drawn), default=0) or 1
    step = _WIDTH / max(len(drawn), 1)
    every = -(-len(drawn) // 13)  # labels that fit next to each other
    parts = []
    for place, column in enumerate(drawn):
        height = (_HEIGHT - _TOP - _BOTTOM) * column.number / most
        middle, top = step * (place + 0.5), _HEIGHT - _BOTTOM - height
        parts.append(
            f'<rect class="fill-point" x="{middle - step * 0.36:.1f}" y="{top:.1f}" width="{step * 0.72:.1f}" '
            f'height="{height:.1f}"/>'
        )
        if place % every == 0:
            parts.append(_text(middle, _HEIGHT - 4, column.label, "fill-ink"))
            parts.append(_text(middle, top - 4, count(column.number), "fill-muted"))
    said = "; ".join(f"{column.name} {count(column.number)}" for column in drawn)
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(said)}</desc>'
        f'<path class="stroke-muted" d="M0 {_HEIGHT - _BOTTOM}.5H{_WIDTH}"/>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, color: str) -> str:
    return f'<text class="{color}" x="{x:.1f}" y="{y:.1f}" font-size="9.5" text-anchor="middle">{escape(text)}</text>'


def most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The greatest first; those that are equal by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
