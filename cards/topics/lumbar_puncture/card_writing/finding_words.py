"""Findings in words: in a summary, and as lines of a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from cards.card import Link, Provenance
from cards.content.texts import fill
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import Finding, split_serious
from cards.topics.lumbar_puncture.settings import UNSPECIFIED
from cards.writing.card_parts import card_links
from cards.writing.provenance import trace
from cards.writing.wording import describe_entry, list_lines, summary_naming


def summary_with(template: str, findings: Sequence[Finding], topic: Topic) -> str:
    """The summary with as many findings named as settings allow and as fit.

    The low back goes without saying there; other levels of the spine are named.
    """
    foremost = topic.service.settings.levels[0]
    names = [finding.kind.label if finding.level == foremost else name(finding, topic) for finding in findings]
    return summary_naming(template, names, topic)


def list_findings(complaints: Sequence[str], findings: Sequence[Finding], topic: Topic, today: date) -> list[str]:
    """The lines of "In this chart": complaints and the like, then what is serious, then the others."""
    ranked = sorted(findings, key=lambda finding: not finding.kind.serious)
    lines = [*complaints, *(_line(finding, topic, today) for finding in ranked)]
    return list_lines(lines, [*complaints, *(finding.kind.label for finding in ranked)], topic)


def links_about(card: str, findings: Iterable[Finding], assessment: Assessment, topic: Topic) -> list[Link]:
    """The links of a card: on the contributors among these findings, by topic and by code."""
    contributors, _ = split_serious(findings)
    linked = [finding for finding in contributors if finding.kind.link]
    coded = [
        (finding.kind.label, match)
        for finding in linked
        for entry in finding.entries[:1]
        if (match := entry.match_in(finding.kind.value_set))
    ]
    return card_links(card, [finding.kind.link for finding in linked], assessment.record, topic, coded)


def trace_findings(findings: Iterable[Finding], topic: Topic) -> tuple[Provenance, ...]:
    """The provenance of findings."""
    return tuple(
        one
        for finding in findings
        for one in trace(
            "serious" if finding.kind.serious else "contributor", finding.entries, finding.kind.value_set, topic
        )
    )


def name(finding: Finding, topic: Topic) -> str:
    """Our name for a finding, with the level of the spine where one is known and belongs into the name."""
    label = finding.kind.label
    if finding.level == UNSPECIFIED or not finding.kind.names_level:
        return label
    return fill(topic.phrases.name_with_level, {"label": label, "level": topic.phrases.levels[finding.level]})


def _line(finding: Finding, topic: Topic, today: date) -> str:
    line = describe_entry(name(finding, topic), finding.entry, topic.phrases, today)
    return fill(topic.phrases.serious, {"line": line}) if finding.kind.serious else line
