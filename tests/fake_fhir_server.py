"""The network edge: a transport that answers for a FHIR server, page by page, and remembers what it was asked."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

BASE = "http://127.0.0.1:8113/fhir/R4"


class FakeFhirServer(BaseAdapter):
    """`answers`, by path and query below BASE ("Condition?patient=1&_count=500"): JSON values, bytes or exceptions."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        assert request.url is not None
        answer = self.answers.get(request.url.removeprefix(BASE + "/"), (404, {"resourceType": "OperationOutcome"}))
        if isinstance(answer, Exception):
            raise answer
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        response = requests.Response()
        response.status_code = status
        response.url = request.url
        response.request = request
        response.headers["Content-Type"] = "application/fhir+json"
        response.raw = urllib3.HTTPResponse(io.BytesIO(body), status=status, preload_content=False)
        return response

    def close(self) -> None:
        """Nothing to close."""

    @property
    def asked(self) -> list[str]:
        """Path and query of each request, below BASE where it is there."""
        return sorted((request.url or "").removeprefix(BASE + "/") for request in self.requests)

    @property
    def hosts(self) -> set[str]:
        return {urlsplit(request.url or "").netloc for request in self.requests}
