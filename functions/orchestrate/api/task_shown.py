"""A human task as JSON, and what that looks like in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from lowtide.model.base import JSON
from lowtide.wire import json

from ..nouns import moment
from ..store.asks import Asked
from ..work import Desk
from .pages import time_text

__all__ = ["HumanTask", "HumanTaskPage", "shown", "summary"]

_SUMMARY: Final[dict[str, Any]] = {
    "id": "42",
    "namespace": "shop",
    "workflow": "refund",
    "execution": "0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f",
    "task": "/do/1/approve",
    "title": "Approve the refund of order A-17",
    "status": "open",
    "assignee": {"group": "finance"},
    "claimedBy": "ann",
    "claimedAt": "2026-11-23T10:00:00.000Z",
    "deadline": "2026-11-25T09:30:00.000Z",
    "createdAt": "2026-11-23T09:30:00.000Z",
    "endedAt": None,
    "completedBy": None,
}


class HumanTask(BaseModel):
    """``form`` is the JSON Schema of the answer, ``data`` what the person is shown, ``answer`` what was answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SUMMARY,
                "description": "It is above 100 EUR.",
                "form": {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}},
                "data": {"order": "A-17", "amount": 250},
                "escalation": [{"at": "2026-11-24T09:30:00.000Z", "assignee": {"group": "managers"}}],
                "answer": None,
            }
        }
    )
    id: str
    namespace: str
    workflow: str
    execution: str
    task: str
    title: str
    status: str
    assignee: dict[str, str]
    claimedBy: str | None
    claimedAt: str | None
    deadline: str | None
    createdAt: str
    endedAt: str | None
    completedBy: str | None
    description: str = ""
    form: Any = None
    data: Any = None
    escalation: list[dict[str, Any]] = []
    answer: Any = None


class HumanTaskPage(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [_SUMMARY], "next": None}})
    items: list[HumanTask]
    next: str | None


async def summary(desk: Desk, row: Asked) -> dict[str, JSON]:
    """Without its data."""
    mask = await desk.mask(row.workflow_version)
    return dict(mask.json(_summary(row)))


async def shown(desk: Desk, row: Asked) -> dict[str, JSON]:
    mask, task = await desk.mask(row.workflow_version), row.ask.task
    assert task is not None
    steps = [
        {"at": time_text(moment(step.at)), "assignee": _assignee(step.assignee)}  # as the document says it
        for step in task.escalation
    ]
    more = {"description": task.description, "form": task.form, "data": task.data, "escalation": steps}
    answer = json.parse(row.answer).get("data") if row.answer else None
    return dict(mask.json({**_summary(row), **more, "answer": answer}))


def _summary(row: Asked) -> dict[str, JSON]:
    return {
        "id": str(row.id),
        "namespace": row.namespace,
        "workflow": row.workflow,
        "execution": row.execution,
        "task": row.commands[0].rpartition("@")[0],
        "title": row.title,
        "status": row.status,
        "assignee": _assignee(str(row.assignee)),
        "claimedBy": row.claimed_by,
        "claimedAt": time_text(row.claimed_at),
        "deadline": time_text(row.due),
        "createdAt": time_text(row.created_at),
        "endedAt": time_text(row.ended_at),
        "completedBy": row.answered_by,
    }


def _assignee(text: str) -> dict[str, str]:
    kind, _, name = text.partition(":")
    return {kind: name}
