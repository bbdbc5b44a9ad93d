"""This topic's own part of service.yaml, which explains each key, and of text/phrases.<lang>.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations

import msgspec

from cards.card import Coding
from cards.content import phrases as generic_phrases
from cards.content import service as generic
from cards.content.phrases import SectionNotes
from cards.content.service import Exclusive, Part, ServiceFault

UNSPECIFIED = "unspecified"  # the level of the spine of a finding that names none
_CARDS = ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms", "red-flags")
_CLASSES = ("rule-out-first", "pre-existing", "late-onset", "unknown", "expected", "chronic", "lingering")
NERVE_CLASSES = ("usual", "lasting", "late")  # of numbness without pain
_DAYS = (
    "look-back-days", "expected-days", "late-onset-days", "chronic-days", "nerve-symptom-warning-days", "rule-out-days",
    "ask-days",
)  # fmt: skip


class PlacedProblem(Part):
    """A problem that words name without a place; in an order for something of `ordered` they mean that red flag."""

    value_set: str
    ordered: str
    means: str


class OrderSettings(Part):
    lumbar_puncture: str
    abbreviation: str
    unless_into_a_device: str
    device_words: list[str]
    near_miss: str
    near_miss_treats: list[str]
    task_categories: list[str]
    observation_words: list[str]
    attempted: str
    reaction: str
    urgent_priorities: list[str]
    work_up: list[str]
    referrals_since: list[str]
    by_reason_only: list[str]
    placed_by_order: list[PlacedProblem]

    @property
    def ordered_punctures(self) -> tuple[str, ...]:
        """The value sets of an order for a lumbar puncture."""
        return self.lumbar_puncture, self.unless_into_a_device

    @property
    def recorded_punctures(self) -> tuple[str, ...]:
        """The value sets of a lumbar puncture in a chart, where the abbreviation alone says enough."""
        return self.lumbar_puncture, self.abbreviation, self.unless_into_a_device


class Complaints(Part):
    """The value sets of pain, which are one problem, and of numbness or tingling, which are another.

    `pain_after`: pain after a procedure whose site is not recorded.
    """

    pain: list[str]
    pain_after: list[str]
    nerve_symptom: list[str]

    @property
    def each(self) -> tuple[list[str], list[str]]:
        """The value sets of each problem."""
        return self.pain, self.nerve_symptom

    @property
    def value_sets(self) -> tuple[str, ...]:
        """The value sets of all complaints."""
        return (*self.pain, *self.nerve_symptom)


class Patients(Part):
    """Whom the cards are for. `serial_punctures` completed within `serial_days`: the patient knows what to expect."""

    adult_years: int
    serial_punctures: int
    serial_days: int


class ListSettings(generic.ListSettings):
    levels: list[str]


class ClassSettings(Part):
    """What follows from a class of pain: how urgent, whether contributors are listed, whether a referral is offered.

    `source`: the evidence that carries its actions, where it is not that of the card.
    """

    indicator: str
    contributors: bool
    refer: bool
    source: str | None = None


class Referral(Part):
    """A referral that a card may offer: what to order, and the value set that says it is ordered already."""

    value_set: str
    code: Coding


class AfterPuncture(Part):
    pain_label: str
    baseline_label: str
    nerve_symptom_label: str
    look_back_days: int
    expected_days: int
    late_onset_days: int
    chronic_days: int
    nerve_symptom_warning_days: int
    rule_out_days: int
    ask_days: int
    classes: dict[str, ClassSettings]
    referrals: dict[str, Referral]


class RedFlagKind(Part):
    """A row of the red flags, as service.yaml explains it. Days of the window count from the puncture to the onset."""

    value_set: str
    label: str
    suspect: str
    action: str
    indicator: str
    present_days: int
    name: str = ""
    from_day: int = 0
    within_days: int | None = None
    beside: list[str] = msgspec.field(default_factory=list)
    with_order: str | None = None
    both_sides: bool = False
    known_by: list[str] = msgspec.field(default_factory=list)

    @property
    def key(self) -> str:
        """What tells this row apart."""
        return self.name or self.value_set


class RedFlagAction(Part):
    """What to do about a red flag, in text/red-flag-<action>.

    `sources`: the evidence that carries it, the foremost first. `part_of`: a more urgent action that includes it.
    """

    sources: list[str]
    part_of: str | None = None


class FoundDisease(Part):
    """A disease that a puncture is done to find, and the red flags that it explains."""

    value_set: str
    lead_days: int
    explains: list[str]


class PunctureFinds(Part):
    """`imaging_first`: flags that need an image before another puncture, whatever that is ordered to find."""

    within_days: int
    imaging_first: list[str]
    diseases: list[FoundDisease]


class Risk(Part):
    """A risk that makes pain weigh more; `bleeding`: it matters before a puncture, too."""

    value_set: str
    label: str
    bleeding: bool = False


class EscalatorSettings(Part):
    """`words`: modifiers of the lexicon and how a card names them; `severe`: those that mean severe pain."""

    risks: list[Risk]
    words: dict[str, str]
    severe: list[str]
    priorities: list[str]
    priority_label: str


class ContributorKind(Part):
    """A kind of finding, as service.yaml explains it."""

    value_set: str
    label: str
    lasting: bool
    look_back_days: int | None = None
    link: str | None = None
    names_level: bool = True
    serious: bool = False
    complaint: bool = False
    enabled: bool = True


class Service(generic.Service):
    """The whole of service.yaml."""

    orders: OrderSettings
    settings: ListSettings
    levels: dict[str, str]
    complaints: Complaints
    patients: Patients
    after_puncture: AfterPuncture
    red_flags: list[RedFlagKind]
    red_flag_actions: dict[str, RedFlagAction]
    lp_finds: PunctureFinds
    escalators: EscalatorSettings
    contributors: list[ContributorKind]

    def text_names(self) -> Iterator[str]:
        for card in self.cards:
            yield from self.texts_of(card)
        yield from ("patient-instruction", "referral", "stat")

    def texts_of(self, card: str) -> tuple[str, ...]:
        texts = {
            "what-to-expect": (card, "bleeding-risk"),
            "confounders": (card, "contributors"),
            "pain-after-puncture": (*(f"pain-class-{name}" for name in _CLASSES), "nerve-beside-pain"),
            "nerve-symptoms": tuple(f"nerve-class-{name}" for name in NERVE_CLASSES),
            "red-flags": (*(f"red-flag-{name}" for name in self.red_flag_actions), card, "red-flags-child"),
        }
        return texts.get(card, (card,))

    def terminologies(self) -> Mapping[str, Sequence[str]]:
        """`orders`: also of what an order says of the patient. `levels`: the level of the spine that an entry names."""
        orders, escalators = self.orders, self.escalators
        puncture = (*orders.ordered_punctures, orders.near_miss)
        work_ups = (*orders.work_up, *orders.referrals_since, *orders.by_reason_only)
        referrals = (referral.value_set for referral in self.after_puncture.referrals.values())
        placed = (
            name for problem in orders.placed_by_order for name in (problem.value_set, problem.ordered, problem.means)
        )
        said = (*self._problems(), *self.complaints.pain_after, *(risk.value_set for risk in escalators.risks))
        found = [disease.value_set for disease in self.lp_finds.diseases]
        contributors = (kind.value_set for kind in self.contributors if kind.enabled)
        return {
            "orders": (*puncture, *work_ups, *referrals, *placed, *said, *found),
            "chart": (
                *puncture,
                orders.abbreviation,
                orders.attempted,
                *said,
                *found,
                *self._known_by(),
                *contributors,
                orders.reaction,
            ),
            "levels": tuple(self.levels.values()),
        }

    def _problems(self) -> tuple[str, ...]:
        """The value sets of every complaint and red flag."""
        return tuple(dict.fromkeys((*self.complaints.value_sets, *(flag.value_set for flag in self.red_flags))))

    def _known_by(self) -> Iterator[str]:
        yield from (name for flag in self.red_flags for name in flag.known_by)

    def value_sets(self) -> frozenset[str]:
        kinds = (kind.value_set for kind in self.contributors)
        return super().value_sets().union(kinds)

    def exclusive(self) -> Iterator[Exclusive]:
        """Orders and their near misses, two red flags. Contributors may share a code: the first kind counts."""
        orders = self.orders
        for name in (orders.lumbar_puncture, *orders.work_up, *orders.referrals_since):
            at_site = "an order is a lumbar puncture or it is none" if name == orders.lumbar_puncture else None
            yield Exclusive(orders.near_miss, name, "no order can be both", at_site)
        for flag, later in combinations(dict.fromkeys(flag.value_set for flag in self.red_flags), 2):
            yield Exclusive(later, flag, "give it to one of these red flags")

    def indicators(self) -> Iterator[str]:
        classes = (settings.indicator for settings in self.after_puncture.classes.values())
        flags = (flag.indicator for flag in self.red_flags)
        yield from chain(super().indicators(), classes, flags)

    def boundaries(self) -> Iterator[str]:
        yield from (f"after-puncture.{key}" for key in _DAYS)
        yield from ("patients.adult-years", "patients.serial-punctures", "patients.serial-days", "lp-finds.within-days")
        flags = {flag.value_set for flag in self.red_flags}
        for disease in self.lp_finds.diseases:
            if disease.explains or disease.value_set in flags:  # else it is only ever another reason of a puncture
                yield f"lp-finds.diseases.{disease.value_set}.lead-days"
        for flag in self.red_flags:
            yield f"red-flags.{flag.key}.present-days"
            if flag.within_days is not None:
                yield f"red-flags.{flag.key}.within-days"
            if flag.from_day:
                yield f"red-flags.{flag.key}.from-day"
        for kind in self.contributors:
            if kind.look_back_days is not None:
                yield f"contributors.{kind.value_set}.look-back-days"
        yield from super().boundaries()

    def faults(self) -> Iterator[ServiceFault]:
        yield from super().faults()
        for kind in self.contributors:
            if kind.link is not None and kind.link not in self.links:
                yield ServiceFault(f"no link {kind.link!r} for {kind.value_set}", f"value-set: {kind.value_set}")
        for name in _CARDS:
            if name not in self.cards:
                yield ServiceFault(f"cards: {name} is missing", "\ncards:")
        if not self.cards["red-flags"].always_shown:
            what = "cards.red-flags: always-shown must be true: nothing may silence a red flag"
            yield ServiceFault(what, "\n  red-flags:")
        for flag in self.red_flags:
            if flag.action not in self.red_flag_actions:
                what = f"{flag.key}: {flag.action!r} is not among the red-flag-actions"
                yield ServiceFault(what, f"action: {flag.action}")
        sources = [key for action in self.red_flag_actions.values() for key in action.sources]
        sources += [settings.source for settings in self.after_puncture.classes.values() if settings.source]
        for key in sources:
            yield from self.source_faults(key)
        for name in _CLASSES:
            if name not in self.after_puncture.classes:
                yield ServiceFault(f"after-puncture.classes: {name} is missing", "classes:")


class DayPhrases(Part):
    one: str
    several: str
    between: str
    unknown: str


class Phrases(generic_phrases.Phrases):
    """The whole of text/phrases.<lang>.yaml."""

    levels: dict[str, str]
    name_with_level: str
    in_order: str
    serious: str
    puncture: str
    no_date: str
    days: DayPhrases
    conditions: SectionNotes
    procedures: SectionNotes
