"""Why a FHIR server was not read, or not all of what was asked for, in the classes that metrics count."""

from __future__ import annotations

from enum import StrEnum


class ReadFailure(StrEnum):
    """The code of a CodedReason, and a value of the label `result` of cds_hooks_fhir_reads."""

    OUT_OF_TIME = "out_of_time"
    NO_SERVER = "no_server"  # none that the client may have us read
    HELD_BACK = "held_back"  # too many calls under way
    LEFT_ALONE = "left_alone"  # it did not answer the last calls
    OTHER_PATIENT = "other_patient"
    STATUS = "status"  # of HTTP, other than 200
    UNREACHABLE = "unreachable"
    UNUSABLE = "unusable"  # an answer, but none that can be used
