"""Findings in words: in a summary, and as lines of a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cards.card import Provenance
from cards.content.texts import Citations, Markdown, fill_plain
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.topics.lumbar_puncture.settings import UNSPECIFIED
from cards.writing.provenance import trace
from cards.writing.wording import LONGEST_SUMMARY, describe_entries, summary_naming


def summary_with(template: str, findings: Sequence[Finding], topic: Topic) -> str:
    """The summary with as many findings named as settings allow and as fit; `{findings}` is plain text of our own.

    The low back goes without saying there; other levels of the spine are named.
    """
    foremost = topic.service.settings.levels[0]
    names = [finding.kind.label if finding.level == foremost else _name(finding, topic) for finding in findings]
    return summary_naming(template, names, topic)


def with_findings(summary: str, findings: Sequence[Finding], topic: Topic) -> str:
    """A whole summary, and after it what the chart holds, where that still fits."""
    longer = summary_with(summary + topic.phrases.in_summary, findings, topic)
    return longer if findings and len(longer) <= LONGEST_SUMMARY else summary


def list_findings(findings: Sequence[Finding], topic: Topic) -> Markdown:
    """One bullet for each finding, at most as many as settings allow, then the others by name."""
    most = topic.service.settings.most_findings_listed
    lines = [f"- {_line(finding, topic)}" for finding in findings[:most]]
    if len(findings) > most:
        rest = [finding.kind.label for finding in findings[most:]]
        lines.append("- " + ", ".join(dict.fromkeys(rest)).capitalize())
    return Markdown("\n".join(lines))


def tell_contributors(findings: Sequence[Finding], citations: Citations, topic: Topic) -> Markdown:
    """The contributors with what may be said of them; nothing where there is none."""
    if not findings:
        return Markdown("")
    return topic.texts["contributors"].body({"findings": list_findings(findings, topic)}, citations)


def trace_findings(findings: Iterable[Finding], topic: Topic) -> tuple[Provenance, ...]:
    """The provenance of findings."""
    return tuple(
        one
        for finding in findings
        for one in trace(
            "serious" if finding.kind.serious else "contributor", finding.entries, finding.kind.value_set, topic
        )
    )


def _name(finding: Finding, topic: Topic) -> str:
    label = finding.kind.label
    if finding.level == UNSPECIFIED:
        return label
    return fill_plain(topic.phrases.name_with_level, {"label": label, "level": topic.phrases.levels[finding.level]})


def _line(finding: Finding, topic: Topic) -> Markdown:
    return describe_entries(_name(finding, topic), finding.entries, finding.kind.value_set, topic)
