"""HTTP as `cds-service call` needs it: a time for the whole answer, no redirect followed, and errors in words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
import requests
import urllib3

from cds_service.http_download import NotDownloaded, read_body
from cds_service.terminal import in_one_line

_MOST_BYTES = 64_000_000
_USER_AGENT = "cds-service-call"


class CallFailed(click.ClickException):
    """The service was not reached, or did not answer with cards. `advice`: what to do, in lines. Exit status 1."""

    def __init__(self, message: str, advice: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.advice = advice

    def show(self, file: object = None) -> None:
        """Print it as the other commands print theirs."""
        click.echo(f"cds-service: cannot call: {self.message}", err=True)
        for line in self.advice:
            click.echo(f"  {line}", err=True)


class NotJson(ValueError):
    """The body is not JSON; the message says what it is."""


@dataclass(frozen=True)
class Answer:
    """One answer of any status. Header names in lower case; `seconds`: from the request to the last byte."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def read_json(self) -> Any:
        """Raises NotJson."""
        try:
            return json.loads(self.body, parse_constant=_refuse)
        except (ValueError, RecursionError) as fault:
            raise NotJson(self._what_else(fault)) from None

    def _what_else(self, fault: Exception) -> str:
        if not self.body.strip():
            return "an empty body"
        if self.media_type == "text/html" or self.body.lstrip()[:1] == b"<":
            return "HTML or XML, not JSON"
        where = f", line {fault.lineno} column {fault.colno}" if isinstance(fault, json.JSONDecodeError) else ""
        return f"invalid JSON ({type(fault).__name__}{where})"


class Web:
    """One session. `timeout_s`: for a whole answer. Certificates and proxies are those of the environment."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.auth = _as_given
        self._session.headers["User-Agent"] = _USER_AGENT

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Raises CallFailed where there is no answer."""
        return self._ask("GET", url, headers, None)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises CallFailed where there is no answer."""
        return self._ask("POST", url, headers, body)

    def close(self) -> None:
        self._session.close()

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        start = time.monotonic()
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=self._timeout_s,
            ) as answer:
                received = read_body(answer, _MOST_BYTES, start + self._timeout_s)
        except NotDownloaded:
            raise CallFailed(f"{origin(url)} answers with more than {_MOST_BYTES // 1_000_000} MB") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            raise _in_words(fault, url, self._timeout_s) from None
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(url, answer.status_code, names, received, time.monotonic() - start)


def origin(url: str) -> str:
    """Scheme, host and port, for messages: the rest may be about a patient."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON, but Python accepts them


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep the request as it is: requests would replace its token by credentials from a netrc file."""
    return request


def _in_words(fault: Exception, url: str, timeout_s: float) -> CallFailed:
    where = origin(url)
    message = in_one_line(fault)
    if isinstance(fault, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in message or "record layer" in message:
            return CallFailed(f"{where} does not speak TLS", ["If it is meant to be plain HTTP, write http://"])
        why = message.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        advice = "If it has a private certificate authority, put its file in REQUESTS_CA_BUNDLE."
        return CallFailed(f"TLS with {where} failed: {why or message}", [advice])
    if isinstance(fault, requests.exceptions.ProxyError):
        return CallFailed(f"the proxy for {where} refused the connection", ["See HTTPS_PROXY, NO_PROXY."])
    if isinstance(fault, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return CallFailed(f"{where} did not answer within {timeout_s:g} s", ["--timeout SECONDS waits longer."])
    if "NameResolutionError" in message or "Failed to resolve" in message:
        return CallFailed(f"no such host: {urlsplit(url).hostname}", ["Is the address written correctly?"])
    if "Connection refused" in message:
        advice = "Is it running, and on this port? `cds-service serve` starts this project's own service."
        return CallFailed(f"nothing listens at {where}", [advice])
    if isinstance(fault, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return CallFailed(f"{where} is not an address that can be called")
    return CallFailed(f"{where} closed the connection before its answer was complete", [_kind(fault)])


def _kind(fault: Exception) -> str:
    """The type of an error: its message may contain the whole address."""
    cause = fault.args[0] if fault.args and isinstance(fault.args[0], Exception) else fault
    return f"({type(cause).__name__})"
