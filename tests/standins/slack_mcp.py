"""A stand-in for the Slack MCP server that the standard's example starts by ``npx``: one tool, over stdio.

    python slack_mcp.py slack-mcp-serverr@latest --transport stdio

It is the standard's wire alone, line by line, so that the client is not tested against its own code.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["install_npx"]


def install_npx(folder: Path) -> None:
    """Put a program called ``npx`` into the folder, which is this server."""
    program = folder / "npx"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _answer(method: str, given: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        server = {"name": "slack", "version": "1.0.0"}
        return {"protocolVersion": given["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
    posted = {"channel": given["arguments"]["channel_id"], "token": os.environ["SLACK_MCP_XOXP_TOKEN"][:4]}
    return {"content": [{"type": "text", "text": json.dumps(posted)}], "isError": False}


def _serve() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = _answer(message["method"], message.get("params", {}))
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    _serve()
