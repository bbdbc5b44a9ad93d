"""Findings in words: in a summary, and as lines of a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from cards.card import Provenance
from cards.content.texts import fill
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.topics.lumbar_puncture.settings import UNSPECIFIED
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
