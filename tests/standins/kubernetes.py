"""A stand-in for the Kubernetes API over real HTTP: Jobs, Secrets, pods and their logs, with processes that really run.

It keeps to what a cluster of version 1.34 answers, as far as Lowtide asks. Tests bend it: ``down``, ``refuse``, or a
pod's status set by hand.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.eventually import eventually
from tests.standins.docker import IMAGES

__all__ = ["Cluster", "cluster"]


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.down = False
        self.streams = True
        self.refuse: tuple[int, str] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    # ------------------------------------------------------------ the API

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if request.headers.get("authorization") != "Bearer a-token":
            return _status(401, "Unauthorized")
        if self.down:
            return _status(503, "the server is currently unable to handle the request")
        body: dict[str, Any] = await request.json() if request.can_read_body else {}
        what = request.path.partition("/namespaces/")[2].split("/")[1]
        name = request.path.rpartition("/")[2]
        match request.method, what:
            case "POST", "jobs":
                return self._make_job(body)
            case "POST", "secrets":
                return self._make_secret(body)
            case "GET", "jobs":
                return _json(self.jobs[name]) if name in self.jobs else _status(404, f'jobs.batch "{name}" not found')
            case "DELETE", "jobs":
                return self._delete(name)
            case "GET", "pods" if name == "log":
                return self._log(request)
            case "GET", "pods":
                _, _, job = request.query["labelSelector"].partition("=")
                return _json({"items": [pod for pod in self.pods.values() if pod["metadata"]["job"] == job]})
        return _status(404, f"{request.method} {request.path} is not known here")

    def _make_job(self, job: dict[str, Any]) -> web.Response:
        if self.refuse is not None:
            return _status(*self.refuse)
        name = job["metadata"]["name"]
        if name in self.jobs:
            return _status(409, f'jobs.batch "{name}" already exists')
        job["metadata"]["uid"] = str(uuid.uuid4())
        self.jobs[name] = {**job, "status": {}}
        self._tasks[name] = asyncio.create_task(self._run(name))
        return _json(self.jobs[name], 201)

    def _make_secret(self, secret: dict[str, Any]) -> web.Response:
        name = secret["metadata"]["name"]
        if name in self.secrets:
            return _status(409, f'secrets "{name}" already exists')
        self.secrets[name] = secret
        return _json(secret, 201)

    def _delete(self, name: str) -> web.Response:
        if self.jobs.pop(name, None) is None:
            return _status(404, f'jobs.batch "{name}" not found')
        self._tasks.pop(name).cancel()
        self.secrets.pop(name, None)  # its owner is gone
        self.pods.pop(name, None)
        return _json({"status": "Success"})

    def _log(self, request: web.Request) -> web.Response:
        name = request.path.split("/")[-2].removesuffix("-pod")
        stream, most = request.query.get("stream"), int(request.query["limitBytes"])
        if stream is not None and not self.streams:
            return _status(422, "stream: Forbidden: may not be specified")
        parts = {"Stdout": ["stdout"], "Stderr": ["stderr"]}.get(stream or "", ["stdout", "stderr"])
        text = b"".join((self.folder / name / part).read_bytes() for part in parts)
        return web.Response(body=text[:most], content_type="text/plain")

    # ------------------------------------------------------------ its controllers and its kubelet

    async def _run(self, name: str) -> None:
        job = self.jobs[name]
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        pod: dict[str, Any] = {
            "metadata": {"name": f"{name}-pod", "job": name, "creationTimestamp": datetime.now(UTC).isoformat()},
            "status": {"phase": "Pending"},
        }
        self.pods[name] = pod
        if container["image"] not in IMAGES:
            message = f'Back-off pulling image "{container["image"]}"'
            state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            pod["status"] = {"phase": "Pending", "containerStatuses": [{"state": state}]}
            return
        async for attempt in eventually():
            with attempt:
                assert name in self.secrets or not self._needs_secret(spec, container)
        code = await self._process(name, container, pod, job["spec"]["activeDeadlineSeconds"])
        if code is None:
            del self.pods[name]
            failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
            job["status"] = {"conditions": [failed]}
            return
        terminated = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
        pod["status"] = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"state": {"terminated": terminated}}],
        }

    def _needs_secret(self, spec: dict[str, Any], container: dict[str, Any]) -> bool:
        return bool(container["env"]) or any("secret" in volume for volume in spec["volumes"])

    async def _process(self, name: str, container: dict[str, Any], pod: dict[str, Any], seconds: int) -> int | None:
        folder = self.folder / name
        folder.mkdir()
        data = {key: base64.b64decode(value) for key, value in self.secrets.get(name, {}).get("data", {}).items()}
        (folder / "stdin").write_bytes(data.get("stdin", b""))
        command = container.get("command", ["/bin/sh", "-c", IMAGES[container["image"]], container["image"]])
        argv = [one.replace("$$(", "$(").replace("/lowtide/", f"{folder}/") for one in [*command, *container["args"]]]
        environment = {one["name"]: data[one["valueFrom"]["secretKeyRef"]["key"]].decode() for one in container["env"]}
        running = _spawn(argv, environment, folder)
        state: dict[str, Any] = {"running": {}}
        pod["status"] = {"phase": "Running", "containerStatuses": [{"state": state}]}
        try:
            async for attempt in eventually(seconds):
                with attempt:
                    assert running.poll() is not None
        except AssertionError:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        return running.returncode

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@contextlib.asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder:
        made = Cluster(Path(folder))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", made.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        named = {"name": "standin"}
        made.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "standin",
                    "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                    "users": [{**named, "user": {"token": "a-token"}}],
                    "contexts": [{**named, "context": {"cluster": "standin", "user": "standin"}}],
                }
            )
        )
        try:
            yield made
        finally:
            await made.close()
            await runner.cleanup()


def _spawn(argv: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        null = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=null, stdout=out, stderr=err, env=environment, start_new_session=True)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _status(code: int, message: str) -> web.Response:
    return _json({"kind": "Status", "status": "Failure", "message": message, "code": code}, code)
