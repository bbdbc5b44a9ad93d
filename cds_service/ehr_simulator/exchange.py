"""The exchange of `cds-service call`: discovery, the request, the answer. Notes go to standard error."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cards.nearest_names import did_you_mean
from cds_service.ehr_simulator.card_faults import find_answer_faults
from cds_service.ehr_simulator.card_feedback import NoSuchCard, build_feedback
from cds_service.ehr_simulator.discovery import Address, Listed, choose, read_discovery
from cds_service.ehr_simulator.drafts import NotAnOrder
from cds_service.ehr_simulator.fhir_server import Prefetch, Say
from cds_service.ehr_simulator.http_client import Answer, CallFailed, NotJson, Web
from cds_service.ehr_simulator.refusal import refusal
from cds_service.ehr_simulator.request import Built, OutOfRange, Wanted, build_request
from cds_service.ehr_simulator.token import Signer
from cds_service.readable import counted
from cds_service.terminal import in_one_line, show_answer


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Which service is called and what is printed. `hook`: for a stored request that names none."""

    service_id: str | None
    hook: str
    dry_run: bool
    curl: bool
    as_json: bool
    accepted: tuple[str, ...]
    overridden: tuple[str, ...]


def exchange(web: Web, address: Address, source: Wanted | Built, signer: Signer | None, options: CallOptions) -> None:
    """One call, from discovery to feedback, with a request that is built or stored. Raises CallFailed."""
    with _progress() as say:
        say(f"reading {address.discovery}")
        chosen, services = _choose(web, address, signer, source.hook or options.hook, options.service_id)
        built = _build(source, chosen, web, say) if isinstance(source, Wanted) else source
    if built.prefetch:
        _tell_prefetch(built.prefetch)
    url = address.of(chosen.id)
    if options.dry_run or options.curl:
        click.echo(_curl(url, built, signed=signer is not None) if options.curl else built.shown())
        return
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= signer.headers(address.audience(url)) if signer else {}
    with _progress() as say:
        say(f"waiting for {url}")
        answer = web.post(url, built.body, headers)
    document = _show(answer, headers, built, services, as_json=options.as_json)
    if options.accepted or options.overridden:
        _send_feedback(web, address, chosen.id, signer, document, options)


def _choose(
    web: Web, address: Address, signer: Signer | None, hook: str, service_id: str | None
) -> tuple[Listed, list[Listed]]:
    """The service to call, and all that are listed. A service that is named by its id needs no discovery."""
    named = service_id or address.service_id
    try:
        services = read_discovery(web, address, signer.headers(address.audience(address.discovery)) if signer else {})
    except CallFailed as fault:
        if named is None:
            raise
        _tell(f"{fault.message}. The service is called without prefetch.")
        return Listed(named, hook), []
    chosen = choose(services, hook, named)
    _tell(f"Calling {chosen}")
    for other in services:
        if other is not chosen:
            _tell(f"  also listed: {other}")
    return chosen, services


def _build(wanted: Wanted, chosen: Listed, web: Web, say: Say) -> Built:
    unknown = [key for key in wanted.without if key not in chosen.prefetch]
    if unknown:
        keys, nearest = ", ".join(chosen.prefetch) or "none", did_you_mean(unknown[0], chosen.prefetch)
        what = f"this service has no prefetch key {unknown[0]!r}; it has {keys}{nearest}"
        raise click.BadParameter(in_one_line(what), param_hint="--partial")
    try:
        return build_request(wanted, chosen.prefetch, web, say)
    except (NotAnOrder, OutOfRange) as fault:
        raise click.UsageError(f"{fault}.") from None


def _show(answer: Answer, headers: dict[str, str], built: Built, services: list[Listed], *, as_json: bool) -> Any:
    """Print an answer with status 200; anything else is raised as CallFailed."""
    if answer.status != 200:
        raise refusal(answer, "the service", headers, services)
    try:
        document = answer.read_json()
    except NotJson as what:
        raise CallFailed(f"the service answered 200 with {what}") from None
    if as_json:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()
    else:
        show_answer(document, Console())
        click.echo(_in_short(answer, document, built))
    for fault in find_answer_faults(document):
        _tell(f"Not valid CDS Hooks: {fault}")
    return document


def _in_short(answer: Answer, document: Any, built: Built) -> str:
    cards = document.get("cards") if isinstance(document, dict) else None
    count = len(cards) if isinstance(cards, list) else 0
    parts = [f"{answer.status} in {answer.seconds * 1000:,.0f} ms", counted(count, "card")]
    if built.prefetch:
        parts.append(f"{counted(built.prefetch.resources.total(), 'resource')} sent")
    return ", ".join(parts)


def _tell_prefetch(prefetch: Prefetch) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in prefetch.resources.items())
    empty = [in_one_line(key) for key, value in prefetch.values.items() if value is None]
    _tell(f"Prefetch: {counts or 'no resource'}" + (f"; no data for {', '.join(empty)}" if empty else ""))
    for key, why in prefetch.left_out.items():
        _tell(f"  left out: {in_one_line(key)} ({why})")
    for note in prefetch.notes:
        _tell(f"  {note}")


def _send_feedback(
    web: Web, address: Address, service_id: str, signer: Signer | None, answer: Any, options: CallOptions
) -> None:
    try:
        body = build_feedback(answer, options.accepted, options.overridden)
    except NoSuchCard as fault:
        raise CallFailed(f"no feedback was sent: {fault}") from None
    url = f"{address.of(service_id)}/feedback"
    headers = {"Content-Type": "application/json"} | (signer.headers(address.audience(url)) if signer else {})
    taken = web.post(url, body, headers)
    if not 200 <= taken.status < 300:
        raise refusal(taken, "feedback", headers)
    _tell(f"Feedback: {taken.status}")


def _curl(url: str, built: Built, *, signed: bool) -> str:
    """A shell command. Its token comes from a variable, which `cds-service keys token` can fill."""
    lines = [f"curl -sS {shlex.quote(url)}", "-H 'Content-Type: application/json'"]
    lines += ['-H "Authorization: Bearer $TOKEN"'] if signed else []
    return " \\\n  ".join([*lines, "--data-binary @- <<'JSON'"]) + f"\n{built.shown()}\nJSON"


@contextmanager
def _progress() -> Iterator[Say]:
    """Shows on standard error what the command waits for, and how long, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda words: progress.update(task, description=words)


def _tell(line: str) -> None:
    click.echo(line, err=True)
