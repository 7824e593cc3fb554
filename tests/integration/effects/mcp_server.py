"""An MCP server written with the official Python SDK. As a program it speaks stdio."""

from __future__ import annotations

import os
import sys
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

__all__ = ["make"]


def make() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("desk", version="7.0.0")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def refuse() -> str:
        raise ToolError("the desk is closed")

    @server.tool()
    async def report(context: Context[Any]) -> str:
        """Says how far it is before it answers."""
        await context.report_progress(1, 2, "half way")
        return "done"

    @server.tool()
    def surroundings() -> dict[str, Any]:
        return {"environment": dict(os.environ), "arguments": sys.argv[1:]}

    @server.prompt()
    def greeting(name: str) -> str:
        return f"Greet {name}."

    @server.resource("orders://open")
    def open_orders() -> str:
        return "A-1, A-2"

    @server.resource("orders://{number}")
    def one_order(number: str) -> str:
        return f"order {number}"

    return server


if __name__ == "__main__":
    make().run("stdio")
