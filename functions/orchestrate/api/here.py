"""The service behind a request: routes are built once, whatever the number of applications in the process."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ..service import Service

__all__ = ["Here", "service_of"]


def service_of(request: Request) -> Service:
    """That of the application which got the request."""
    service: Service = request.app.state.service
    return service


async def _here(request: Request) -> Service:
    return service_of(request)  # FastAPI calls what is not async in a thread


Here = Annotated[Service, Depends(_here)]
"""A parameter of an endpoint: the service that answers."""
