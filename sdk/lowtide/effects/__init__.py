"""The only code that talks to the world on a workflow's behalf: one file per call kind, ``auth/`` one per scheme.

``table``    which effect performs which call; :func:`build` puts the usual one together
``http``     ``call: http``
``content``  bodies <-> JSON by content type
``openapi``  ``call: openapi``, a folder: documents, parameters, servers, security
``asyncapi`` ``call: asyncapi``, a folder: documents, messages, subscriptions, one file per protocol
``grpc``     ``call: grpc``; ``grpc_address`` finds the service, ``proto`` compiles what describes it
``mcp``      ``call: mcp``; ``mcp_http`` and ``mcp_stdio`` are its transports, ``mcp_requests`` what servers ask
``a2a``      ``call: a2a``; ``agent_card`` says where an agent is
``shell``    ``run: shell``
``script``   ``run: script``; ``process`` is what both have in common
``container``  ``run: container`` by Docker or Podman; on Kubernetes they are Jobs (``functions/orchestrate``)

``workshop`` makes what only some workflows need, when it is first wanted
``documents``  documents that describe services, and the references in them
``structured`` reads documents of other standards, JSON or YAML
``outside``  what documents refer to, fetched before they run: never a part of execute
``resource`` external resources: proto files, agent cards, scripts
``web``      HTTP below other protocols
``jsonrpc``  JSON-RPC over HTTP, its answers as server-sent events too: what MCP and A2A are made of
``child``    processes that a workflow starts, and their limits
``address``  which addresses a workflow may reach
"""

from lowtide.effects.table import EffectTable, build

__all__ = ["EffectTable", "build"]
