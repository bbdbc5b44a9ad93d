"""One patient's chart in the making: lines of NDJSON by resource type. Days are counted from January 1 of the year."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from bench.bulk_export.draws import Draws, Weighted
from bench.bulk_export.ordinary import Diagnosis, OrderKind
from bench.bulk_export.resources import R4, Condition, Order, Procedure, Requester

SERVICES = (
    "Emergency Medicine",
    "Internal Medicine",
    "Family Medicine",
    "Neurology",
    "Orthopedics",
    "Oncology",
    "Pediatrics",
    "Intensive Care",
)
PATIENTS_FOR_EACH_CLINICIAN = 250
YEAR_DAYS = 365

_FAMILIES = ("Ortiz", "Nguyen", "Kowalski", "Okafor", "Lindqvist", "Haddad", "Silva", "Tanaka", "O'Brien", "Müller")
_ORDER_STATUS = Weighted.of(
    [
        (740, "completed"),
        (180, "active"),
        (50, "revoked"),
        (10, "on-hold"),
        (10, "draft"),
        (5, "entered-in-error"),
        (5, "unknown"),
    ]
)
_PRIORITY = Weighted.of([(78, "routine"), (8, "urgent"), (4, "asap"), (10, "stat")])
_CLINICAL = Weighted.of([(64, "active"), (24, "resolved"), (5, "inactive"), (1, "remission"), (6, None)])
_VERIFICATION = Weighted.of([(92, "confirmed"), (5, "unconfirmed"), (2, "refuted"), (1, "entered-in-error")])
_CODING = Weighted.of([(45, "both"), (22, "icd"), (20, "snomed"), (13, "shorthand")])
_DATES = Weighted.of([(50, "onset and recorded"), (36, "recorded"), (8, "onset"), (6, "none")])
_PROCEDURE_STATUS = Weighted.of([(93, "completed"), (3, "not-done"), (3, "in-progress"), (1, "entered-in-error")])
_TIMES = [
    f"T{hour:02}:{minute:02}:00{zone}" for hour in range(24) for minute in (5, 20, 50) for zone in ("-05:00", "Z")
]


@dataclass(frozen=True)
class Hospital:
    """What all charts of one export share. `fhir`: writes its FHIR version."""

    fhir: R4
    year: int
    clinicians: int

    @classmethod
    def of(cls, fhir: R4, year: int, patients: int) -> Hospital:
        """A hospital with as many clinicians as its patients need."""
        by_service = max(3, patients // PATIENTS_FOR_EACH_CLINICIAN // len(SERVICES))
        return cls(fhir, year, by_service * len(SERVICES))


@lru_cache(maxsize=50_000)  # 130 years of days
def day_text(year: int, day: int) -> str:
    """The ISO date of a day of the year; negative: before it."""
    return (date(year, 1, 1) + timedelta(days=day)).isoformat()


@dataclass
class Chart:
    """Lines of one patient."""

    hospital: Hospital
    draws: Draws
    patient: str
    is_child: bool
    orders: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    procedures: list[str] = field(default_factory=list)

    def order(
        self,
        kind: OrderKind,
        day: int,
        service: int,
        reason: str | None = None,
        *,
        reason_id: str | None = None,
        priority: str | None = None,
    ) -> None:
        """An order. `reason`: a CodeableConcept; `reason_id`: the id of a Condition, instead."""
        draws, fhir = self.draws, self.hospital.fhir
        stated = f'"reasonReference":[{{"reference":"Condition/{reason_id}"}}],' if reason_id else ""
        if reason and not reason_id:
            stated = f'"reasonCode":[{reason}],'
        status = draws.weighted(_ORDER_STATUS)
        self.orders.append(
            fhir.order(
                Order(
                    f"{self.patient}-o{len(self.orders)}",
                    self.patient,
                    self._encounter(),
                    kind,
                    status,
                    priority or draws.weighted(_PRIORITY),
                    None if draws.chance(0.005) else self._moment(day),
                    self._requester(service),
                    stated,
                )
            )
        )

    def diagnose(self, diagnosis: Diagnosis, onset: int, recorded: int, *, certain: bool = False) -> str:
        """A Condition, with the dates, codes and doubts that such entries have; its id.

        `certain`: present and confirmed, with both dates; else as the shares of README.md have it.
        """
        draws = self.draws
        dates = "onset and recorded" if certain else draws.weighted(_DATES)
        verification = "confirmed" if certain else draws.weighted(_VERIFICATION)
        clinical = "active" if certain else draws.weighted(_CLINICAL)
        if verification == "entered-in-error":
            clinical = None  # con-5 of R4, con-4 of STU3
        abated = None
        if clinical == "resolved" and draws.chance(0.7):
            abated = self.day(onset + draws.between(5, 200))
        return self.condition(
            getattr(diagnosis, draws.weighted(_CODING)),
            clinical,
            verification,
            self.day(onset) if dates in ("onset and recorded", "onset") else None,
            self._moment(recorded) if dates in ("onset and recorded", "recorded") else None,
            abated,
        )

    def condition(
        self,
        code: str,
        clinical: str | None = "active",
        verification: str = "confirmed",
        onset: str | None = None,
        recorded: str | None = None,
        abated: str | None = None,
    ) -> str:
        """A Condition as given, on the problem list or of an encounter; its id."""
        identity = f"{self.patient}-c{len(self.conditions)}"
        category = "problem-list-item" if self.draws.chance(0.6) else "encounter-diagnosis"
        self.conditions.append(
            self.hospital.fhir.condition(
                Condition(
                    identity,
                    self.patient,
                    self._encounter(),
                    code,
                    clinical,
                    verification,
                    category,
                    onset,
                    recorded,
                    abated,
                )
            )
        )
        return identity

    def procedure(self, code: str, day: int, *, status: str | None = None, undated: float = 0.02) -> None:
        """A Procedure on that day; `undated`: the share without a date."""
        draws = self.draws
        start = end = None
        if not draws.chance(undated):
            if draws.chance(0.4):
                start, end = f"{self.day(day)}T14:05:00Z", f"{self.day(day)}T14:50:00Z"
            else:
                start = self._moment(day)
        self.procedures.append(
            self.hospital.fhir.procedure(
                Procedure(
                    f"{self.patient}-p{len(self.procedures)}",
                    self.patient,
                    self._encounter(),
                    code,
                    status or draws.weighted(_PROCEDURE_STATUS),
                    start,
                    end,
                )
            )
        )

    def day(self, day: int) -> str:
        """Its ISO date."""
        return day_text(self.hospital.year, day)

    def _moment(self, day: int) -> str:
        return day_text(self.hospital.year, day) + self.draws.pick(_TIMES)

    def _encounter(self) -> str:
        return f"{self.patient}-e{self.draws.below(9)}"

    def _requester(self, service: int) -> Requester | None:
        """A clinician of this service in most orders; in some a role, the service itself, or nobody."""
        chance = self.draws.random()
        if chance >= 0.97:
            return None
        if chance >= 0.90:
            return Requester(f"Organization/service-{service}", SERVICES[service])
        number = self.draws.below(self.hospital.clinicians // len(SERVICES)) * len(SERVICES) + service
        if chance >= 0.80:
            return Requester(f"PractitionerRole/role-{number}", SERVICES[service])
        return Requester(f"Practitioner/{number}", f"{_FAMILIES[number % len(_FAMILIES)]}, {chr(65 + number % 26)}.")
