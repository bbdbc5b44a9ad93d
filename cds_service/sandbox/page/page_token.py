"""Signs the calls of the sandbox page with a key of this process, whose public half is registered for the page only.

This shows the whole path of a token, also with CDS_REQUIRE_TOKENS=yes. With several processes the page does not sign:
a call may reach a process that does not have the key.
"""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from cds_service.clients.issuer_keys import KeySet
from cds_service.clients.registry import RegisteredClient

CLIENT = "sandbox-page"
_ALGORITHM = "ES384"
_KID = "sandbox-page"
_LIFE_S = 300


class PageKey:
    """The key pair of the page. `issuer`: the `iss` of its tokens."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._private = ec.generate_private_key(ec.SECP384R1())

    def client(self) -> RegisteredClient:
        """The page as a registered client, so that its tokens are checked like any other's."""
        jwk = json.loads(ECAlgorithm.to_jwk(self._private.public_key()))
        keys = KeySet({"keys": [jwk | {"kid": _KID, "use": "sig", "alg": _ALGORITHM}]}, allow_sandbox=False)
        return RegisteredClient(CLIENT, self._issuer, frozenset({_ALGORITHM}), keys)

    def sign(self, audience: str, now: datetime) -> str:
        """A token for one call of the URL `audience`, good for five minutes (R-6.5 to R-6.13)."""
        issued = int(now.timestamp())
        claims = {"iss": self._issuer, "aud": audience, "iat": issued, "exp": issued + _LIFE_S, "jti": str(uuid4())}
        return jwt.encode(claims, self._private, algorithm=_ALGORITHM, headers={"kid": _KID})
