"""What became of a container, read from its Job and its pod. Pure.

The Job is asked first: its deadline removes the pod. Then the pod: only it knows the exit code.
"""

from __future__ import annotations

from typing import Any, Final

from lowtide.model.container import Seen

__all__ = ["newest", "seen_of"]

_STARTING: Final = ("ContainerCreating", "PodInitializing")


def newest(pods: list[dict[str, Any]]) -> dict[str, Any] | None:
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def seen_of(job: dict[str, Any], pod: dict[str, Any] | None) -> Seen:
    failed = _condition(job, "Failed")
    if failed is not None and failed.get("reason") == "DeadlineExceeded":
        return Seen("late")
    if pod is None:
        if failed is None:
            return Seen("starting")
        return Seen("gone", problem=_told(failed))
    status = pod.get("status") or {}
    state = next((one.get("state") or {} for one in status.get("containerStatuses") or []), {})
    match status.get("phase"):
        case "Succeeded" | "Failed":
            return _ended(status, state.get("terminated"))
        case "Running":
            return Seen("running")
        case _:
            return Seen("starting", problem=_why_not(pod, state))


def _ended(status: dict[str, Any], terminated: dict[str, Any] | None) -> Seen:
    if status.get("reason") is not None or terminated is None:
        return Seen("gone", problem=_told(status))  # evicted, or its node is lost: the exit code is the node's doing
    memory = terminated.get("reason") == "OOMKilled"
    problem = "it needed more memory than it may have" if memory else ""
    return Seen("ended", code=int(terminated.get("exitCode") or 0), problem=problem)


def _why_not(pod: dict[str, Any], state: dict[str, Any]) -> str:
    waiting = state.get("waiting")
    if waiting is not None:
        return "" if waiting.get("reason") in _STARTING else _told(waiting)
    scheduled = _condition(pod, "PodScheduled", "False")
    return "" if scheduled is None else _told(scheduled)


def _condition(thing: dict[str, Any], kind: str, status: str = "True") -> dict[str, Any] | None:
    found = (thing.get("status") or {}).get("conditions") or []
    return next((one for one in found if one.get("type") == kind and one.get("status") == status), None)


def _told(what: dict[str, Any]) -> str:
    reason, message = what.get("reason") or "", what.get("message") or ""
    return ": ".join(part for part in (reason, message) if part) or "Kubernetes does not say why"
