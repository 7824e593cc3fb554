"""Calls of a service that wants a token of an authorization server."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.effects import EffectTable
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from lowtide.model.error import Error
from tests.authorities import Authority

__all__ = ["CLIENT", "call", "kind", "refused", "visit"]

CLIENT = {"id": "app", "secret": "app-secret"}


async def call(effects: EffectTable, server: Authority, scheme: str = "oauth2", **given: Any) -> Any:
    policy = {"authority": server.url, "grant": "client_credentials", "client": CLIENT, **given}
    return await visit(effects, server.service, {scheme: policy})


async def visit(effects: EffectTable, uri: str, policy: Any, **more: Any) -> Any:
    arguments = {"method": "get", "endpoint": {"uri": uri, "authentication": policy}, **more}
    return await effects.perform(Perform(id="x@1", call="http", arguments=arguments, reference="/do/0/x"), "e/x@1")


async def refused(effects: EffectTable, server: Authority, scheme: str = "oauth2", **given: Any) -> Error:
    with pytest.raises(TaskFailed) as failed:
        await call(effects, server, scheme, **given)
    return failed.value.error


def kind(error: Error) -> tuple[str, int]:
    return error.type.rpartition("/")[2], error.status
