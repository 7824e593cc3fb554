"""The ``Containers`` port on Kubernetes: one Job each, found again by its name.

The official client is imported when the first container is run: it takes longer than the rest of the process.
"""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lowtide.effects.container import may_run
from lowtide.errors import InvalidInput, TaskFailed, Unavailable
from lowtide.model.base import JSON
from lowtide.model.container import Order, Seen
from lowtide.model.error import standard_error
from lowtide.wire import json

from .job import SELECTOR, Limits, job_of, secret_of
from .pod import newest, seen_of

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

__all__ = ["Jobs"]

_TIMEOUT: Final = 15.0
_LATER: Final = (401, 403, 408, 429)
"""Statuses that may pass: a token is renewed, rights are granted, a quota is free again."""


class Jobs:
    """``kubeconfig``: a file that says where the API is; without it the pod's own service account."""

    def __init__(self, limits: Limits, *, allowed: bool, kubeconfig: Path | None = None) -> None:
        self._limits = limits
        self._allowed = allowed
        self._kubeconfig = kubeconfig
        self._client: ApiClient | None = None
        self._connecting = asyncio.Lock()
        self._split = True

    async def start(self, order: Order) -> None:
        may_run(self._allowed)
        job = job_of(order, self._limits)
        status, made = await self._ask("POST", self._jobs(), body=job)
        if status == 409:
            status, made = await self._ask("GET", self._jobs(order.id))
        if status >= 300:
            raise TaskFailed(standard_error("configuration", f"Kubernetes refuses the container: {_message(made)}"))
        secret = secret_of(order, self._limits, made["metadata"]["uid"])
        if secret is not None:
            status, answer = await self._ask("POST", f"{self._core}/secrets", body=secret)
            if status >= 300 and status != 409:
                raise TaskFailed(standard_error("configuration", f"Kubernetes refuses the Secret: {_message(answer)}"))

    async def look(self, container: str) -> Seen:
        status, job = await self._ask("GET", self._jobs(container))
        if status == 404:
            return Seen("gone", problem="its Job is not there any more")
        return seen_of(job, await self._pod(container))

    async def logs(self, container: str) -> tuple[str, str]:
        """Where the cluster keeps the two streams apart (feature PodLogsQuerySplitStreams) they are told apart; else
        stdout holds both, as Kubernetes mixes them, and stderr is empty."""
        pod = await self._pod(container)
        if pod is None:
            raise TaskFailed(
                standard_error("runtime", "nothing is left of the container: its pod is not there any more")
            )
        name = pod["metadata"]["name"]
        if self._split:
            stdout, stderr = await self._log(name, "Stdout"), await self._log(name, "Stderr")
            if stdout is not None and stderr is not None:
                return stdout, stderr
            self._split = False
        return await self._log(name, None) or "", ""

    async def _log(self, pod: str, stream: str | None) -> str | None:
        """``None`` where this cluster does not know streams."""
        most = self._limits.output
        query = [("limitBytes", str(most + 1)), *([("stream", stream)] if stream else [])]
        status, body = await self._raw("GET", f"{self._core}/pods/{pod}/log", query=query)
        if status in (400, 422) and stream is not None:
            return None
        if status >= 300:
            raise Unavailable(f"Kubernetes does not give the container's output: {_message(_parsed(body))}")
        if len(body) > most:
            raise TaskFailed(standard_error("runtime", f"the container wrote more than {most} bytes"))
        return body.decode(errors="replace")

    async def end(self, container: str) -> None:
        """Deleted with its pod, whose process is given the usual time to end."""
        await self._ask("DELETE", self._jobs(container), query=[("propagationPolicy", "Background")])

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def _pod(self, container: str) -> dict[str, Any] | None:
        selector = [("labelSelector", f"{SELECTOR}={container}")]
        _, listed = await self._ask("GET", f"{self._core}/pods", query=selector)
        return newest(listed.get("items") or [])

    @property
    def _core(self) -> str:
        return f"/api/v1/namespaces/{self._limits.namespace}"

    def _jobs(self, name: str = "") -> str:
        return f"/apis/batch/v1/namespaces/{self._limits.namespace}/jobs{'/' + name if name else ''}"

    # ------------------------------------------------------------ the API

    async def _ask(
        self, method: str, path: str, *, query: list[tuple[str, str]] | None = None, body: JSON = None
    ) -> Any:
        """Status and JSON of an answer that says something about the container: success, 404, 409 or a refusal."""
        status, answer = await self._raw(method, path, query=query, body=body)
        return status, _parsed(answer)

    async def _raw(
        self, method: str, path: str, *, query: list[tuple[str, str]] | None = None, body: JSON = None
    ) -> tuple[int, bytes]:
        import aiohttp

        client = await self._connected()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            request = await client.param_serialize(
                method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await client.call_api(*request, _request_timeout=_TIMEOUT)
            answer: bytes = await response.read()  # type: ignore[no-untyped-call]
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise Unavailable(f"Kubernetes cannot be reached: {type(error).__name__}: {error}") from error
        if response.status in _LATER or response.status >= 500:
            raise Unavailable(f"Kubernetes answers {response.status}: {_message(_parsed(answer))}")
        return response.status, answer

    async def _connected(self) -> ApiClient:
        async with self._connecting:
            if self._client is None:
                if importlib.util.find_spec("kubernetes") is None:
                    detail = "containers on Kubernetes need its client; install lowtide[orchestrate]"
                    raise TaskFailed(standard_error("configuration", detail))
                await asyncio.to_thread(importlib.import_module, "kubernetes.aio.config")
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> ApiClient:
        from kubernetes.aio import client, config

        settings = client.Configuration()
        try:
            if self._kubeconfig is not None:
                await config.load_kube_config(str(self._kubeconfig), client_configuration=settings)  # type: ignore[no-untyped-call]
            else:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise Unavailable(f"Kubernetes is not configured here: {error}") from error
        return client.ApiClient(settings)


def _parsed(answer: bytes) -> Any:
    try:
        return json.parse(answer)
    except InvalidInput:
        return {"message": answer.decode(errors="replace")[:500]}


def _message(answer: Any) -> str:
    return str(answer.get("message") or answer) if isinstance(answer, dict) else str(answer)
