"""The command `cds-service keys`: what a client needs to sign its calls, for an EHR or for a test of this service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cds_service.clients.key_pair import Algorithm, KeyFiles

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def keys() -> None:
    """Make keys and tokens for clients."""


@keys.command()
@click.option("--client", required=True, metavar="NAME", help="The client's name: lowercase letters, digits, . and -.")
@click.option("--algorithm", type=click.Choice(("ES384", "RS384")), default="ES384", show_default=True)
@click.option("--issuer", metavar="URL", help="iss of the client's tokens, for the printed entry.")
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The folder of the clients file.  [default: the current folder]",
)
def new(client: str, algorithm: Algorithm, issuer: str | None, folder: Path) -> None:
    """Make a client's key pair; print its clients file entry.

    \b
    DIR/private/NAME.pem   the private key, for the client alone (readable by you alone)
    DIR/NAME.jwks.json     the public key, as a JSON Web Key Set

    Nothing is overwritten. The entry goes to standard output, all else to standard error:

    \b
    cds-service keys new --client general-hospital --issuer https://ehr.example.org >> clients.toml
    """
    from cds_service.clients.clients_file import is_client_name
    from cds_service.clients.key_pair import KeyFilesRefused, write_key_pair

    if not is_client_name(client):
        what = "lowercase letters, digits, dots and dashes, such as general-hospital"
        raise click.BadParameter(what, param_hint="--client")
    if issuer is not None and not (issuer.strip() and issuer.isprintable()):
        what = "the iss of the client's tokens, such as https://ehr.example.org"
        raise click.BadParameter(what, param_hint="--issuer")
    try:
        files = write_key_pair(client, algorithm, folder)
    except KeyFilesRefused as fault:
        click.echo(f"cds-service: no keys were made: {fault}", err=True)
        sys.exit(1)
    click.echo(f"Private key: {files.private} (keep it secret; the client signs with it)", err=True)
    click.echo(f"Public key set: {files.public} (kid {files.kid})", err=True)
    click.echo("Entry for the clients file, which must be in the folder of the public key set:", err=True)
    click.echo(client_entry(client, issuer, files))


def client_entry(client: str, issuer: str | None, files: KeyFiles) -> str:
    """The `[[clients]]` table of a new client, with what is optional as comments (docs/clients.md)."""
    toml = json.dumps  # a basic string of TOML is one of JSON, as long as no character is escaped that is not ASCII
    return "\n".join(
        (
            "[[clients]]",
            f"name = {toml(client)}",
            f"issuer = {toml(issuer or '', ensure_ascii=False)}" + ("" if issuer else "  # fill in: iss of the tokens"),
            f"algorithms = {toml([files.algorithm])}",
            f"jwks_file = {toml(files.public.name)}",
            '# tenants = ["north"]  # tokens must have one of these; without this line any tenant, or none',
            '# fhir_servers = ["https://ehr.example.org/fhir/R4"]  # that may be read; without this line prefetch only',
            '# mode = "silent"  # cards are decided and recorded, and not shown; without this line "visible"',
            "",
        )
    )


@keys.command()
@click.option("--key", type=_FILE, required=True, metavar="FILE", help="Private key, PEM or JWK.")
@click.option("--issuer", required=True, metavar="URL", help="iss of the token.")
@click.option("--audience", required=True, metavar="URL", help="aud of the token: the exact public URL to be called.")
@click.option("--tenant", metavar="NAME", help="tenant of the token.")
@click.option("--kid", metavar="ID", help="kid of the token; by default the JWK's own, or the key's thumbprint.")
def token(key: Path, issuer: str, audience: str, tenant: str | None, kid: str | None) -> None:
    """Print a token for one call, which must be made within five minutes.

    For curl and other programs; `cds-service call` signs by itself. Who has the token can make that call.
    """
    from cds_service.ehr_simulator.token import KeyUnusable, Signer

    try:
        signer = Signer(key, issuer, tenant=tenant, kid=kid)
    except KeyUnusable as fault:
        raise click.BadParameter(str(fault), param_hint="--key") from None
    click.echo(signer.token(audience))
