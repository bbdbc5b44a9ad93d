"""Errors: one FHIR OperationOutcome each, valid in R4B, with the status and the code of its kind (R-4.7 to R-4.17)."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds_service.errors import (
    BadRequest,
    ServiceError,
    UnknownService,
    UnsupportedMediaType,
    operation_outcome,
)


@pytest.mark.parametrize(
    ("kind", "status", "issue_code"),
    [
        pytest.param(ServiceError, 500, "processing", id="something of ours"),
        pytest.param(BadRequest, 400, "structure", id="a bad request"),
        pytest.param(UnknownService, 404, "not-found", id="an unknown service"),
        pytest.param(UnsupportedMediaType, 415, "not-supported", id="a media type we do not take"),
    ],
)
def test_each_kind_has_its_status_and_issue_code(kind: type[ServiceError], status: int, issue_code: str) -> None:
    error = kind("send something else")
    assert (error.status, error.issue_code, error.expression) == (status, issue_code, None)
    assert isinstance(error, ServiceError)


def test_an_error_may_name_its_field_and_a_more_exact_code() -> None:
    error = BadRequest("hook is missing", expression="hook", issue_code="required")
    assert (error.status, error.expression, error.issue_code, str(error)) == (
        400,
        "hook",
        "required",
        "hook is missing",
    )
    assert BadRequest("something else").issue_code == "structure"


@pytest.mark.parametrize(
    ("expression", "expressions"),
    [pytest.param("context.userId", ["context.userId"], id="a field"), pytest.param(None, None, id="no field")],
)
def test_an_outcome_is_one_error_that_says_what_to_mend(expression: str | None, expressions: list[str] | None) -> None:
    """R-4.60, R-0.2: no null in it."""
    body = json.loads(operation_outcome("send a string", "required", expression))
    issue = {"severity": "error", "code": "required", "diagnostics": "send a string"}
    assert body == {
        "resourceType": "OperationOutcome",
        "issue": [issue | ({"expression": expressions} if expressions else {})],
    }
    assert OperationOutcome.model_validate(body).issue[0].code == "required"
