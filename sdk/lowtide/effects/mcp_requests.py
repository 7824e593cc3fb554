"""What an MCP server may ask of its client in the middle of a call."""

from __future__ import annotations

from typing import Final

from lowtide.model.base import JSON

__all__ = ["answer_to"]

_NO_SUCH_METHOD: Final = -32601


def answer_to(message: dict[str, JSON]) -> dict[str, JSON] | None:
    """A ping is answered; sampling, elicitation and roots are nothing that a workflow offers. ``None`` for what
    awaits no answer: notifications of progress, logs and changes."""
    if "id" not in message:
        return None
    answer: dict[str, JSON] = {"jsonrpc": "2.0", "id": message["id"]}
    if message.get("method") == "ping":
        return {**answer, "result": {}}
    said = f"a workflow's call does not answer {message.get('method')}"
    return {**answer, "error": {"code": _NO_SUCH_METHOD, "message": said}}
