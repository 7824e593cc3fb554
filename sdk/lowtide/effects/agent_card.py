"""Where an A2A agent is, and which version of the protocol it speaks there: read from its card.

Cards of A2A 0.3 have ``url``, ``preferredTransport`` and ``additionalInterfaces``, those of 1.0
``supportedInterfaces``; some have both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import msgspec

from lowtide.effects.resource import Resource
from lowtide.effects.web import http_url
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["Agent", "agent_of"]


class Agent(Value, frozen=True):
    """``modern``: it speaks A2A 1.0 and not 0.3. ``authentication`` is the policy that was given for it."""

    url: URL
    modern: bool = False
    authentication: JSON = None


def agent_of(card: Resource) -> Agent:
    """Raises ``TaskFailed``: ``communication`` for what is no card, ``configuration`` where the agent speaks no
    JSON-RPC.

    The authentication that fetched the card is shown to the agent where both are at the same origin, else to nobody.
    """
    try:
        content = msgspec.json.decode(card.body, type=dict)
    except msgspec.DecodeError as error:
        raise TaskFailed(standard_error("communication", f"{card.asked} is no agent card: {error}")) from error
    found = [(version, url) for transport, version, url in _interfaces(content) if transport == "JSONRPC"]
    if not found:
        spoken = ", ".join(sorted({transport for transport, _, _ in _interfaces(content)})) or "nothing"
        detail = f"the agent of {card.asked} speaks {spoken}, and not JSONRPC"
        raise TaskFailed(standard_error("configuration", detail))
    version, uri = next((one for one in found if one[0].startswith("0.")), found[0])
    url = http_url(urljoin(card.uri, uri), f"the address in the agent card {card.asked}")
    same = not card.asked.lower().startswith("file:") and url.origin() == http_url(card.asked, "the card").origin()
    return Agent(url, not version.startswith("0."), card.authentication if same else None)


def _interfaces(card: dict[str, JSON]) -> Iterator[tuple[str, str, str]]:
    """Transport, version of the protocol and address."""
    version = str(card.get("protocolVersion") or "0.3")
    if isinstance(card.get("url"), str) and card["url"]:
        yield str(card.get("preferredTransport") or "JSONRPC"), version, card["url"]
    for interface in card.get("additionalInterfaces") or []:
        yield str(interface.get("transport")), version, str(interface.get("url"))
    for interface in card.get("supportedInterfaces") or []:
        spoken = str(interface.get("protocolVersion") or "1.0")
        yield str(interface.get("protocolBinding")), spoken, str(interface.get("url"))
