"""What a client reads from its FHIR server before it calls: the version, and the prefetch, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cds_service.ehr_simulator.drafts import version_of
from cds_service.ehr_simulator.http_client import Answer, CallFailed, NotJson, Web
from cds_service.ehr_simulator.prefetch_templates import NotFilled, fill_template
from cds_service.ehr_simulator.refusal import server_words
from cds_service.fhir_client.base_url import FhirBase, LeavesServer
from cds_service.readable import counted
from cds_service.terminal import in_one_line, objects_in

_MOST_PAGES = 20
_NO_RESOURCE = (404, 410)
_ACCEPT = "application/fhir+json, application/json;q=0.9, application/json+fhir;q=0.8"  # the last: DSTU2

Say = Callable[[str], object]


class _NotObtained(Exception):
    """A key that cannot be read; the message says why."""


class _NotThere(_NotObtained):
    """The FHIR server has no such resource."""


@dataclass
class Prefetch:
    """The prefetch that is sent: values by key, None for no data (R-2.82), and why the other keys are left out."""

    values: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def resources(self) -> Counter[str]:
        """How many resources are sent, by type."""
        counts: Counter[str] = Counter()
        for value in self.values.values():
            is_bundle = value is not None and value.get("resourceType") == "Bundle"
            entries = value["entry"] if is_bundle else [{"resource": value}] if value else []
            counts.update(in_one_line(_resource_type(entry)) for entry in entries)
        return counts


class FhirSide:
    """One FHIR server, read with the token of the call. Links to other servers are not followed."""

    def __init__(self, web: Web, base: FhirBase, token: str | None, say: Say) -> None:
        self._web, self._base, self._say, self._has_token = web, base, say, token is not None
        self._headers = {"Accept": _ACCEPT} | ({"Authorization": f"Bearer {token}"} if token else {})

    def read_version(self) -> str:
        """The FHIR version of the CapabilityStatement. Raises CallFailed."""
        self._say(f"asking {self._base.url} which FHIR version it speaks")
        otherwise = "Use --fhir-version, so that the version need not be read."
        try:
            number = self._read("metadata").get("fhirVersion")
        except _NotObtained as why:
            raise CallFailed(f"{self._base.url}/metadata: {why}", ["Is this a FHIR base URL?", otherwise]) from None
        version = version_of(number) if isinstance(number, str) else None
        if version is None:
            raise CallFailed(f"the FHIR server has a version that is not supported: {in_one_line(number)}", [otherwise])
        return version

    def fill(
        self, templates: Mapping[str, str], context: Mapping[str, Any], *, without: Sequence[str], all_pages: bool
    ) -> Prefetch:
        """The prefetch for these templates. A key that cannot be read is left out, as in the reference client."""
        prefetch = Prefetch()
        for key, template in templates.items():
            if key in without:
                prefetch.left_out[key] = "as asked"
                continue
            try:
                self._say(f"reading {in_one_line(key)}")
                prefetch.values[key] = self._value(key, fill_template(template, context), prefetch, all_pages)
            except (NotFilled, _NotObtained) as why:
                prefetch.left_out[key] = in_one_line(why)
            except CallFailed as fault:
                prefetch.left_out[key] = fault.message
        return prefetch

    def check_patient(self, patient: str) -> None:
        """Raise CallFailed where the FHIR server says that it has no such patient, or that the id cannot be one."""
        try:
            self._say("reading the patient")
            self._read(f"Patient/{quote(patient, safe='')}")
        except _NotThere as why:
            where = f"{self._base.url}/Patient may list those that it has."
            advice = [in_one_line(why), where]
            raise CallFailed(f"the FHIR server has no patient {in_one_line(patient)}", advice) from None
        except (_NotObtained, CallFailed):
            return  # not this patient's fault; a key that cannot be read is reported with the prefetch

    def _value(self, key: str, url: str, prefetch: Prefetch, all_pages: bool) -> Any:
        resource = self._read(url)
        if resource["resourceType"] != "Bundle":
            return resource
        entries, next_url = _entries(resource), _next_url(resource)
        pages = 1
        try:
            while next_url and all_pages and pages < _MOST_PAGES:
                self._say(f"reading {in_one_line(key)}, page {pages + 1}")
                page = self._read(next_url)
                entries, next_url = entries + _entries(page), _next_url(page)
                pages += 1
        except (_NotObtained, CallFailed) as fault:
            prefetch.notes.append(
                f"{in_one_line(key)}: only {counted(pages, 'page')}; the next one: {in_one_line(fault)}"
            )
        else:
            if next_url:
                prefetch.notes.append(
                    f"{in_one_line(key)}: only {counted(pages, 'page')}, with the link to the next one"
                )
        if not entries and not next_url:
            return None
        links = [link for link in objects_in(resource.get("link")) if link.get("relation") != "next"]
        links += [{"relation": "next", "url": next_url}] if next_url else []
        return resource | {"entry": entries} | ({"link": links} if links else {})

    def _read(self, url: str) -> Any:
        """One FHIR resource. Raises _NotObtained, or CallFailed where there is no answer."""
        try:
            answer = self._web.get(self._base.below(url), self._headers)
        except LeavesServer:
            raise _NotObtained("its address is not below the FHIR base") from None
        if answer.status != 200:
            hint = "; put a token for it in FHIR_TOKEN" if answer.status == 401 and not self._has_token else ""
            kind = _NotThere if answer.status in _NO_RESOURCE else _NotObtained
            raise kind(f"the FHIR server answers {answer.status}{_said(answer)}{hint}")
        try:
            resource = answer.read_json()
        except NotJson as what:
            raise _NotObtained(f"the FHIR server answers with {what}") from None
        if not (isinstance(resource, dict) and isinstance(resource.get("resourceType"), str)):
            raise _NotObtained("the FHIR server answers with JSON that is not a FHIR resource")
        if resource["resourceType"] == "OperationOutcome":
            raise _NotObtained(f"the FHIR server answers with an OperationOutcome{_said(answer)}")
        return resource


def _said(answer: Answer) -> str:
    return ": " + "; ".join(words) if (words := list(server_words(answer))) else ""


def _entries(bundle: Mapping[str, Any]) -> list[Any]:
    entries = bundle.get("entry")
    return entries if isinstance(entries, list) else []


def _next_url(bundle: Mapping[str, Any]) -> str | None:
    urls = [link.get("url") for link in objects_in(bundle.get("link")) if link.get("relation") == "next"]
    return urls[0] if urls and isinstance(urls[0], str) else None


def _resource_type(entry: Any) -> str:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else "entry without a resource"
