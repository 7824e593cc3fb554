"""What answers look like: for the OpenAPI document. Rows become JSON without passing through these."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

__all__ = [
    "EXECUTION",
    "DeadLetter",
    "DeadLetterPage",
    "Execution",
    "ExecutionPage",
    "Explanation",
    "JournalPage",
    "Limits",
    "Operation",
    "OperationPage",
    "Paused",
    "Problem",
    "Validation",
    "Workflow",
    "WorkflowPage",
    "problems",
    "show_problems",
]


def _example(**members: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": members})


class Problem(BaseModel):
    """RFC 9457."""

    model_config = _example(
        type="urn:lowtide:problem:not_found",
        title="There is no such thing",
        status=404,
        detail="there is no workflow shop/greet",
        code="not_found",
    )
    type: str
    title: str
    status: int
    detail: str = ""
    code: str


_WORKFLOW: Final[dict[str, Any]] = {
    "namespace": "shop",
    "name": "greet",
    "version": "1.0.0",
    "createdAt": "2026-11-23T09:30:00.000Z",
    "paused": None,
    "ramp": None,
}

EXECUTION: Final[dict[str, Any]] = {
    "id": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
    "namespace": "shop",
    "workflow": "greet",
    "version": "1.0.0",
    "phase": "completed",
    "epoch": 1,
    "createdAt": "2026-11-23T09:30:00.000Z",
    "startedAt": "2026-11-23T09:30:00.021Z",
    "endedAt": "2026-11-23T09:30:00.089Z",
    "parent": None,
    "origin": None,
    "input": {"name": "Ada"},
    "output": {"greeting": "Hello Ada"},
    "error": None,
    "reason": None,
    "waitingFor": [],
}


class Workflow(BaseModel):
    model_config = _example(**_WORKFLOW, warnings=[])
    namespace: str
    name: str
    version: str
    createdAt: str
    paused: dict[str, Any] | None = None
    ramp: float | None = None
    warnings: list[dict[str, Any]] = []
    source: str | None = None
    definition: dict[str, Any] | None = None


class WorkflowPage(BaseModel):
    model_config = _example(items=[_WORKFLOW], next=None)
    items: list[Workflow]
    next: str | None


class Paused(BaseModel):
    model_config = _example(
        namespace="shop",
        workflow="greet",
        paused={"since": "2026-11-23T09:30:00.000Z", "reason": "the warehouse is down", "by": "workflow"},
        ramp=None,
        waiting=17,
    )
    namespace: str
    workflow: str | None
    paused: dict[str, Any] | None
    ramp: float | None
    waiting: int


class Limits(BaseModel):
    model_config = _example(
        limits={"concurrency": {"limit": 5, "key": ".customer"}, "queue": 1000}, by="operator", waiting=3
    )
    limits: dict[str, Any] | None
    by: str | None
    waiting: int


class Execution(BaseModel):
    model_config = _example(**EXECUTION)
    id: str
    namespace: str
    workflow: str
    version: str
    phase: str
    epoch: int
    createdAt: str
    startedAt: str | None
    endedAt: str | None
    parent: str | None
    origin: dict[str, Any] | None = None
    input: Any = None
    output: Any = None
    error: Any = None
    reason: str | None = None
    waitingFor: list[dict[str, Any]] = []


class Explanation(BaseModel):
    model_config = _example(
        execution="0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
        phase="waiting",
        since="2026-11-23T09:30:00.120Z",
        sentences=[
            "It waits for one thing. No process runs for it meanwhile.",
            '/do/1/paid listens for one of: type com.example.payment.received, order equal to "A-17".',
        ],
        waits=[
            {
                "command": "/do/1/paid@1.2",
                "task": "/do/1/paid",
                "since": "2026-11-23T09:30:00.120Z",
                "arrived": 0,
                "kind": "events",
                "need": "any",
                "listeningSince": "2026-11-23T09:30:00.125Z",
                "consumed": 0,
                "filters": [
                    {
                        "index": 0,
                        "with": {"type": "com.example.payment.received"},
                        "expressions": {},
                        "correlate": {"order": "A-17"},
                        "matched": False,
                    }
                ],
                "sentence": '/do/1/paid listens for one of: type com.example.payment.received, order equal to "A-17".',
            }
        ],
        arrived=[],
        dispatch=None,
    )
    execution: str
    phase: str
    since: str | None
    sentences: list[str]
    waits: list[dict[str, Any]]
    arrived: list[dict[str, Any]]
    dispatch: dict[str, Any] | None


class ExecutionPage(BaseModel):
    model_config = _example(items=[EXECUTION], next="MDE5OGYzYTI")
    items: list[Execution]
    next: str | None


_OPERATION: Final[dict[str, Any]] = {
    "id": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
    "namespace": "shop",
    "action": "retry",
    "filter": {"workflow": "fulfil-order", "phases": ["faulted"], "errorType": "communication"},
    "rate": 5.0,
    "phase": "running",
    "matched": 42,
    "done": 17,
    "skipped": 0,
    "failed": 1,
    "problems": [{"id": "0198f3a1-1c2d-7000-8000-5a6b7c8d9e0f", "code": "conflict", "detail": "it was retried as …"}],
    "createdAt": "2026-11-23T09:30:00.000Z",
    "endedAt": None,
}


class Operation(BaseModel):
    """``skipped`` were not meant any more when it came to them; of those that failed the newest are told."""

    model_config = _example(**_OPERATION)
    id: str
    namespace: str
    action: str
    filter: dict[str, Any]
    reason: str | None = None
    version: str | None = None
    rate: float
    phase: str
    matched: int
    done: int
    skipped: int
    failed: int
    problems: list[dict[str, Any]]
    createdAt: str
    endedAt: str | None


class OperationPage(BaseModel):
    model_config = _example(items=[_OPERATION], next=None)
    items: list[Operation]
    next: str | None


_DEAD_LETTER: Final[dict[str, Any]] = {
    "id": "17",
    "namespace": "shop",
    "execution": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
    "epoch": 2,
    "type": "dev.lowtide.execution.dispatch.v1",
    "source": "/lowtide/shop/greet",
    "eventId": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f:2",
    "code": "400",
    "detail": "the journal ends before record 7",
    "verdict": "suspended",
    "open": True,
    "redrives": 0,
    "at": "2026-11-23T09:30:00.000Z",
    "settledAt": None,
}


class DeadLetter(BaseModel):
    model_config = _example(**_DEAD_LETTER, event=None)
    id: str
    namespace: str | None
    execution: str | None
    epoch: int | None
    type: str
    source: str
    eventId: str
    code: str | None
    detail: str | None
    verdict: str
    open: bool
    redrives: int
    at: str
    settledAt: str | None
    event: dict[str, Any] | None = None


class DeadLetterPage(BaseModel):
    model_config = _example(items=[_DEAD_LETTER], next=None)
    items: list[DeadLetter]
    next: str | None


class JournalPage(BaseModel):
    model_config = _example(
        items=[
            {
                "number": 1,
                "epoch": 1,
                "entry": {
                    "turn": 1,
                    "event": {"kind": "succeeded", "at": 1790000000000, "command": "/do/0/price@1.1", "output": 3},
                },
            }
        ],
        next=None,
        plan={"name": "greet", "do": []},
        seed={"execution": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f", "input": {"name": "Ada"}, "at": 1790000000000},
    )
    items: list[dict[str, Any]]
    next: str | None
    plan: dict[str, Any] | None = None
    seed: dict[str, Any] | None = None


class Validation(BaseModel):
    model_config = _example(
        valid=False,
        problems=[
            {"line": 7, "column": 5, "severity": "error", "message": "unknown task", "mend": "did you mean set?"}
        ],
    )
    valid: bool
    problems: list[dict[str, Any]]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI of the errors that a route may answer, besides 400, 404, 413, 500 and 503, which all may.

    404 is said of a namespace too, wherever its name is none.

    They name :class:`Problem` by reference (see :func:`show_problems`): as a ``model`` it would be built for each anew.
    """
    shown = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {
        status: {**shown, "description": _MEANING[status]} for status in sorted({400, 404, 413, 500, 503, *statuses})
    }


def show_problems(app: FastAPI) -> None:
    """Let the app's OpenAPI document have :class:`Problem` among its schemas."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]


_MEANING: Final = {
    400: "The request is wrong",
    403: "The event was not written by this installation",
    404: "There is no such thing",
    409: "It conflicts with what exists",
    410: "It comes too late: its time is over, or nobody waits for it any more",
    413: "The body is too large",
    415: "The content type is not taken here",
    429: "The workflow has reached its limits: `retryAfter` says in how many seconds to try again",
    422: "The document has mistakes: `problems` lists them; or an answer does not fit: `errors` lists why",
    500: "A defect of ours",
    503: "The control store cannot be used now; try again",
}
