"""The command `cds-service call`: its options and their checks. `exchange` does the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cds_service.ehr_simulator.drafts import HOOKS, ORDER_HOOKS, VERSIONS, NotAnOrder, parse_concept

if TYPE_CHECKING:
    from cds_service.ehr_simulator.discovery import Address
    from cds_service.ehr_simulator.request import Built, Wanted
    from cds_service.ehr_simulator.token import Signer

_OUR_SERVICE = "http://127.0.0.1:8080"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_BUILT_FROM = ("fhir", "patient", "encounter", "orders", "order_texts", "order_files", "reasons", "selected", "without")
_AS_GIVEN = (
    "hook", "user", "encounter", "orders", "order_texts", "order_files", "reasons", "reason_texts", "reason_conditions",
    "priority", "selected", "fhir_version", "fhir_token", "prefetch", "without",
)  # fmt: skip


@click.command(epilog="Exit status: 0 the service answered with cards or without, 1 it did not, 2 wrong usage.")
@click.option(
    "--service", default=_OUR_SERVICE, metavar="URL", help="Base, discovery or service URL.", show_default=True
)
@click.option("--id", "service_id", metavar="ID", help="Service id; the first service with the hook if not given.")
@click.option("--hook", type=click.Choice(HOOKS), default="order-sign", show_default=True)
@click.option("--fhir", metavar="URL", help="FHIR base URL. Without it nothing is read, and orders are R4.")
@click.option("--patient", metavar="ID", help="The patient's FHIR id.")
@click.option("--user", default="Practitioner/example", metavar="TYPE/ID", show_default=True)
@click.option("--encounter", metavar="ID", help="The encounter's FHIR id.")
@click.option("--order", "orders", multiple=True, metavar="SYSTEM|CODE[|DISPLAY]", help="A draft order; repeatable.")
@click.option("--order-text", "order_texts", multiple=True, metavar="WORDS", help="A draft order without a code.")
@click.option("--order-file", "order_files", multiple=True, type=_FILE, help="Orders from a file, unchanged.")
@click.option("--priority", type=click.Choice(("routine", "urgent", "asap", "stat")), help="Priority of these orders.")
@click.option("--reason", "reasons", multiple=True, metavar="SYSTEM|CODE[|DISPLAY]", help="Why they are ordered.")
@click.option("--reason-text", "reason_texts", multiple=True, metavar="WORDS")
@click.option(
    "--reason-condition",
    "reason_conditions",
    multiple=True,
    metavar="ID",
    help="Sent as reasonReference.",
)
@click.option("--select", "selected", multiple=True, type=int, metavar="N", help="order-select: the Nth order. [all]")
@click.option("--prefetch/--no-prefetch", default=True, help="Fill the service's own prefetch templates. [fill]")
@click.option("--partial", "without", multiple=True, metavar="KEY", help="Leave this prefetch key out.")
@click.option(
    "--pages", type=click.Choice(("all", "first")), default="all", show_default=True, help="Search pages to read."
)
@click.option("--fhir-version", type=click.Choice(VERSIONS), help="FHIR version; read from the server if not given.")
@click.option(
    "--fhir-token",
    envvar="FHIR_TOKEN",
    show_envvar=True,
    metavar="TOKEN",
    help="Access token, used to read and passed to the service as fhirAuthorization. Prefer the variable: a command "
    "line is visible in the process list and stays in the shell's history.",
)
@click.option("--no-fhir-server", is_flag=True, help="Tell the service neither FHIR server nor token.")
@click.option("--key", type=_FILE, metavar="FILE", help="Private key, PEM or JWK, to sign a token with.")
@click.option("--issuer", metavar="URL", help="iss of the token.")
@click.option("--audience", metavar="URL", help="Public base URL of the service, if not --service.")
@click.option("--tenant", metavar="NAME", help="tenant of the token.")
@click.option("--kid", metavar="ID", help="kid of the token; by default the JWK's own, or the key's thumbprint.")
@click.option("--request", "request_file", type=_FILE, metavar="FILE", help="Send this request, unchanged.")
@click.option("--timeout", type=click.FloatRange(0.1), default=30.0, metavar="SECONDS", show_default=True)
@click.option("--dry-run", is_flag=True, help="Print the request; do not send it.")
@click.option("--curl", is_flag=True, help="Print a curl command; do not send it.")
@click.option("--json", "as_json", is_flag=True, help="Print the raw answer, and nothing else.")
@click.option("--accept", "accepted", multiple=True, metavar="N.M", help="Then accept suggestion M of card N.")
@click.option("--override", "overridden", multiple=True, metavar="N[:CODE]", help="Then override card N.")
def call(**options: Any) -> None:
    """Call a CDS service as an EHR would, and show its cards.

    Works with this project's service and with any other. What is sent and shown may be about a patient.

    \b
    cds-service call --fhir http://127.0.0.1:8080/sandbox/fhir --patient lab-stenosis --order-text TEXT
    cds-service call --request hook_call.json
    """
    from cds_service.ehr_simulator.exchange import CallOptions, exchange
    from cds_service.ehr_simulator.http_client import Web

    if sum((options["dry_run"], options["curl"], options["as_json"])) > 1:
        raise click.UsageError("Use only one of --dry-run, --curl and --json.")
    address = _address(options)
    call_options = CallOptions(**{name: options[name] for name in CallOptions.__slots__})
    source, signer = _source(options), _signer(options)
    web = Web(options["timeout"])
    try:
        exchange(web, address, source, signer, call_options)
    finally:
        web.close()


def _address(options: dict[str, Any]) -> Address:
    """The service to call, and the base URL that tokens name."""
    service = _parse_address(options, "service")
    if options["audience"] is None:
        return service
    return replace(service, public_base=_parse_address(options, "audience").base)


def _parse_address(options: dict[str, Any], name: str) -> Address:
    from cds_service.ehr_simulator.discovery import parse_address

    try:
        return parse_address(options[name])
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint=f"--{name}") from None


def _source(options: dict[str, Any]) -> Wanted | Built:
    """What the request is built from, checked as far as possible without a server; or the stored request."""
    from cds_service.ehr_simulator.request import Wanted, read_request
    from cds_service.fhir_client.base_url import parse_base

    if options["request_file"]:
        if any(options[name] for name in _BUILT_FROM):
            raise click.UsageError("--request sends a file unchanged: leave out the options that build a request.")
        return read_request(options["request_file"])
    if not options["patient"]:
        raise click.UsageError("--patient ID is needed (or --request FILE).")
    patient = options["patient"].removeprefix("Patient/")
    _check_words(options, patient)
    _check_hook(options)
    base = parse_base(options["fhir"]) if options["fhir"] else None
    if options["fhir"] and base is None:
        what = "an address that begins with http:// or https://, without user, query or fragment"
        raise click.BadParameter(what, param_hint="--fhir")
    return Wanted(
        fhir=base,
        patient=patient,
        send_fhir_server=not options["no_fhir_server"],
        all_pages=options["pages"] == "all",
        **{name: options[name] for name in _AS_GIVEN},
    )


def _check_words(options: dict[str, Any], patient: str) -> None:
    """Check the form of ids, references and codes."""
    for name, text in (("--patient", patient), ("--encounter", options["encounter"] or "-")):
        if "/" in text or not text.strip():
            raise click.BadParameter("a bare FHIR id, such as 42", param_hint=name)
    if not all(options["user"].partition("/")):
        raise click.BadParameter("a reference, such as Practitioner/7", param_hint="--user")
    try:
        for text in (*options["orders"], *options["reasons"]):
            parse_concept(text)
    except NotAnOrder as fault:
        raise click.UsageError(f"{fault}.") from None


def _check_hook(options: dict[str, Any]) -> None:
    """Check that the options fit the hook."""
    hook, has_orders = options["hook"], any(options[name] for name in ("orders", "order_texts", "order_files"))
    if hook in ORDER_HOOKS and not has_orders:
        raise click.UsageError(f"{hook} needs an order: --order SYSTEM|CODE, --order-text or --order-file.")
    if hook not in ORDER_HOOKS and has_orders:
        raise click.UsageError(f"{hook} has no orders.")
    if hook != "order-select" and options["selected"]:
        raise click.UsageError("--select is for --hook order-select.")
    if hook.startswith("encounter") and not options["encounter"]:
        raise click.UsageError(f"{hook} needs --encounter ID.")


def _signer(options: dict[str, Any]) -> Signer | None:
    from cds_service.ehr_simulator.token import KeyUnusable, Signer

    if options["key"] is None:
        if any(options[name] for name in ("issuer", "audience", "tenant", "kid")):
            raise click.UsageError("--issuer, --audience, --tenant and --kid need --key FILE.")
        return None
    if not options["issuer"]:
        raise click.UsageError("--key needs --issuer URL, the iss that the service knows.")
    try:
        return Signer(options["key"], options["issuer"], tenant=options["tenant"], kid=options["kid"])
    except KeyUnusable as fault:
        raise click.BadParameter(str(fault), param_hint="--key") from None
