"""How a container looks as a Kubernetes Job. Pure: an order in, manifests out.

Values of the document's variables and its stdin are in a Secret that the Job owns, never in the Job: to read Jobs is
allowed to more people than to read Secrets.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from lowtide.errors import TaskFailed
from lowtide.model.command import Container
from lowtide.model.container import Order
from lowtide.model.error import standard_error

__all__ = ["SELECTOR", "Limits", "job_of", "secret_of"]

SELECTOR: Final = "batch.kubernetes.io/job-name"

_PULLS: Final = {"ifNotPresent": "IfNotPresent", "always": "Always", "never": "Never"}
_MOUNT: Final = "/lowtide"
_WITH_STDIN: Final = f'exec /bin/sh -c "$0" sh "$@" < {_MOUNT}/stdin'
_LARGEST: Final = 1_000_000
_LEFT_BEHIND: Final = 86_400
"""Seconds after which Kubernetes removes a Job itself, should orchestrate never come to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where Jobs run and what each may use. ``memory`` and ``output`` in bytes."""

    namespace: str
    memory: int
    cpus: float
    user: int
    output: int


def job_of(order: Order, limits: Limits) -> dict[str, Any]:
    """Raises ``TaskFailed`` (``configuration``) where no Job can be what is ordered."""
    container = order.container
    labels = {"app.kubernetes.io/managed-by": "lowtide", "lowtide.dev/execution": order.execution}
    spec: dict[str, Any] = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": math.ceil(order.seconds),
        "template": {
            "metadata": {"labels": {**labels, "sidecar.istio.io/inject": "false"}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": limits.user,
                    "runAsGroup": limits.user,
                    "fsGroup": limits.user,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(order, limits)],
                "volumes": _volumes(order),
            },
        },
    }
    if container.cleanup != "never":
        spec["ttlSecondsAfterFinished"] = container.after // 1000 + _LEFT_BEHIND
    annotations = {"lowtide.dev/task": order.reference}
    if container.name is not None:
        annotations["lowtide.dev/name"] = container.name
    metadata = {"name": order.id, "namespace": limits.namespace, "labels": labels, "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def secret_of(order: Order, limits: Limits, job_uid: str) -> dict[str, Any] | None:
    """What the container is given, where it is given anything; it goes when the Job goes."""
    values = _values(order.container)
    if not values:
        return None
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": order.id, "uid": job_uid}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "immutable": True,
        "metadata": {"name": order.id, "namespace": limits.namespace, "ownerReferences": [owner]},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def _values(container: Container) -> dict[str, str]:
    values = {f"variable-{number}": value for number, value in enumerate(container.environment.values())}
    return {**values, "stdin": container.stdin} if container.stdin else values


def _container(order: Order, limits: Limits) -> dict[str, Any]:
    container = order.container
    if sum(len(value.encode()) for value in _values(container).values()) > _LARGEST:
        raise _impossible(f"`stdin` and `environment` together may have {_LARGEST} bytes here, they have more")
    resources = {"memory": str(limits.memory), "cpu": f"{round(limits.cpus * 1000)}m"}
    mounts = [{"name": name, "mountPath": path} for name, path in container.volumes.items()]
    if container.stdin:
        mounts.append({"name": "lowtide-stdin", "mountPath": _MOUNT})
    return {
        "name": _name(container.name),
        "image": container.image,
        "imagePullPolicy": _PULLS[container.pull],
        **_program(container),
        "env": [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": order.id, "key": f"variable-{number}"}}}
            for number, name in enumerate(container.environment)
        ],
        "ports": [{"containerPort": port} for port in sorted(set(container.ports.values()))],
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }


def _program(container: Container) -> dict[str, list[str]]:
    if container.command is None:
        if container.stdin:
            raise _impossible("`stdin` needs `command` here: a Job has no stdin, so a shell reads it from a file")
        return {"args": _literal(container.arguments)}
    if container.stdin:
        return {
            "command": ["/bin/sh", "-c", _WITH_STDIN],
            "args": _literal((container.command, *container.arguments)),
        }
    return {"command": ["/bin/sh", "-c"], "args": _literal((container.command, "sh", *container.arguments))}


def _literal(arguments: tuple[str, ...]) -> list[str]:
    """Kubernetes expands ``$(NAME)`` in arguments; ``$$`` is a dollar to it."""
    return [argument.replace("$(", "$$(") for argument in arguments]


def _volumes(order: Order) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in order.container.volumes
    ]
    if order.container.stdin:
        items = [{"key": "stdin", "path": "stdin"}]
        volumes.append({"name": "lowtide-stdin", "secret": {"secretName": order.id, "items": items}})
    return volumes


def _name(wanted: str | None) -> str:
    """The document's name as a DNS label; ``main`` where nothing is left of it."""
    return re.sub(r"[^a-z0-9-]+", "-", (wanted or "").lower())[:63].strip("-") or "main"


def _impossible(what: str) -> TaskFailed:
    return TaskFailed(standard_error("configuration", f"`run.container`: {what}"))
