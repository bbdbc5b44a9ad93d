"""Reasons as they stand in the log, sorted into the few classes that a metric may have as a label value."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.operations.metrics_series import OTHER

TOKEN_REASONS = {  # why client_auth refused a token, by how its reason begins
    "no Authorization header": "no_token",
    "the Authorization header is not Bearer": "malformed",
    "the token is too long": "malformed",
    "the token cannot be read": "malformed",
    "typ is not JWT": "malformed",
    "the header demands extensions": "malformed",
    "iss is not registered": "unknown_issuer",
    "tenant is not registered": "unknown_tenant",
    "tenant is no name": "unknown_tenant",
    "alg is not registered": "key",
    "no registered key": "key",
    "the keys of the issuer cannot be had": "keys_away",
    "the signature does not hold": "signature",
    "a claim is missing or wrong": "claims",
    "jti is empty": "claims",
    "aud is not the URL called": "audience",
    "exp is past": "time",
    "iat is in the future": "time",
    "nbf is in the future": "time",
    "the token lives longer": "time",
    "jti was seen before": "replayed",
}
READ_REASONS = {  # why fhir_reader has not read, or not all
    "time budget spent": "out_of_time",
    "no FHIR server": "no_server",
    "the FHIR server has too many calls": "held_back",
    "all FHIR servers together": "held_back",
    "the FHIR server does not answer": "left_alone",
    "the server answered with another patient's data": "other_patient",
    "the server answered with an error": "unusable",
    "the server answered": "status",
    "the server could not be read": "unreachable",
    "the answer": "unusable",
    "pages run in a circle": "unusable",
    "a link leaves": "unusable",
}


def class_of(reason: str, classes: Mapping[str, str]) -> str:
    """The class of a reason: that of the first beginning it has."""
    return next((name for beginning, name in classes.items() if reason.startswith(beginning)), OTHER)
