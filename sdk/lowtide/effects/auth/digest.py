"""HTTP Digest (RFC 7616): MD5, SHA-256 and SHA-512-256, each also as ``-sess``; qop ``auth``, ``auth-int`` or none."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from secrets import token_hex
from typing import Final
from urllib.parse import quote

from lowtide.effects.auth.challenges import Challenge, parse
from lowtide.effects.auth.credentials import Sending, text_of
from lowtide.model.base import JSON

__all__ = ["Digest", "Nonces", "response"]

_ALGORITHMS: Final = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_KEPT: Final = 256


@dataclass(slots=True)
class _Session:
    """A challenge that a server gave, and how often it was answered."""

    challenge: Challenge
    cnonce: str
    count: int = 0


class Nonces:
    """The servers' last nonces, per process: who was asked once answers the next call before it is asked."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, str, str], _Session] = OrderedDict()

    def get(self, key: tuple[str, str, str]) -> _Session | None:
        return self._sessions.get(key)

    def keep(self, key: tuple[str, str, str], session: _Session) -> None:
        self._sessions[key] = session
        self._sessions.move_to_end(key)
        while len(self._sessions) > _KEPT:
            self._sessions.popitem(last=False)


class Digest:
    """The credentials of one call: ``{username, password}``."""

    def __init__(self, configuration: JSON, nonces: Nonces) -> None:
        self._username = text_of(configuration, "username", "digest")
        self._password = text_of(configuration, "password", "digest")
        self._nonces = nonces
        self._answered: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._password,)

    async def offer(self, sending: Sending) -> str | None:
        session = self._nonces.get(self._key(sending))
        return None if session is None else self._header(session, sending)

    async def answer(self, sending: Sending, challenges: tuple[str, ...]) -> str | None:
        """A nonce that was answered and is refused again is only worth an answer where it is merely stale."""
        offered = [challenge for header in challenges for challenge in parse(header) if _understood(challenge)]
        if not offered:
            return None
        challenge = offered[0]  # the server's favourite (RFC 7616, 3.7)
        stale = challenge.parameters.get("stale", "").lower() == "true"
        if self._answered is not None and not stale:
            return None
        self._answered = challenge.parameters["nonce"]
        session = _Session(challenge, token_hex(16))
        self._nonces.keep(self._key(sending), session)
        return self._header(session, sending)

    def _key(self, sending: Sending) -> tuple[str, str, str]:
        password = hashlib.sha256(self._password.encode()).hexdigest()
        return str(sending.url.origin()), self._username, password

    def _header(self, session: _Session, sending: Sending) -> str:
        session.count += 1
        asked = session.challenge.parameters
        target, count = sending.url.raw_path_qs, f"{session.count:08x}"
        qop = _qop(asked.get("qop", ""))
        digest = response(self._username, self._password, asked, sending, qop, count, session.cnonce)
        parts = [*self._name(asked), f'realm="{_escaped(asked["realm"])}"', f'nonce="{_escaped(asked["nonce"])}"']
        parts += [f'uri="{target}"', f'response="{digest}"']
        if "algorithm" in asked:
            parts.append(f"algorithm={asked['algorithm']}")
        if "opaque" in asked:
            parts.append(f'opaque="{_escaped(asked["opaque"])}"')
        if qop:
            parts += [f"qop={qop}", f"nc={count}"]
        if qop or _is_session(asked):
            parts.append(f'cnonce="{session.cnonce}"')
        return "Digest " + ", ".join(parts)

    def _name(self, asked: dict[str, str]) -> list[str]:
        if asked.get("userhash", "").lower() == "true":
            hashed = _hash(asked, f"{self._username}:{asked['realm']}".encode())
            return [f'username="{hashed}"', "userhash=true"]
        if self._username.isascii():
            return [f'username="{_escaped(self._username)}"']
        return [f"username*=UTF-8''{quote(self._username, safe='')}"]


def response(
    username: str, password: str, asked: dict[str, str], sending: Sending, qop: str, count: str, cnonce: str
) -> str:
    """The ``response`` parameter (RFC 7616, 3.4.1 to 3.4.3)."""
    secret = _hash(asked, f"{username}:{asked['realm']}:{password}".encode())
    if _is_session(asked):
        secret = _hash(asked, f"{secret}:{asked['nonce']}:{cnonce}".encode())
    what = f"{sending.method}:{sending.url.raw_path_qs}"
    if qop == "auth-int":
        what += ":" + _hash(asked, sending.body or b"")
    middle = f"{asked['nonce']}:{count}:{cnonce}:{qop}" if qop else asked["nonce"]
    return _hash(asked, f"{secret}:{middle}:{_hash(asked, what.encode())}".encode())


def _understood(challenge: Challenge) -> bool:
    asked = challenge.parameters
    if challenge.scheme != "digest" or not {"realm", "nonce"} <= asked.keys():
        return False
    algorithm = _ALGORITHMS.get(_algorithm(asked))
    return algorithm in hashlib.algorithms_available and ("qop" not in asked or _qop(asked["qop"]) != "")


def _qop(offered: str) -> str:
    options = {option.strip().lower() for option in offered.split(",")}
    return next((known for known in ("auth", "auth-int") if known in options), "")


def _algorithm(asked: dict[str, str]) -> str:
    return asked.get("algorithm", "MD5").upper().removesuffix("-SESS")


def _is_session(asked: dict[str, str]) -> bool:
    return asked.get("algorithm", "").upper().endswith("-SESS")


def _hash(asked: dict[str, str], data: bytes) -> str:
    # MD5 is what servers still ask for; it protects nothing here but the form.
    return hashlib.new(_ALGORITHMS[_algorithm(asked)], data, usedforsecurity=False).hexdigest()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
