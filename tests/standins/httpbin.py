"""A stand-in for httpbin.org: what the conformance kit asks of it."""

from __future__ import annotations

from base64 import b64encode

from tests.standins.internet import Answer, Request

__all__ = ["httpbin"]


def httpbin(request: Request) -> Answer:
    """``/basic-auth/{user}/{password}`` lets in whoever gives both."""
    match request.path.split("/")[1:]:
        case ["basic-auth", user, password]:
            expected = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
            if request.headers.get("authorization") == expected:
                return Answer(body={"authenticated": True, "user": user})
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="Fake Realm"'})
        case _:
            return Answer(404)
