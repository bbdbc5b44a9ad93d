"""Where what a card says comes from, for machines: the same as the card tells a reader."""

from __future__ import annotations

from collections.abc import Sequence

from cards.card import Provenance
from cards.catalogue import Topic
from cards.record.chart_entry import ChartEntry


def trace(role: str, entries: Sequence[ChartEntry], value_set_id: str, topic: Topic) -> tuple[Provenance, ...]:
    """One Provenance for each entry that a card names, which are the first few of them."""
    value_set = topic.chart.value_sets[value_set_id]
    traced = []
    for entry in entries[: 1 + topic.service.settings.most_entries_named]:
        match = entry.match_in(value_set_id)
        witness = entry.witness
        traced.append(
            Provenance(
                role,
                f"{entry.resource_type}/{entry.id}" if entry.id else entry.resource_type,
                match.system_uri if match else None,
                match.code if match else None,
                witness.text if witness else None,
                value_set.id,
                value_set.version,
            )
        )
    return tuple(traced)
