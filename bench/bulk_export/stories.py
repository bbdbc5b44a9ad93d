"""Why patients come to this hospital: the ordinary, and the stories that the service may speak about (README.md).

A story writes into a chart whatever goes beyond the ordinary of `ordinary_care`. Days are counted from January 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.bulk_export import spine
from bench.bulk_export.chart import SERVICES, YEAR_DAYS, Chart
from bench.bulk_export.draws import Draws, Weighted
from bench.bulk_export.ordinary import DIAGNOSES, ORDERS, PROCEDURES, UNREADABLE_DIAGNOSES, WEIGHT_AND_RISKS, OrderKind

EMERGENCY, INTERNAL, FAMILY, NEUROLOGY, ORTHOPEDICS, ONCOLOGY, PEDIATRICS, INTENSIVE = range(len(SERVICES))
LAST_DAY = YEAR_DAYS - 1

_ORDER_COUNTS = Weighted.of([(25, (1, 2)), (35, (3, 6)), (25, (7, 12)), (12, (13, 25)), (3, (26, 60))])
_CONDITION_COUNTS = Weighted.of([(10, (0, 0)), (40, (1, 4)), (35, (5, 10)), (15, (11, 25))])
_PROCEDURE_COUNTS = Weighted.of([(30, (0, 0)), (50, (1, 4)), (20, (5, 15))])
_PUNCTURE_SERVICES = Weighted.of([(45, EMERGENCY), (30, NEUROLOGY), (15, INTERNAL), (10, INTENSIVE)])
_BACK_SERVICES = Weighted.of([(45, FAMILY), (20, ORTHOPEDICS), (20, EMERGENCY), (15, INTERNAL)])
_PUNCTURE_STATUS = Weighted.of([(95, "completed"), (2, "not-done"), (2, "in-progress"), (1, "entered-in-error")])


def ordinary_care(chart: Chart, *, is_child: bool, has_chart: bool) -> None:
    """Orders, diagnoses and procedures of any patient; without a chart, orders alone."""
    draws = chart.draws
    diagnoses = []
    if has_chart:
        for _ in range(draws.between(*draws.weighted(_CONDITION_COUNTS))):
            onset = draws.between(-2500, LAST_DAY)
            diagnoses.append(chart.diagnose(draws.weighted(DIAGNOSES), onset, onset + draws.below(40)))
        if draws.chance(0.12):
            chart.diagnose(draws.weighted(WEIGHT_AND_RISKS), -draws.below(2500), -draws.below(300))
        if not is_child and draws.chance(0.08):
            chart.diagnose(draws.weighted(spine.BACKS), draws.between(-3000, LAST_DAY), draws.between(-600, LAST_DAY))
        if draws.chance(0.03):
            chart.condition(draws.pick(UNREADABLE_DIAGNOSES), recorded=chart.day(draws.between(-900, LAST_DAY)))
        for _ in range(draws.between(*draws.weighted(_PROCEDURE_COUNTS))):
            chart.procedure(draws.weighted(PROCEDURES), draws.between(-1200, LAST_DAY))
    for _ in range(draws.between(*draws.weighted(_ORDER_COUNTS))):
        kind, day, chance = draws.weighted(ORDERS), draws.between(-7, LAST_DAY), draws.random()
        service = PEDIATRICS if is_child else draws.below(len(SERVICES))
        if chance < 0.38:
            chart.order(kind, day, service, draws.weighted(DIAGNOSES).icd)
        elif chance < 0.46 and diagnoses:
            chart.order(kind, day, service, reason_id=draws.pick(diagnoses))
        else:
            chart.order(kind, day, service)


def _puncture(chart: Chart, earliest: int = 0, latest: int = LAST_DAY) -> int:
    """A lumbar puncture ordered, with the tasks and tests around it, and nearly always done; its day."""
    draws = chart.draws
    day = draws.between(earliest, latest)
    service = PEDIATRICS if chart.is_child else draws.weighted(_PUNCTURE_SERVICES)
    reason = draws.pick(spine.PUNCTURE_REASONS) if draws.chance(0.7) else None
    priority = "stat" if service == EMERGENCY and draws.chance(0.6) else "routine"
    if day >= 0:
        chart.order(draws.weighted(spine.PUNCTURE_ORDERS), day, service, reason, priority=priority)
        for _ in range(draws.between(1, 3)):
            chart.order(draws.pick(spine.ABOUT_PUNCTURES), day, service)
    if draws.chance(0.93):
        done = day if draws.chance(0.85) else day + 1
        chart.procedure(draws.weighted(spine.PUNCTURES_DONE), done, status=draws.weighted(_PUNCTURE_STATUS))
    return day


def _new_pain(chart: Chart, day: int) -> None:
    """Back pain that began on a day."""
    chart.diagnose(spine.LOW_BACK_PAIN, day, day + chart.draws.below(3), certain=True)


def _work_up(chart: Chart, day: int, reason: str | None, kind: OrderKind = spine.LUMBAR_MRI) -> None:
    """An order that looks for the cause of a complaint."""
    chart.order(kind, day, chart.draws.weighted(_BACK_SERVICES), reason)


def puncture_alone(chart: Chart) -> None:
    """A lumbar puncture, and nothing follows."""
    _puncture(chart)


def serial_punctures(chart: Chart) -> None:
    """Chemotherapy into the spine every two weeks."""
    day = chart.draws.between(0, 200)
    for number in range(chart.draws.between(4, 8)):
        chart.order(spine.CHEMOTHERAPY_PUNCTURE, day + 14 * number, ONCOLOGY, priority="routine")
        chart.procedure(chart.draws.weighted(spine.PUNCTURES_DONE), day + 14 * number, status="completed", undated=0)


def second_puncture(chart: Chart) -> None:
    """Another puncture months later, without a complaint."""
    day = _puncture(chart, 0, 120)
    _puncture(chart, day + 100, LAST_DAY)


def sore_back(chart: Chart) -> None:
    """Back pain within days of a puncture, imaged at once."""
    day = _puncture(chart, 0, LAST_DAY - 8)
    _new_pain(chart, day + 1)
    _work_up(chart, day + chart.draws.between(2, 7), chart.draws.pick(spine.NEW_BACK_REASONS))


def lingering_pain(chart: Chart) -> None:
    """Back pain since a puncture, imaged after weeks."""
    day = _puncture(chart, 0, LAST_DAY - 80)
    _new_pain(chart, day + chart.draws.between(0, 4))
    _work_up(chart, day + chart.draws.between(10, 75), chart.draws.pick(spine.NEW_BACK_REASONS))


def chronic_pain(chart: Chart) -> None:
    """Back pain since a puncture, still there after months."""
    day = _puncture(chart, -150, 60)
    _new_pain(chart, day + chart.draws.between(1, 10))
    _work_up(chart, max(0, day + chart.draws.between(120, 280)), chart.draws.pick(spine.BACK_REASONS))


def late_pain(chart: Chart) -> None:
    """Back pain that began long after a puncture."""
    day = _puncture(chart, -100, 80)
    began = day + chart.draws.between(110, 220)
    _new_pain(chart, began)
    _work_up(chart, began + chart.draws.between(1, 20), spine.BACK_REASONS[0])


def pain_known_before(chart: Chart) -> None:
    """A back that ached before the puncture, and does after it."""
    day = _puncture(chart, 0, LAST_DAY - 90)
    began = day - chart.draws.between(200, 2000)
    chart.diagnose(spine.LOW_BACK_PAIN, began, began + 5, certain=True)
    _work_up(chart, day + chart.draws.between(20, 85), spine.BACK_REASONS[0])


def image_without_reason(chart: Chart) -> None:
    """An image of the spine after a puncture, and nobody says why."""
    day = _puncture(chart, 0, LAST_DAY - 85)
    _work_up(chart, day + chart.draws.between(5, 85), None)


def undated_pain(chart: Chart) -> None:
    """Back pain without any date beside a puncture: the answer depends on when it was entered."""
    day = _puncture(chart, 0, LAST_DAY - 60)
    chart.condition(spine.LOW_BACK_PAIN.both)
    _work_up(chart, day + chart.draws.between(8, 60), None)


def pain_on_an_anticoagulant(chart: Chart) -> None:
    """Severe back pain after a puncture in a patient who bleeds easily."""
    day = _puncture(chart, 0, LAST_DAY - 30)
    chart.diagnose(spine.ANTICOAGULANT, day - 700, day - 690, certain=True)
    _new_pain(chart, day + 2)
    _work_up(chart, day + chart.draws.between(3, 20), spine.WORSE_BACK_REASON)


def numbness(chart: Chart) -> None:
    """Numbness of one leg since a puncture."""
    day = _puncture(chart, 0, LAST_DAY - 70)
    chart.diagnose(spine.NUMBNESS, day + 1, day + 3, certain=True)
    _work_up(chart, day + chart.draws.between(4, 65), spine.NUMBNESS_REASON, spine.NERVE_CONDUCTION)


def cauda_equina(chart: Chart) -> None:
    """The emergency that no card may miss."""
    day = _puncture(chart, 0, LAST_DAY - 12)
    onset = day + chart.draws.between(1, 8)
    chart.diagnose(spine.CAUDA_EQUINA, onset, onset, certain=True)
    reason = chart.draws.pick((spine.SADDLE_REASON, spine.WEAKNESS_REASON))
    chart.order(spine.LUMBAR_MRI, onset + chart.draws.below(3), EMERGENCY, reason)


def headache(chart: Chart) -> None:
    """A headache that is worse upright since a puncture."""
    day = _puncture(chart, 0, LAST_DAY - 14)
    chart.diagnose(spine.HEADACHE, day + 1, day + 2, certain=True)
    _work_up(chart, day + chart.draws.between(2, 12), spine.HEADACHE_REASON, spine.BRAIN_MRI)


def fever_after_puncture(chart: Chart) -> None:
    """Fever within two weeks of a puncture; half of them have back pain, too."""
    day = _puncture(chart, 0, LAST_DAY - 12)
    onset = day + chart.draws.between(3, 10)
    chart.diagnose(spine.FEVER, onset, onset, certain=True)
    if chart.draws.chance(0.5):
        _new_pain(chart, onset)
        _work_up(chart, onset + 1, spine.NEW_BACK_REASONS[1])
    chart.order(spine.BLOOD_CULTURE, onset, EMERGENCY, spine.FEVER_REASONS[0], priority="stat")


def bad_back(chart: Chart) -> None:
    """A bad back without any puncture: images, therapy, a surgeon's opinion."""
    draws = chart.draws
    began = draws.between(-2500, LAST_DAY - 30)
    for _ in range(draws.between(1, 3)):
        chart.diagnose(draws.weighted(spine.BACKS), began, began + draws.below(200))
    day = draws.between(max(began, 0), LAST_DAY)
    reason = draws.pick(spine.BACK_REASONS) if draws.chance(0.85) else None
    _work_up(chart, day, reason, draws.weighted(spine.SPINE_IMAGES))
    if draws.chance(0.3):
        _work_up(chart, day, draws.pick(spine.BACK_REASONS), spine.THERAPY)
    if draws.chance(0.12):
        _work_up(chart, min(day + 30, LAST_DAY), draws.pick(spine.BACK_REASONS), spine.SPINE_REFERRAL)


def other_spine_image(chart: Chart) -> None:
    """An image of the spine for another reason: a fall, staging."""
    draws = chart.draws
    _work_up(chart, draws.between(0, LAST_DAY), draws.pick(spine.OTHER_REASONS), draws.weighted(spine.SPINE_IMAGES))


def referral_without_reason(chart: Chart) -> None:
    """A referral to neurology or to a pain clinic that does not say why."""
    draws = chart.draws
    kind = spine.PAIN_REFERRAL if draws.chance(0.15) else draws.pick(spine.NEUROLOGY_REFERRALS)
    chart.order(kind, draws.between(0, LAST_DAY), draws.pick((INTERNAL, FAMILY)))


def fever(chart: Chart) -> None:
    """Fever or sepsis without any puncture."""
    day = chart.draws.between(0, LAST_DAY)
    chart.diagnose(spine.FEVER, day, day)
    chart.order(
        spine.BLOOD_CULTURE, day, chart.draws.pick((EMERGENCY, INTENSIVE)), chart.draws.pick(spine.FEVER_REASONS)
    )


@dataclass(frozen=True)
class Story:
    """How many patients of 100,000 have it, and how many of these are children (under 18)."""

    patients: int
    write: Callable[[Chart], None] | None
    children: float = 0.0


STORIES = {
    "puncture alone": Story(200, puncture_alone, 0.15),
    "serial punctures": Story(15, serial_punctures, 0.3),
    "second puncture": Story(10, second_puncture, 0.1),
    "sore back": Story(30, sore_back, 0.05),
    "lingering pain": Story(25, lingering_pain),
    "chronic pain": Story(15, chronic_pain),
    "late pain": Story(10, late_pain),
    "pain known before": Story(15, pain_known_before),
    "image without reason": Story(10, image_without_reason),
    "undated pain": Story(15, undated_pain),
    "pain on an anticoagulant": Story(7, pain_on_an_anticoagulant),
    "numbness": Story(10, numbness),
    "cauda equina": Story(3, cauda_equina, 0.1),
    "headache": Story(25, headache, 0.05),
    "fever after puncture": Story(10, fever_after_puncture, 0.1),
    "bad back": Story(1500, bad_back, 0.02),
    "other spine image": Story(300, other_spine_image, 0.05),
    "referral without reason": Story(600, referral_without_reason, 0.1),
    "fever": Story(800, fever, 0.25),
}
STORIES["ordinary"] = Story(100_000 - sum(story.patients for story in STORIES.values()), None, 0.15)

_STORIES = Weighted.of([(story.patients, name) for name, story in STORIES.items()])


def draw_story(draws: Draws) -> str:
    """The name of a story."""
    return draws.weighted(_STORIES)
