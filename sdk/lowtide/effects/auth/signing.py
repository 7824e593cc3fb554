"""Signed JWTs by which a client proves who it is (RFC 7523). Needs the extra ``lowtide[auth]``, imported here alone."""

from __future__ import annotations

import json
import warnings
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["Signer"]

_LIFETIME: Final = 60
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class Signer:
    """``clock`` dates the assertions.

    Raises ``TaskFailed`` (``configuration``) where the extra is not installed.
    """

    def __init__(self, clock: Clock) -> None:
        try:
            import jwt
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ModuleNotFoundError as error:
            detail = "signing a client's assertion needs PyJWT and cryptography: install lowtide[auth]"
            raise TaskFailed(standard_error("configuration", detail)) from error
        self._load = load_pem_private_key
        self._jwt = jwt
        self._clock = clock

    def with_secret(self, secret: str, client: str, audience: str) -> str:
        """``client_secret_jwt``: HMAC with SHA-256."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how long its secrets are is the authorization server's choice
            return self._jwt.encode(self._claims(client, audience), secret, algorithm="HS256")

    def with_key(self, key: str | dict[str, Any], client: str, audience: str) -> str:
        """``private_key_jwt``: the algorithm is the key's, or the one that a JWK names."""
        headers: dict[str, Any] = {}
        try:
            if isinstance(key, str) and key.lstrip().startswith("{"):
                key = dict(json.loads(key))
            if isinstance(key, dict):
                read = self._jwt.PyJWK(key)
                headers = {"kid": key["kid"]} if isinstance(key.get("kid"), str) else {}
                private, algorithm = read.key, str(key.get("alg") or read.algorithm_name)
            else:
                private = self._load(key.encode(), password=None)
                algorithm = _algorithm_of(private)
            return self._jwt.encode(self._claims(client, audience), private, algorithm=algorithm, headers=headers)
        except (self._jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError) as error:
            detail = f"`client.assertion` is neither a JWT nor a private key to sign one with ({type(error).__name__})"
            raise TaskFailed(standard_error("configuration", detail)) from None  # their texts may quote the key

    def _claims(self, client: str, audience: str) -> dict[str, Any]:
        now = self._clock.now() // 1000
        issued = {"iat": now, "nbf": now - _LIFETIME, "exp": now + _LIFETIME, "jti": token_hex(16)}
        return {"iss": client, "sub": client, "aud": audience, **issued}


def _algorithm_of(private: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    match private:
        case rsa.RSAPrivateKey():
            return "RS256"
        case ec.EllipticCurvePrivateKey():
            return _CURVES[private.curve.name]
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            return "EdDSA"
        case _:
            raise TypeError(f"a key of {type(private).__name__}")
