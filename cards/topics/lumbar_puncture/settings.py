"""This topic's own part of service.yaml, which explains each key, and of text/phrases.<lang>.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations

from cards.card import Coding
from cards.content import phrases as generic_phrases
from cards.content import service as generic
from cards.content.phrases import SectionNotes
from cards.content.service import Exclusive, Part, ServiceFault

UNSPECIFIED = "unspecified"  # the level of the spine of a finding that names none
_CARDS = ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms", "red-flags")
_CLASSES = ("pre-existing", "late-onset", "unknown", "expected", "chronic", "lingering")
_DAYS = ("look-back-days", "expected-days", "late-onset-days", "chronic-days", "nerve-symptom-warning-days")


class OrderSettings(Part):
    lumbar_puncture: str
    unless_into_a_device: str
    device_words: list[str]
    near_miss: str
    urgent_priorities: list[str]
    work_up: list[str]
    work_up_reasons: list[str]


class ListSettings(generic.ListSettings):
    levels: list[str]


class ClassSettings(Part):
    """What follows from a class of pain: how urgent, whether contributors are listed, whether a referral is offered."""

    indicator: str
    contributors: bool
    refer: bool


class Referral(Part):
    """A referral that a card may offer: what to order, and the value set that says it is ordered already."""

    value_set: str
    code: Coding


class AfterPuncture(Part):
    pain: str
    nerve_symptom: str
    nerve_symptom_label: str
    look_back_days: int
    expected_days: int
    late_onset_days: int
    chronic_days: int
    nerve_symptom_warning_days: int
    classes: dict[str, ClassSettings]
    referrals: dict[str, Referral]


class RedFlagKind(Part):
    """A kind of red flag, as service.yaml explains it."""

    value_set: str
    label: str
    indicator: str
    within_days: int | None = None


class ContributorKind(Part):
    """A kind of finding, as service.yaml explains it."""

    value_set: str
    label: str
    lasting: bool
    look_back_days: int | None = None
    link: str | None = None
    serious: bool = False
    complaint: bool = False
    enabled: bool = True


class Service(generic.Service):
    """The whole of service.yaml."""

    orders: OrderSettings
    settings: ListSettings
    levels: dict[str, str]
    after_puncture: AfterPuncture
    red_flags: list[RedFlagKind]
    contributors: list[ContributorKind]

    def text_names(self) -> Iterator[str]:
        yield from super().text_names()
        yield from (f"pain-class-{name}" for name in self.after_puncture.classes)
        yield from ("patient-instruction", "contributors", "nerve-irritation", "referral")

    def terminologies(self) -> Mapping[str, Sequence[str]]:
        """`orders`: also of the reasons of an order. `levels`: of the level of the spine that an entry names."""
        orders, after = self.orders, self.after_puncture
        puncture = (orders.lumbar_puncture, orders.unless_into_a_device, orders.near_miss)
        referrals = (referral.value_set for referral in after.referrals.values())
        flags = (flag.value_set for flag in self.red_flags)
        contributors = (kind.value_set for kind in self.contributors if kind.enabled)
        return {
            "orders": (*puncture, *orders.work_up, *orders.work_up_reasons, *referrals),
            "chart": (*puncture, after.pain, after.nerve_symptom, *flags, *contributors),
            "levels": tuple(self.levels.values()),
        }

    def value_sets(self) -> frozenset[str]:
        return super().value_sets().union(kind.value_set for kind in self.contributors)

    def exclusive(self) -> Iterator[Exclusive]:
        """Orders and their near misses, two red flags. Contributors may share a code: the first kind counts."""
        near_miss, reasons = self.orders.near_miss, self.orders.work_up_reasons
        for name in dict.fromkeys(self.terminologies()["orders"]):
            if name not in (near_miss, *reasons):
                at_site = "an order is a lumbar puncture or it is none" if name == self.orders.lumbar_puncture else None
                yield Exclusive(near_miss, name, "no order can be both", at_site)
        for flag, later in combinations([flag.value_set for flag in self.red_flags], 2):
            yield Exclusive(later, flag, "give it to one of these red flags")

    def indicators(self) -> Iterator[str]:
        classes = (settings.indicator for settings in self.after_puncture.classes.values())
        flags = (flag.indicator for flag in self.red_flags)
        yield from chain(super().indicators(), classes, flags)

    def boundaries(self) -> Iterator[str]:
        yield from (f"after-puncture.{key}" for key in _DAYS)
        for flag in self.red_flags:
            if flag.within_days is not None:
                yield f"red-flags.{flag.value_set}.within-days"
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
        for name in _CLASSES:
            if name not in self.after_puncture.classes:
                yield ServiceFault(f"after-puncture.classes: {name} is missing", "classes:")


class TimelinePhrases(Part):
    puncture: str
    puncture_unfinished: str
    complaint: str
    today: str
    unknown_date: str
    day: str
    days: str
    days_between: str
    days_unknown: str
    ago: str
    same_day: str
    before: str
    after: str


class Phrases(generic_phrases.Phrases):
    """The whole of text/phrases.<lang>.yaml."""

    levels: dict[str, str]
    name_with_level: str
    in_summary: str
    timeline: TimelinePhrases
    unknown: dict[str, str]
    conditions: SectionNotes
    procedures: SectionNotes
