"""Every error that a request can end with, and its FHIR OperationOutcome (R-4.7 to R-4.17, R-4.60).

ServiceError                500   processing
├── BadRequest              400   structure, required or value: names the field
├── ClientNotTrusted        401   login: the reason is in the log only (R-6.15)
├── NoSuchAddress           404   not-found
├── UnknownService          404   not-found
├── MethodNotAllowed        405   not-supported: with Allow
├── SlowBody                408   timeout: the body did not arrive in time
├── PreconditionFailed      412   not-found: needed FHIR data is not available
├── BodyTooLarge            413   too-long
├── UnsupportedMediaType    415   not-supported
├── Broken                  500   exception: a fault of ours
├── Unavailable             503   transient: with Retry-After
│   ├── TooManyCalls              throttled: no thread or no memory is left for the call
│   ├── KeysUnavailable           the keys of the client's issuer are not available
│   └── LedgerUnavailable         feedback cannot be stored
└── NotReady                      refuses to start; never reaches a client

Messages name fields, types and what to send instead. They never repeat what was sent: it may be about a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar


class CodedReason(str):
    """Why something failed: words for the log, and in `code` the class that metrics count it by."""

    code: StrEnum

    def __new__(cls, code: StrEnum, words: str) -> CodedReason:
        reason = super().__new__(cls, words)
        reason.code = code
        return reason


class TokenRefusal(StrEnum):
    """Why a token was refused: the code of a CodedReason, and a value of the label of cds_hooks_tokens_refused."""

    MISSING = "no_token"
    MALFORMED = "malformed"
    UNKNOWN_ISSUER = "unknown_issuer"
    UNKNOWN_TENANT = "unknown_tenant"
    KEY = "key"  # or algorithm
    KEYS_UNAVAILABLE = "keys_unavailable"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    AUDIENCE = "audience"
    TIME = "time"
    REPLAYED = "replayed"


class ReadFailure(StrEnum):
    """Why a FHIR server was not read, or not completely: a value of the label `result` of cds_hooks_fhir_reads."""

    OUT_OF_TIME = "out_of_time"
    NO_SERVER = "no_server"  # none that the client may have us read
    HELD_BACK = "held_back"  # too many calls under way
    LEFT_ALONE = "left_alone"  # it did not answer the last calls
    OTHER_PATIENT = "other_patient"
    STATUS = "status"  # of HTTP, other than 200
    UNREACHABLE = "unreachable"
    UNUSABLE = "unusable"  # an answer, but none that can be used


class ServiceError(Exception):
    """A request that gets an OperationOutcome instead of cards. `issue_code`: FHIR IssueType."""

    status: ClassVar[int] = 500
    headers: Mapping[str, str] = {}
    issue_code = "processing"

    def __init__(self, diagnostics: str, *, expression: str | None = None, issue_code: str | None = None) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics
        self.expression = expression
        self.issue_code = issue_code or type(self).issue_code


class BadRequest(ServiceError):
    """The request is not what CDS Hooks prescribes; `expression` is the JSON path of the field."""

    status = 400
    issue_code = "structure"


class UnreadableRequest(BadRequest):
    """The address, the query or the Host header cannot be read."""

    def __init__(self) -> None:
        super().__init__(
            "the address or the Host header of this request cannot be read: send them as RFC 9110 requires"
        )


class ClientNotTrusted(ServiceError):
    """The caller is no registered client. `reason` is for the log, where `client` is the one that the token names."""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}
    issue_code = "login"

    def __init__(self, code: TokenRefusal, reason: str, client: str | None = None) -> None:
        super().__init__(
            "this service takes calls from registered clients: send Authorization: Bearer and a signed token as CDS "
            "Hooks prescribes; the log of the service says why a token is refused"
        )
        self.reason = CodedReason(code, reason)
        self.client = client


class NoSuchAddress(ServiceError):
    """Nothing is served at this path."""

    status = 404
    issue_code = "not-found"

    def __init__(self) -> None:
        super().__init__("there is nothing at this address: discovery is at /cds-services")


class MethodNotAllowed(ServiceError):
    """This path is served, for other methods: `allowed`."""

    status = 405
    issue_code = "not-supported"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("this address does not allow that method; see the Allow header")
        self.headers = {"Allow": ", ".join(allowed)}


class BrokenBody(BadRequest):
    """The connection or its framing broke before the body was complete."""

    def __init__(self) -> None:
        super().__init__("the body ended before it was complete")


class SlowBody(ServiceError):
    """The body did not arrive in time."""

    status = 408
    issue_code = "timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:g} seconds: send the request again")


class BodyTooLarge(ServiceError):
    """The body is larger than CDS_MAX_BODY_BYTES."""

    status = 413
    issue_code = "too-long"

    def __init__(self) -> None:
        super().__init__("the body is larger than this server accepts: send fewer resources in prefetch")


class Broken(ServiceError):
    """A fault of this program."""

    status = 500
    issue_code = "exception"

    def __init__(self) -> None:
        super().__init__("an error in this service; the request was not at fault")


class UnknownService(ServiceError):
    """No service has this id."""

    status = 404
    issue_code = "not-found"


class PreconditionFailed(ServiceError):
    """FHIR data that an answer needs is neither in prefetch nor on the FHIR server (R-2.86)."""

    status = 412
    issue_code = "not-found"


class UnsupportedMediaType(ServiceError):
    """The body is not declared as plain JSON in UTF-8."""

    status = 415
    issue_code = "not-supported"


class Unavailable(ServiceError):
    """Something that the answer depends on is unavailable; the same request may succeed later (R-4.16)."""

    status = 503
    issue_code = "transient"
    headers: Mapping[str, str] = {"Retry-After": "10"}  # seconds


class TooManyCalls(Unavailable):
    """The server has as many calls, or as much of their bodies, as it takes at once."""

    issue_code = "throttled"
    headers: Mapping[str, str] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__("too many calls at once: send the request again later")


class KeysUnavailable(Unavailable):
    """No key of this token's issuer is known yet, and none can be fetched now."""

    def __init__(self, client: str) -> None:
        super().__init__("the keys of the token's issuer are not available: check that its key set is served")
        self.reason = CodedReason(TokenRefusal.KEYS_UNAVAILABLE, "the keys of the issuer are not available")
        self.client: str | None = client


class LedgerUnavailable(Unavailable):
    """Feedback cannot be stored now. None of it was accepted: the client can send it again."""


class NotReady(Exception):
    """The service must not start with this configuration. `reasons`: one line each, with what to do."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


def operation_outcome(diagnostics: str, issue_code: str, expression: str | None = None) -> bytes:
    """An OperationOutcome with one error, as JSON, validated as FHIR R4B before it leaves."""
    from fhir.resources.R4B.operationoutcome import OperationOutcome, OperationOutcomeIssue  # a fifth of all imports

    issue = OperationOutcomeIssue(
        severity="error",
        code=issue_code,
        diagnostics=diagnostics,
        expression=[expression] if expression else None,
    )
    return OperationOutcome(issue=[issue]).model_dump_json(exclude_none=True).encode()
