"""One damaged copy of the content for each fault that the content check finds, by file and line."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cards.checks.run_all import find_faults, find_slow_faults, find_stale, find_topic_faults, review_due
from cards.content.files import parse_yaml
from cards.topic import Topic
from cards.topics.lumbar_puncture.settings import Service
from tests.cards.checks.damaged_content import (
    BLEEDING,
    CONFOUNDERS,
    EXPECT,
    FLAGS,
    NERVE,
    PAGE,
    PAGE_ES,
    PHRASES,
    REFERRAL,
    SERVICE,
    STENOSIS,
    TERMS,
    TEXT,
    UNKNOWN,
    Change,
    add,
    copy_of,
    cut_line,
    damage,
    files_of,
    place_of,
    swap,
)

TODAY = date(2026, 11, 30)
EVIDENCE = (
    "{short: X, authors: X, title: X, published-in: X, issued: X, type: X, strength: X, limits: X, supports: X, "
    "checked-on: 2026-11-22, working-notes: X}"
)
HARD = "neurological deterioration necessitating hospitalization "
HARD_ES = "complicaciones neurológicas extraordinariamente desafortunadas "
PLACE = re.compile(r"[\w.-]+/[\w.-]+:\d+: .")


def with_settings(topic: Topic, content: Path) -> Topic:
    """The topic with the settings of this copy, which may be too broken to be loaded as a whole."""
    files = files_of(content)
    return replace(topic, files=files, service=parse_yaml(files.service, files.service.read_text("utf-8"), Service))


def check(topic: Topic, content: Path) -> list[str]:
    """The faults of this copy; each of them says where."""
    faults = find_faults([with_settings(topic, content)], TODAY)
    assert all(PLACE.match(fault) for fault in faults), faults
    return faults


def check_topic(topic: Topic, content: Path) -> list[str]:
    """Those of the topic's own files, without the value sets and words that topics share, which take longer."""
    faults = find_topic_faults(with_settings(topic, content), TODAY)
    assert all(PLACE.match(fault) for fault in faults), faults
    return faults


def case(sentence: str, file: str, change: Change, where: str, what: str) -> Any:
    """A row of a table: change this file, and a fault names the line where these words stand, and says that."""
    return pytest.param(file, change, where, what, id=sentence)


def test_the_content_as_it_is_has_no_fault(content: Path, topic: Topic) -> None:
    assert find_faults([topic], topic.service.reviewed_on) == []
    assert find_slow_faults([topic]) == []
    assert find_stale(topic, topic.service.reviewed_on) == []
    assert check(topic, content) == []


TEXT_FAULTS = [
    case("an uncited sentence", EXPECT, add("Never pain."), "Never pain.", "no evidence"),
    case("an uncited second sentence", EXPECT, swap("[nhs-2013].", "[nhs-2013]. Trust us."), "Trust us", "no evidence"),
    case("evidence that nobody knows", EXPECT, swap("[nhs-2013]", "[nhs-1999]"), "nhs-1999", "cites 'nhs-1999'"),
    case("evidence that nothing cites", SERVICE, swap("\nevidence:\n", f"\nevidence:\n  x: {EVIDENCE}\n"),
         "  x: {", "nothing cites x"),
    case("a misspelled placeholder", BLEEDING, swap("{risk}", "{rsik}"), "- {rsik}", "nothing fills {rsik}"),
    case("another card's placeholder", EXPECT, add("{flags}"), "{flags}", "nothing fills {flags}"),
    case("a line that lost its placeholder", BLEEDING, swap("{risk}:", "Now"), "- Now",
         "the card needs {risk}, which is missing"),
    case("a misspelled placeholder of a summary", NERVE, swap("{days}", "{dais}"), "{dais}", "nothing fills {dais}"),
    case("a number in a summary that gets none", EXPECT, swap("summary: A sore", "summary: In {days} a sore"),
         "summary: In", "summary: nothing fills {days}"),
    case("a summary that names no flag", FLAGS, swap("{findings}", "danger"), "summary-critical:",
         "summary-critical needs {findings}"),
    case("a summary that is missing", CONFOUNDERS, cut_line("summary-serious"), "---", "no summary-serious"),
    case("a summary missing for a chart without pain", UNKNOWN, cut_line("summary-no-pain"),
         "---", "the head has no summary-no-pain"),
    case("a referral without a name", REFERRAL, cut_line("suggestion-neurology"), "---", "no suggestion-neurology"),
    case("a line of the head that is misspelled", REFERRAL, swap("reason:", "raeson: x\nreason:"),
         "raeson", "the card does not use raeson"),
    case("a text without a head", EXPECT, swap("---\n", ""), "summary:", "begins with a head"),
]  # fmt: skip
WORD_FAULTS = [
    case("a phrase that lost its date", PHRASES, swap("since: since {date}", "since: then"), "since: then", "{date}"),
    case("a number that is missing, by its own section", PHRASES, swap("procedures ({count} un", "procedures (un"),
         "procedures (un", "procedures.unread needs {count}, which is missing"),
    case("a misspelled placeholder of a phrase", PHRASES, swap("entered {date}", "entered {day}"),
         "entered: entered {day}", "entered: nothing fills {day}"),
    case("a placeholder too many", PHRASES, swap("puncture: LP", "puncture: LP {date}"), "puncture:", "puncture: noth"),
    case("a standing without words", PHRASES, cut_line("  resolved: "), "standings:", "no words for 'resolved'"),
    case("a level without a name", PHRASES, swap("thoracic: thoracic, ", ""), "levels:", "no words for 'thoracic'"),
    case("words that no card uses", PHRASES, swap("  unfinished: ", "  undone: "), "undone", "do not use 'undone'"),
    case("a phrase that nobody knows", PHRASES, swap("sources:", "proof:"), "proof:", "proof"),
    case("British spelling", EXPECT, swap("fever,", "haematoma,"), "- Return", "“haematoma”: write “hematoma”"),
    case("an odd phrase", FLAGS, swap("leg strength", "pain that grows"), "- Ask", "write “worsening pain”"),
    case("British spelling in a setting", SERVICE, swap("label: fever,", "label: oedema,"), "label: oedema",
         "“oedema”: write “edema”"),
    case("a word of clinicians on a patient page", PAGE, swap("worn disks", "worn discs"), "worn discs", "“discs”"),
    case("a card that takes longer than eleven seconds to read", EXPECT, swap("severe headache", "headache " * 9),
         "- Tell", "a card of what-to-expect grows to"),
    case("a page that does not say who wrote it", "topic/patient_pages/words.es.yaml", swap("{owner}", "nosotros"),
         "reviewed:", "reviewed needs {owner}"),
    case("a prefetch token that no client knows", SERVICE, swap("{{context.patientId}}", "{{context.patient.id}}"),
         "context.patient.id", "not a first-level token"),
    case("a level of the spine that is none", SERVICE, swap("levels: [lumbar,", "levels: [neck,"), "[neck", "'neck'"),
]  # fmt: skip
PAGE_FAULTS = [
    case("an uncited line", PAGE, add("Drink water."), "Drink water.", "no evidence"),
    case("evidence that nobody knows", PAGE, swap("[uppal-2023]", "[uppal-2032]"), "uppal-2032", "'uppal-2032'"),
    case("a placeholder on a page", PAGE, add("Ask {doctor} [editorial]."), "{doctor}", "nothing fills {doctor}"),
    case("a page without a title", PAGE, cut_line("title:"), "---", "the head has no title"),
    case("a page without a date of review", PAGE, cut_line("reviewed-on:"), "---", "the head has no reviewed-on"),
    case("a page without a status", PAGE, cut_line("status:"), "---", "the head has no status"),
    case("a page without a language", PAGE, cut_line("language:"), "---", "the head has no language"),
    case("a draft that does not say so", PAGE_ES, cut_line("draft-note:"), "---", "the head has no draft-note"),
    case("approved, but shown as a draft", PAGE_ES, swap("status: draft", "status: approved"), "draft-note", "draft"),
    case("a status that is none", PAGE, swap("status: approved", "status: fine"), "status:", "approved or draft"),
    case("a page in another language", PAGE_ES, swap("language: es", "language: en"), "language:", "'es'"),
    case("a date of review that is none", PAGE, swap("2026-11-30", "in 2026"), "in 2026", "not a date such as"),
    case("a line of the head that is misspelled", PAGE, swap("title:", "titel: x\ntitle:"), "titel", "not use titel"),
    case("a translation that lost a heading", PAGE_ES, swap("## Qué ayuda\n", ""), "## Sus preguntas",
         "5 headings; lumbar-puncture.en.md has 6"),
    case("a translation with other evidence", PAGE_ES, swap("semanas [spineinfo]", "semanas [nath-2018]"),
         "[nath-2018]", "cites nath-2018 where lumbar-puncture.en.md:"),
    case("a translation that says more", PAGE_ES, add("Llámenos [girft]."), "Llámenos [girft].", "cites girft where"),
    case("English that is too hard", PAGE, add(f"{HARD * 30} [editorial]."), HARD, "reads at school grade"),
    case("Spanish that is too hard", PAGE_ES, add(f"{HARD_ES * 30} [editorial]."), HARD_ES, "reads at an ease of"),
    case("a translation that says less", PAGE_ES, cut_line("¿Cuánto tiempo"), "**Antes", "cites nothing where"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "where", "what"), [*TEXT_FAULTS, *WORD_FAULTS, *PAGE_FAULTS])
def test_what_loads_but_should_not_be_served_is_told_by_file_and_line(
    topic: Topic, content: Path, file: str, change: Change, where: str, what: str
) -> None:
    damage(content, file, change)
    place = place_of(content, file, where)
    faults = check_topic(topic, content)
    assert any(fault.startswith(f"{place}: ") and what in fault for fault in faults), faults


SUMMARY_FAULTS = [
    case("one that is too long as it is", EXPECT, swap("summary: ", "summary: " + "long " * 10), "summary:", "summary"),
    case("the longest finding", CONFOUNDERS, swap('summary: "', 'summary: "' + "So. " * 9), "summary:", "summary"),
    case("the longest finding that is serious", CONFOUNDERS, swap('serious: "', 'serious: "' + "So. " * 14),
         "summary-serious:", "summary-serious"),
    case("the longest red flag", FLAGS, swap('critical: "', 'critical: "' + "Danger. " * 8),
         "summary-critical:", "summary-critical"),
    case("the longest span of days", NERVE, swap('summary: "', 'summary: "' + "In legs. " * 7), "summary:", "summary"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "change", "where", "key"), SUMMARY_FAULTS)
def test_a_summary_that_may_grow_beyond_139_characters_is_a_fault(
    topic: Topic, content: Path, file: str, change: Change, where: str, key: str
) -> None:
    """R-4.21: fewer than 140 characters."""
    damage(content, file, change)
    (fault,) = check_topic(topic, content)
    assert fault.startswith(f"{place_of(content, file, where)}: {key} grows to 1")


def test_the_name_of_a_red_flag_may_make_a_summary_too_long(topic: Topic, content: Path) -> None:
    damage(content, SERVICE, swap("label: meningitis", "label: meningitis" + " of a kind" * 9))
    critical, warning = check_topic(topic, content)
    assert critical.startswith(f"{place_of(content, FLAGS, 'summary-critical:')}: summary-critical grows to ")
    assert warning.startswith(f"{place_of(content, FLAGS, 'summary-warning:')}: summary-warning grows to ")


@pytest.mark.parametrize(
    "file",
    [EXPECT, PHRASES, PAGE, PAGE_ES, "topic/patient_pages/words.es.yaml", STENOSIS, "value_sets/obesity.json"],
)
def test_a_file_that_is_missing_or_not_utf_8_hides_no_other_fault(topic: Topic, content: Path, file: str) -> None:
    damage(content, CONFOUNDERS, add("Uncited."))
    other = place_of(content, CONFOUNDERS, "Uncited.")
    path = copy_of(content, file)
    place = f"{path.parent.name}/{path.name}:1: "
    find = check_topic if file.startswith("topic/") else check
    path.write_bytes(b"\xff")
    told = find(topic, content)
    path.unlink()
    missing = find(topic, content)
    for faults, what in ((told, "not UTF-8"), (missing, "missing")):
        assert any(fault.startswith(place) and what in fault for fault in faults), faults
        assert any(fault.startswith(f"{other}: ") for fault in faults)


def test_a_file_of_words_that_is_not_utf_8_hides_no_other_fault(topic: Topic, content: Path) -> None:
    damage(content, CONFOUNDERS, add("Uncited."))
    other = place_of(content, CONFOUNDERS, "Uncited.")
    copy_of(content, TERMS).write_bytes(b"\xff")
    faults = check(topic, content)
    assert "lexicon/red-flags.yaml:1: not UTF-8 at byte 0" in faults
    assert any(fault.startswith(f"{other}: ") for fault in faults)


def test_a_language_of_the_cards_needs_all_texts_and_phrases(topic: Topic, content: Path) -> None:
    damage(content, SERVICE, swap("languages: [en]", "languages: [en, es]"))
    texts = sorted(path.name.replace(".en.", ".es.") for path in (content / TEXT).glob("*.en.*"))
    assert sorted(check_topic(topic, content)) == [f"text/{name}:1: the file is missing" for name in texts]
    for name in texts:
        shutil.copy(content / TEXT / name.replace(".es.", ".en."), content / TEXT / name)
    assert check_topic(topic, content) == []
    damage(content, TEXT + "red-flags.es.md", swap("{what}", ""))
    assert {fault.partition(":")[0] for fault in check_topic(topic, content)} == {"text/red-flags.es.md"}


def test_what_is_overdue_for_review_is_told_apart_from_faults(topic: Topic) -> None:
    """design.md 4: a page, a source or a link, each by name, after review-every-days."""
    service = topic.service
    due = review_due(topic)
    assert find_stale(topic, due) == []
    assert find_stale(topic, due + timedelta(days=1)) != []
    late = service.reviewed_on + timedelta(days=service.review_every_days + 1)
    stale = find_stale(topic, late)
    assert all(PLACE.match(one) and one.endswith("more than 365 days ago: review it and set the date") for one in stale)
    pages = len(service.patient_languages) * len(topic.patient_pages)
    assert len(stale) == 1 + len(service.links) + len(service.evidence) + pages
    assert find_faults([topic], late) == []


@pytest.mark.parametrize(
    ("file", "old", "name"),
    [
        pytest.param(SERVICE, "reviewed-on: 2026-11-30", "reviewed-on", id="the service"),
        pytest.param(SERVICE, "checked-on: 2026-11-22", "links.lumbar-puncture.checked-on", id="a link"),
        pytest.param(PAGE, '"2026-11-30"', "reviewed-on", id="a patient page"),
        pytest.param(PAGE_ES, '"2026-11-30"', "reviewed-on", id="a draft of a patient page"),
    ],
)
def test_a_review_is_overdue_or_in_the_future_by_file_and_line(
    topic: Topic, content: Path, file: str, old: str, name: str
) -> None:
    damage(content, file, swap(old, re.sub("2026-11-..", "2025-11-21", old)))
    (stale,) = find_stale(with_settings(topic, content), TODAY)
    assert stale.startswith(f"{place_of(content, file, '2025-11-21')}: {name} 2025-11-21 is more than 365 days ago")
    damage(content, file, swap("2025-11-21", "2026-12-01"))
    assert find_stale(with_settings(topic, content), TODAY) == []
    assert check_topic(topic, content) == [
        f"{place_of(content, file, '2026-12-01')}: {name} 2026-12-01 is in the future"
    ]
