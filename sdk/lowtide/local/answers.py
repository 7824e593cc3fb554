"""Answers of the platform's own HTTP endpoints."""

from __future__ import annotations

from aiohttp import web

from lowtide.model.base import JSON
from lowtide.wire import json, problem

__all__ = ["answer", "answer_problem"]


def answer(value: JSON, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.encode(value), content_type="application/json")


def answer_problem(document: dict[str, JSON]) -> web.Response:
    """``document`` is a problem document (:mod:`lowtide.wire.problem`); its status is the response's."""
    status = document["status"]
    assert isinstance(status, int)
    return web.Response(status=status, body=json.encode(document), headers=problem.headers(document))
