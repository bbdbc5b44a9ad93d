"""Where the statements of a card come from, for machines."""

from __future__ import annotations

from collections.abc import Sequence

from cards.card import Provenance
from cards.record.chart_entry import ChartEntry
from cards.topic import Content


def trace(role: str, entries: Sequence[ChartEntry], value_set_id: str, topic: Content) -> tuple[Provenance, ...]:
    """One Provenance for each entry that a card names, which are the first few of them."""
    value_set = topic.chart.value_sets[value_set_id]
    traced = []
    for entry in entries[: 1 + topic.service.settings.most_entries_named]:
        match = entry.match_in(value_set_id)
        known = entry.best_known_date
        traced.append(
            Provenance(
                role,
                f"{entry.resource_type}/{entry.id}" if entry.id else entry.resource_type,
                match.system_uri if match else None,
                match.code if match else None,
                known.text if known else None,
                value_set.id,
                value_set.version,
            )
        )
    return tuple(traced)
