"""What all schemes have in common: credentials offer an ``Authorization`` value, and may answer a refusal once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["Credentials", "Fixed", "Sending", "mask", "text_of"]


@dataclass(frozen=True, slots=True)
class Sending:
    """The request that is about to be sent."""

    method: str
    url: URL
    body: bytes | None = None


class Credentials(Protocol):
    """Of one call; what calls share (tokens, nonces) is kept elsewhere, per process."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that nobody may see; see :func:`mask`."""
        ...

    async def offer(self, sending: Sending) -> str | None:
        """The value to send first; ``None`` where the server must ask before."""
        ...

    async def answer(self, sending: Sending, challenges: tuple[str, ...]) -> str | None:
        """After a 401 with these ``WWW-Authenticate`` values: another value to try, ``None`` where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Credentials whose value never changes: a refusal is final."""

    value: str
    secrets: tuple[str, ...]

    async def offer(self, sending: Sending) -> str | None:
        return self.value

    async def answer(self, sending: Sending, challenges: tuple[str, ...]) -> str | None:
        return None


def text_of(configuration: JSON, member: str, scheme: str) -> str:
    """A member that must be there. Raises ``TaskFailed`` (``authentication``) where it is not, never showing it."""
    value = configuration.get(member) if isinstance(configuration, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # a password of digits, as YAML and JSON read it
    if not isinstance(value, str) or not value:
        raise TaskFailed(standard_error("authentication", f"{scheme} authentication needs a {member}"))
    if any(character < " " or character == "\x7f" for character in value):
        detail = f"the {member} of {scheme} authentication holds a line break or another control character"
        raise TaskFailed(standard_error("authentication", detail))
    return value


def mask(text: str, secrets: Iterable[str]) -> str:
    """``text`` as people may see it."""
    from lowtide.wire.masking import Mask

    return Mask(secrets).text(text)
