"""The shapes of a topic's YAML files: service.yaml and text/phrases.<lang>.yaml. Each file explains its own words."""

from __future__ import annotations

from datetime import date

import msgspec

from cards.card import Coding


class _Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of a YAML file: kebab-case keys, unknown ones refused."""


class OrderSettings(_Part):
    lumbar_puncture: str
    unless_into_a_device: str
    device_words: list[str]
    near_miss: str
    urgent_priorities: list[str]
    work_up: list[str]
    work_up_reasons: list[str]


class ListSettings(_Part):
    most_findings_listed: int
    most_findings_in_summary: int
    most_entries_named: int
    levels: list[str]


class CardSettings(_Part):
    indicator: str
    pages: list[str] = []
    links: list[str] = []
    fallback_links: list[str] = []
    always_shown: bool = False


class ClassSettings(_Part):
    """What follows from a class of pain: how urgent, whether contributors are told, whether a referral is offered."""

    indicator: str
    contributors: bool
    refer: bool


class Referral(_Part):
    """A referral that a card may offer: what to order, and the value set that says it is ordered already."""

    value_set: str
    code: Coding


class AfterPuncture(_Part):
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


class RedFlagKind(_Part):
    """A kind of red flag, as service.yaml explains it."""

    value_set: str
    label: str
    indicator: str
    within_days: int | None = None


class SourceSettings(_Part):
    label: str
    evidence: str


class OverrideReasons(_Part):
    system: str
    codes: dict[str, str]


class ContributorKind(_Part):
    """A kind of finding, as service.yaml explains it."""

    value_set: str
    label: str
    lasting: bool
    look_back_days: int | None = None
    link: str | None = None
    serious: bool = False
    complaint: bool = False
    enabled: bool = True


class PageLink(_Part):
    label: str
    url: str


class PatientLink(_Part):
    """A page for the patient, by language."""

    en: PageLink
    checked_on: date
    es: PageLink | None = None


class Evidence(_Part):
    citation: str
    strength: str
    checked_on: date
    url: str | None = None


class Service(_Part):
    """The whole of service.yaml."""

    id: str
    title: str
    description: str
    usage_requirements: str
    hooks: list[str]
    prefetch: dict[str, str]
    owner: str
    reviewed_on: date
    review_every_days: int
    languages: list[str]
    patient_languages: list[str]
    orders: OrderSettings
    settings: ListSettings
    levels: dict[str, str]
    cards: dict[str, CardSettings]
    after_puncture: AfterPuncture
    red_flags: list[RedFlagKind]
    source: SourceSettings
    topic: Coding
    override_reasons: OverrideReasons
    contributors: list[ContributorKind]
    links: dict[str, PatientLink]
    evidence: dict[str, Evidence]


class SectionNotes(_Part):
    not_obtained: str
    not_complete: str
    unread: str


class TimelinePhrases(_Part):
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


class Phrases(_Part):
    """The whole of text/phrases.<lang>.yaml."""

    evidence: str
    more: str
    and_: str = msgspec.field(name="and")
    levels: dict[str, str]
    standings: dict[str, str]
    since: str
    performed: str
    recorded_on: str
    entered: str
    no_date: str
    unconfirmed: str
    finding: str
    name_with_level: str
    words: str
    by_code: str
    by_text: str
    from_: str = msgspec.field(name="from")
    further_entries: str
    without_id: str
    in_summary: str
    timeline: TimelinePhrases
    unknown: dict[str, str]
    conditions: SectionNotes
    procedures: SectionNotes


class PageWords(_Part):
    """The whole of patient_pages/words.<lang>.yaml."""

    language: str
    sources: str
    reviewed: str
    general: str
