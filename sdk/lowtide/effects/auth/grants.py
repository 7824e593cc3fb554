"""The parameters of a token request, grant by grant (RFC 6749, section 4 and 6; RFC 8693)."""

from __future__ import annotations

from typing import Final, assert_never

from lowtide.effects.auth.configuration import Configuration, SecurityToken
from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

__all__ = ["parameters", "refreshing"]

_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"

Parameters = dict[str, str | list[str]]


def parameters(asked: Configuration) -> Parameters:
    """Without those of the client. Raises ``TaskFailed`` (``configuration``) where the grant lacks something."""
    made: Parameters = {"grant_type": asked.grant}
    match asked.grant:
        case "client_credentials":
            pass
        case "password":
            made["username"] = _need(asked.username, "username", asked)
            made["password"] = _need(asked.password, "password", asked)
        case "authorization_code":
            made["code"] = _subject(asked, "the code").token
            optional = {"redirect_uri": asked.redirect_uri, "code_verifier": asked.code_verifier}
            made.update({name: value for name, value in optional.items() if value})
        case "refresh_token":
            made["refresh_token"] = _subject(asked, "the refresh token").token
        case "urn:ietf:params:oauth:grant-type:token-exchange":
            made.update(_exchanged(asked))
        case _:
            assert_never(asked.grant)
    if asked.grant == "authorization_code":
        return made  # scopes and audiences were settled when the code was asked for
    return {**made, **_wanted(asked)}


def refreshing(asked: Configuration, token: str) -> Parameters:
    """Instead of the grant, once it gave a refresh token."""
    scope = {name: value for name, value in _wanted(asked).items() if name == "scope"}
    return {"grant_type": "refresh_token", "refresh_token": token, **scope}


def _exchanged(asked: Configuration) -> Parameters:
    subject = _subject(asked, "the token to exchange")
    made: Parameters = {"subject_token": subject.token, "subject_token_type": subject.type or _ACCESS_TOKEN}
    if asked.actor is not None:
        made.update({"actor_token": asked.actor.token, "actor_token_type": asked.actor.type or _ACCESS_TOKEN})
    return made


def _wanted(asked: Configuration) -> Parameters:
    """Scopes are one parameter (RFC 6749, 3.3), audiences one each (RFC 8693, 2.1)."""
    scopes, audiences = (
        each.split() if isinstance(each, str) else each or [] for each in (asked.scopes, asked.audiences)
    )
    made: Parameters = {"scope": " ".join(scopes)} if scopes else {}
    if audiences:
        made["audience"] = audiences[0] if len(audiences) == 1 else audiences
    return made


def _subject(asked: Configuration, what: str) -> SecurityToken:
    if asked.subject is None or not asked.subject.token:
        detail = f"`grant: {asked.grant}` needs {what} as `subject.token`"
        raise TaskFailed(standard_error("configuration", detail))
    return asked.subject


def _need(value: str | None, member: str, asked: Configuration) -> str:
    if not value:
        raise TaskFailed(standard_error("configuration", f"`grant: {asked.grant}` needs `{member}`"))
    return value
