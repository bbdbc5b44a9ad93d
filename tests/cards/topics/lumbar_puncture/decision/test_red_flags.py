"""What the rule says of each kind of red flag, on both sides of each number of design.md 5.3.

The numbers stand here as the design has them, and are not read from service.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from cards.topics.lumbar_puncture.decision.problems import Problems
from cards.topics.lumbar_puncture.decision.punctures import find_punctures
from cards.topics.lumbar_puncture.decision.red_flags import RedFlagRule, Ruling
from cards.topics.lumbar_puncture.topic import LumbarPuncture
from tests.cards.topics.lumbar_puncture.decision.charts import PUNCTURED_ON, day, problem, puncture, record
from tests.charts import ICD_10_CM, coded

# flag, how a chart names it, indicator, first and last day of the window, days for which its evidence counts;
# subarachnoid bleeding within two days is what a puncture is done to find, other bleeding around the brain is not
TABLE = [
    ("cauda-equina-syndrome", "Cauda equina syndrome", "critical", 0, None, 60),
    ("spinal-cord-compression", "Spinal cord compression", "critical", 0, None, 60),
    ("bilateral-leg-deficit", "Weakness of both legs", "critical", 0, None, 60),
    ("saddle-numbness", "Saddle anesthesia", "critical", 0, None, 60),
    ("spinal-hematoma", "Spinal epidural hematoma", "critical", 0, None, 60),
    ("epidural-abscess", "Epidural abscess", "critical", 0, None, 60),
    ("spinal-infection", "Discitis", "critical", 0, None, 60),
    ("intracranial-hemorrhage", "Subdural hematoma", "critical", 0, 60, 30),
    ("intracranial-hemorrhage", "Cerebral venous sinus thrombosis", "critical", 0, 60, 30),
    ("subarachnoid-hemorrhage", "Subarachnoid hemorrhage", "critical", 3, 60, 30),
    ("meningitis", "Bacterial meningitis", "critical", 3, 14, 14),
    ("bladder-bowel-dysfunction", "Urinary retention", "warning", 0, 30, 30),
    ("leg-weakness", "Foot drop, left", "warning", 0, 60, 60),
    ("sepsis", "Sepsis", "warning", 0, 30, 14),
    ("fever", "Fever", "warning", 0, 14, 14),
    ("procedure-infection", "Postoperative wound infection", "warning", 0, 30, 14),
    ("csf-leak-or-postural-headache", "Post-dural puncture headache", "warning", 0, 30, 30),
]
NO_WINDOW_DAY = 200  # any day within the look-back will do


def ruling(
    topic: LumbarPuncture, key: str, today: date, *resources: Any, ordered: frozenset[str] = frozenset()
) -> Ruling:
    """What is ruled of this kind and the only puncture of the chart."""
    read = record(topic, today, *resources)
    punctures = find_punctures(read, None, topic, today)
    (only,) = punctures.all
    (kind,) = [kind for kind in topic.service.red_flags if kind.key == key]
    return RedFlagRule(Problems(read, (), topic, today), punctures, ordered, topic, today).judge(kind, only)[0]


def windows() -> Iterator[Any]:
    for key, words, _, first, last, _ in TABLE:
        yield pytest.param(key, words, first or 1, Ruling.COUNTS, id=f"{words} on day {first or 1}, its first, counts")
        if last is None:
            yield pytest.param(key, words, NO_WINDOW_DAY, Ruling.COUNTS, id=f"{words} has no window")
        else:
            yield pytest.param(key, words, last, Ruling.COUNTS, id=f"{words} on day {last} counts")
            yield pytest.param(key, words, last + 1, Ruling.OUTSIDE_WINDOW, id=f"{words} on day {last + 1} is outside")


@pytest.mark.parametrize(("key", "words", "onset", "expected"), [*windows()])
def test_the_onset_lies_inside_the_window_of_the_flag(
    topic: LumbarPuncture, key: str, words: str, onset: int, expected: Ruling
) -> None:
    assert ruling(topic, key, day(onset), puncture(), problem(words, onset)) is expected


@pytest.mark.parametrize(("key", "words", "onset", "expected"), [*windows()])
def test_a_recorded_date_stands_for_an_onset_that_is_not_known(
    topic: LumbarPuncture, key: str, words: str, onset: int, expected: Ruling
) -> None:
    assert ruling(topic, key, day(onset), puncture(), problem(words, recorded=onset)) is expected


@pytest.mark.parametrize(
    ("key", "words", "onset", "days_ago", "expected"),
    [
        pytest.param(key, words, max(first, 5), days + over, said, id=f"{words} of {days + over} days ago {verb}")
        for key, words, _, first, _, days in TABLE
        for over, said, verb in ((0, Ruling.COUNTS, "counts"), (1, Ruling.LONG_AGO, "is too old to be a flag"))
    ],
)
def test_the_latest_evidence_is_no_older_than_the_days_of_the_flag(
    topic: LumbarPuncture, key: str, words: str, onset: int, days_ago: int, expected: Ruling
) -> None:
    assert ruling(topic, key, day(onset + days_ago), puncture(), problem(words, onset)) is expected
    again = problem(words, onset, recorded=onset + days_ago)
    assert ruling(topic, key, day(onset + days_ago), puncture(), again) is Ruling.COUNTS, "it was seen again today"


@pytest.mark.parametrize(("key", "indicator"), [pytest.param(key, said, id=words) for key, words, said, *_ in TABLE])
def test_how_urgent_a_flag_is(topic: LumbarPuncture, key: str, indicator: str) -> None:
    assert [kind.indicator for kind in topic.service.red_flags if kind.key == key] == [indicator]


TODAY = day(5)
RETENTION, CES = problem("Urinary retention", 4), problem("Cauda equina syndrome", 4)
RESOLVED = coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")
OLD_STROKE = problem("Hemiplegia after a stroke", -400, code=coded(ICD_10_CM, "I69.354"))
SPINE_IMAGE = frozenset({"spine-imaging"})
BESIDE = "bladder-bowel-with-deficit-or-pain"


@pytest.mark.parametrize(
    ("key", "chart", "ordered", "expected"),
    [
        pytest.param("fever", [], (), Ruling.NOT_PRESENT, id="nothing in the chart"),
        pytest.param("fever", [problem("Fever", 4, clinicalStatus=RESOLVED)], (), Ruling.NOT_PRESENT, id="resolved"),
        pytest.param("fever", [problem("No fever", 4)], (), Ruling.NOT_PRESENT, id="denied"),
        pytest.param("cauda-equina-syndrome", [problem("?CES", 4)], (), Ruling.COUNTS, id="suspected"),
        pytest.param("leg-weakness", [problem("Foot drop", -30)], (), Ruling.KNOWN_BEFORE, id="known before"),
        pytest.param(
            "leg-weakness", [problem("Foot drop", recorded=-30), problem("Foot drop", recorded=3)], (),
            Ruling.KNOWN_BEFORE, id="an old problem that is only recorded again",
        ),
        pytest.param(
            "leg-weakness", [problem("Foot drop", -30), problem("Foot drop", 3)], (),
            Ruling.COUNTS, id="an old problem with a new onset",
        ),
        pytest.param(
            "leg-weakness", [OLD_STROKE, problem("Leg weakness", recorded=3)], (),
            Ruling.KNOWN_BEFORE, id="a weak leg recorded in a patient with a known stroke",
        ),
        pytest.param(
            "leg-weakness", [OLD_STROKE, problem("Leg weakness", 3)], (),
            Ruling.COUNTS, id="a leg that became weak since, in a patient with a known stroke",
        ),
        pytest.param("fever", [problem("Fever")], (), Ruling.COUNTS, id="without any date it is of today"),
        pytest.param(BESIDE, [RETENTION], (), Ruling.ALONE, id="retention alone is not critical"),
        pytest.param("bladder-bowel-dysfunction", [RETENTION], (), Ruling.COUNTS, id="retention alone is a warning"),
        *(
            pytest.param(BESIDE, [RETENTION, problem(words, 4)], (), Ruling.COUNTS, id=f"retention beside {words}")
            for words in ("Leg weakness", "Numbness of leg", "Saddle anesthesia", "Low back pain")
        ),
        pytest.param(
            BESIDE, [RETENTION, problem("Low back pain", -90)], (), Ruling.ALONE, id="retention beside old back pain"
        ),
        pytest.param(
            "bladder-bowel-dysfunction", [problem("Stress incontinence", 4)], (), Ruling.NOT_PRESENT,
            id="stress incontinence is no flag",
        ),
        *(
            pytest.param(key, [problem(words, 4), problem("Low back pain", 4)], image, said, id=f"{words}, {id_}")
            for key, words in (
                ("fever-with-back-pain", "Fever"),
                ("sepsis-with-back-pain", "Sepsis"),
                ("procedure-infection-with-back-pain", "Postoperative wound infection"),
            )
            for image, said, id_ in (
                (SPINE_IMAGE, Ruling.COUNTS, "new back pain and an image of the spine"),
                ((), Ruling.ALONE, "new back pain and no image of the spine"),
            )
        ),
        pytest.param(
            "fever-with-back-pain", [problem("Fever", 4)], SPINE_IMAGE, Ruling.ALONE, id="fever without back pain"
        ),
    ],
)  # fmt: skip
def test_present_new_and_beside_what(
    topic: LumbarPuncture, key: str, chart: list[Any], ordered: Any, expected: Ruling
) -> None:
    assert ruling(topic, key, TODAY, puncture(), *chart, ordered=frozenset(ordered)) is expected


WEAK_LEG = problem("Left leg weakness", recorded=3)


@pytest.mark.parametrize(
    ("key", "chart", "expected"),
    [
        *(
            pytest.param("leg-weakness", [problem(words, recorded=-400), WEAK_LEG], Ruling.KNOWN_BEFORE, id=words)
            for words in (
                "h/o CVA", "old stroke, L hemiparesis", "PMH: HTN, CVA, DM2", "CVA 2015", "stroke in the past",
                "Stroke, left hemiplegia", "Antecedentes de ictus", "ictus previo", "AVC antigo", "Antécédent d'AVC",
                "AVC ancien, hémiparésie gauche", "Z.n. Schlaganfall", "Schlaganfall in der Anamnese",
                "Hemiparese links nach Hirninfarkt", "pregresso ictus", "beroerte in 2015",
            )
        ),
        *(
            pytest.param("leg-weakness", [problem(words, recorded=-400), WEAK_LEG], Ruling.COUNTS, id=words)
            for words in (
                "?CVA", "r/o stroke", "Family history of stroke", "No history of stroke", "TIA 2015", "CVA tenderness",
                "Stroke 2015, no residual deficits", "stroke, resolved", "Heat stroke", "Stroke, right hemiplegia",
            )
        ),
        pytest.param(
            "leg-weakness", [problem("h/o CVA", recorded=3), WEAK_LEG], Ruling.KNOWN_BEFORE,
            id="a history that is written down after the puncture",
        ),
        pytest.param(
            "leg-weakness", [problem("CVA", recorded=3), WEAK_LEG], Ruling.COUNTS, id="a stroke after the puncture"
        ),
        pytest.param("leg-weakness", [problem("h/o CVA"), WEAK_LEG], Ruling.COUNTS, id="a history without any date"),
        pytest.param(
            "leg-weakness", [problem("h/o CVA", recorded=-400), problem("Left leg weakness", 3)], Ruling.COUNTS,
            id="a leg that became weak since the puncture",
        ),
        *(
            pytest.param(key, [problem("h/o CVA", recorded=-400), problem(words, recorded=3)], Ruling.COUNTS, id=words)
            for key, words in (
                ("bilateral-leg-deficit", "Weakness of both legs"),
                ("cauda-equina-syndrome", "Cauda equina syndrome"),
                ("saddle-numbness", "Saddle anesthesia"),
                ("spinal-cord-compression", "Spinal cord compression"),
                ("bladder-bowel-dysfunction", "Urinary retention"),
            )
        ),
    ],
)  # fmt: skip
def test_a_stroke_that_only_words_tell_of_explains_one_weak_leg_and_nothing_else(
    topic: LumbarPuncture, key: str, chart: list[Any], expected: Ruling
) -> None:
    assert ruling(topic, key, TODAY, puncture(), *chart) is expected


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("meningitis", "Bacterial meningitis", id="meningitis"),
        pytest.param("subarachnoid-hemorrhage", "Subarachnoid hemorrhage", id="subarachnoid hemorrhage"),
        pytest.param("subarachnoid-hemorrhage", "HSA, hemorragia subaracnoidea", id="subarachnoid hemorrhage, Spanish"),
    ],
)
@pytest.mark.parametrize(
    ("onset", "expected"),
    [
        pytest.param(0, Ruling.REASON_OF_PUNCTURE, id="on the day of the puncture"),
        pytest.param(2, Ruling.REASON_OF_PUNCTURE, id="two days after it"),
        pytest.param(3, Ruling.COUNTS, id="three days after it"),
    ],
)
def test_what_a_puncture_is_done_to_find_is_no_flag_of_it(
    topic: LumbarPuncture, key: str, words: str, onset: int, expected: Ruling
) -> None:
    assert ruling(topic, key, TODAY, puncture(), problem(words, onset)) is expected


@pytest.mark.parametrize("dates", [{"onset": 0}, {"onset": 2}, {"recorded": 0}, {"recorded": 1}], ids=str)
@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("intracranial-hemorrhage", "Subdural hematoma", id="subdural hematoma"),
        pytest.param("intracranial-hemorrhage", "Intracranial epidural hematoma", id="epidural hematoma of the head"),
        pytest.param("intracranial-hemorrhage", "Cerebral venous thrombosis", id="cerebral venous thrombosis"),
        pytest.param("intracranial-hemorrhage", "SDH with SAH", id="beside subarachnoid bleeding, in one entry"),
        pytest.param("epidural-abscess", "Spinal epidural abscess with meningitis", id="beside meningitis"),
    ],
)
def test_what_no_puncture_is_done_to_find_is_a_flag_from_its_day(
    topic: LumbarPuncture, key: str, words: str, dates: dict[str, int]
) -> None:
    assert ruling(topic, key, day(2), puncture(), problem(words, **dates)) is Ruling.COUNTS


@pytest.mark.parametrize(
    ("reason", "key", "words", "expected"),
    [
        pytest.param(
            "r/o SAH", "subarachnoid-hemorrhage", "SAH", Ruling.REASON_OF_PUNCTURE, id="found as it was looked for"
        ),
        pytest.param(
            "r/o SAH", "intracranial-hemorrhage", "Subdural hematoma", Ruling.COUNTS, id="another than looked for"
        ),
        pytest.param("r/o meningitis", "subarachnoid-hemorrhage", "SAH", Ruling.COUNTS, id="looked for something else"),
    ],
)
def test_bleeding_a_day_after_a_puncture_that_states_its_reason(
    topic: LumbarPuncture, reason: str, key: str, words: str, expected: Ruling
) -> None:
    done = puncture(reasonCode=[{"text": reason}])
    assert ruling(topic, key, TODAY, done, problem(words, 1)) is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(None, Ruling.REASON_OF_PUNCTURE, id="of which the puncture says nothing"),
        pytest.param("Guillain-Barre syndrome", Ruling.REASON_OF_PUNCTURE, id="for which the puncture was done"),
        pytest.param("Normal pressure hydrocephalus", Ruling.COUNTS, id="and the puncture had another reason"),
    ],
)
def test_weak_legs_of_a_guillain_barre_syndrome(topic: LumbarPuncture, reason: str | None, expected: Ruling) -> None:
    stated = {"reasonCode": [{"text": reason}]} if reason else {}
    chart = [problem("Guillain-Barre syndrome", 1), problem("Weakness of both legs", 1)]
    assert ruling(topic, "bilateral-leg-deficit", TODAY, puncture(**stated), *chart) is expected


@pytest.mark.parametrize(
    ("key", "words", "expected"),
    [
        pytest.param(key, words, {"critical": Ruling.COUNTS}.get(said, Ruling.UNDATED_PUNCTURE), id=f"{words}: {said}")
        for key, words, said, *_ in TABLE
    ],
)  # fmt: skip
def test_beside_an_undated_puncture_only_critical_flags_count(
    topic: LumbarPuncture, key: str, words: str, expected: Ruling
) -> None:
    """ADR 19: today's fever says nothing of a puncture that may be years ago."""
    chart = [puncture(performedDateTime=None), problem(words, 4)]
    assert ruling(topic, key, TODAY, *chart) is expected


@pytest.mark.parametrize(
    ("days_ago", "punctures"),
    [pytest.param(365, 1, id="a year ago"), pytest.param(366, 0, id="a year and a day ago")],
)
def test_flags_are_judged_against_punctures_of_the_look_back(
    topic: LumbarPuncture, days_ago: int, punctures: int
) -> None:
    today = day(days_ago)
    read = record(topic, today, puncture(), problem("Cauda equina syndrome", days_ago))
    found = find_punctures(read, None, topic, today)
    flags = RedFlagRule(Problems(read, (), topic, today), found, frozenset(), topic, today).find()
    assert (len(found.all), len(flags.counting)) == (punctures, punctures)
    assert today > PUNCTURED_ON
