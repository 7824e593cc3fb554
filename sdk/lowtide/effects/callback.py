"""``call: create-callback:1.0.0@default``: a URL that can be called once.

It is made here and nowhere kept: it names its execution, and is signed. Whoever calls it is answered by orchestrate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, ExecutionId, Millis, iso
from lowtide.model.command import Perform
from lowtide.model.duration import to_millis
from lowtide.model.error import standard_error
from lowtide.wire.callbacks import CallbackToken, callback_id, write_token

if TYPE_CHECKING:
    from lowtide.runtime.clock import Clock

__all__ = ["PATH", "Callbacks"]

PATH: Final = "/v1/callbacks/"
_DAY: Final = 86_400_000
_USUAL: Final = 7 * _DAY
_LONGEST: Final = 366 * _DAY


class Callbacks:
    """``base`` is the URL under which the world reaches orchestrate, ``key`` the one that it shares with execute."""

    def __init__(self, key: bytes, base: str, clock: Clock) -> None:
        self._key = key
        self._base = base.rstrip("/")
        self._clock = clock

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """``{id, url, expires}``; the same id whenever the command is performed again."""
        if not self._base:
            detail = "nobody could call a callback: the operator sets LOWTIDE_PUBLIC_URL to where the API is reached"
            raise TaskFailed(standard_error("configuration", detail))
        given = command.arguments["given"]
        execution = ExecutionId(idempotency_key.removesuffix(command.id))
        token = CallbackToken(
            execution=execution,
            id=callback_id(idempotency_key),
            expires=Millis(self._clock.now() + _length(given.get("expires"))),
            accepts=tuple(given.get("accept") or ("application/json",)),
        )
        url = f"{self._base}{PATH}{write_token(self._key, token)}"
        return {"id": token.id, "url": url, "expires": iso(token.expires)}


def _length(given: JSON) -> int:
    try:
        length = _USUAL if given is None else to_millis(given)
    except ValueError as error:
        raise TaskFailed(standard_error("validation", f"`expires` is no duration: {error}")) from error
    if not 0 < length <= _LONGEST:
        detail = "`expires` is how long the URL can be called: more than nothing, and a year at most"
        raise TaskFailed(standard_error("validation", detail))
    return length
