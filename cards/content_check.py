"""What loading does not refuse but nobody should serve: uncited sentences, dead files, summaries that grow too long."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from cards.catalogue import PATIENT_PAGES, VALUE_SETS, Topic
from cards.content import read_text
from cards.findings import UNSPECIFIED, Finding
from cards.texts import Text, uncited_lines
from cards.wording import LONGEST_SUMMARY, summary_with

_LEGAL_TOKENS = frozenset({"context.userId", "context.patientId", "context.encounterId"})
_FILLED = {
    "what-to-expect": frozenset({"not_read"}),
    "confounders": frozenset({"contributors", "serious", "not_read"}),
}


def find_faults(topic: Topic) -> list[str]:
    """Every fault of a loaded topic, one line each."""
    faults = []
    for name, text in {**topic.texts, **topic.patient_pages}.items():
        faults += _text_faults(text, topic, _FILLED.get(name, frozenset()))
    return faults + list(_summary_faults(topic)) + list(_prefetch_faults(topic)) + list(_dead_value_sets(topic))


def _text_faults(text: Text, topic: Topic, filled: frozenset[str]) -> list[str]:
    place = text.path.name
    by_sentence = text.path.parent != PATIENT_PAGES  # a patient should not stumble over a number at every full stop
    faults = [
        f"{place}:{line}: no evidence; end it with [key]" for line in uncited_lines(text, by_sentence=by_sentence)
    ]
    unknown = sorted(text.cited() - set(topic.service.evidence))
    faults += [f"{place}: cites {key!r}, which service.yaml does not have" for key in unknown]
    return faults + [f"{place}: nothing fills {{{name}}}" for name in sorted(text.placeholders() - filled)]


def _summary_faults(topic: Topic) -> Iterator[str]:
    """Every summary must stay under 140 characters (R-4.21), whichever findings a chart may hold."""
    for name, head in ((name, text.head) for name, text in topic.texts.items()):
        for key, summary in head.items():
            if not key.startswith("summary"):
                continue
            longest = max(_fillings(summary, topic), key=len) if "{findings}" in summary else summary
            if len(longest) > LONGEST_SUMMARY:
                yield f"{name}: {key} grows to {len(longest)} characters, more than {LONGEST_SUMMARY}: {longest}"


def _fillings(template: str, topic: Topic) -> Iterator[str]:
    findings = [
        Finding(kind, level, ())
        for kind in topic.service.contributors
        for level in (*topic.service.levels, UNSPECIFIED)
        if level in topic.service.settings.levels
    ]
    for pair in combinations(findings, 2):
        for some in (pair, pair[:1]):
            yield summary_with(template, [*some, *findings[:97]], topic)


def _prefetch_faults(topic: Topic) -> Iterator[str]:
    for key, template in topic.service.prefetch.items():
        for token in re.findall(r"\{\{(.*?)\}\}", template):
            if token not in _LEGAL_TOKENS:
                yield f"service.yaml: prefetch {key}: {{{{{token}}}}} is no first-level token (R-3.4)"


def _dead_value_sets(topic: Topic) -> Iterator[str]:
    service = topic.service
    orders = {service.orders.lumbar_puncture, service.orders.unless_into_a_device, service.orders.near_miss}
    used = orders | {kind.value_set for kind in service.contributors} | set(service.levels.values())
    for path in sorted(VALUE_SETS.glob("*.json")):
        if path.stem not in used:
            yield f"{path.name}: no order, contributor or level of service.yaml uses this value set"


def find_invalid_value_sets(folder: Path = VALUE_SETS) -> list[str]:
    """The value sets that are not valid FHIR R4, with the reason. Slow: it loads fhir.resources."""
    from fhir.resources.R4B.valueset import ValueSet
    from pydantic import ValidationError

    faults = []
    for path in sorted(folder.glob("*.json")):
        try:
            ValueSet.model_validate(json.loads(read_text(path)))
        except ValidationError as cause:
            faults += [f"{path.name}: {'.'.join(map(str, error['loc']))}: {error['msg']}" for error in cause.errors()]
    return faults
