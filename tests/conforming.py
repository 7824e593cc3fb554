"""Whether an HTTP API answers as its OpenAPI document says, to requests that Schemathesis draws from that document.

Right and wrong ones alike: whatever is asked, the answer is no 5xx, and its status, media type and body are those that
the document tells of. ``LOWTIDE_API_EXAMPLES`` is the number of requests for each operation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import Session
from schemathesis.checks import CHECKS, load_all_checks

__all__ = ["conforms"]

_EXAMPLES: Final = int(os.environ.get("LOWTIDE_API_EXAMPLES", "2"))

load_all_checks()
_CHECKS: Final = CHECKS.get_by_names(
    ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)


def conforms(
    server: str, document: str, known: Mapping[str, Sequence[str]], headers: Mapping[str, str] | None = None
) -> list[str]:
    """Ask every operation of the API at ``server``, and say which ones, as ``GET /path``; those that delete at last.

    ``known`` has path parameters and values of theirs that exist, so that most questions are about something;
    ``headers`` are shown with each. Raises with a curl command where an answer is not as documented.
    """
    # A stream has no end to wait for.
    schema = schemathesis.openapi.from_url(f"{server}{document}").exclude(path_regex="/stream$")
    operations = sorted(map(_readable, schema.get_all_operations()), key=lambda one: one.method == "delete")
    with Session() as session:
        for operation in operations:
            _answers(
                operation, known, lambda case: case.call(base_url=server, session=session, headers=headers, timeout=30)
            )
    return [f"{operation.method.upper()} {operation.path}" for operation in operations]


def _readable(found: Any) -> Any:
    """An operation; an error where the document's description of it makes no sense."""
    return found.ok()


def _answers(operation: Any, known: Mapping[str, Sequence[str]], ask: Callable[[Any], Any]) -> None:
    there = st.fixed_dictionaries(
        {name: st.sampled_from(values) for name, values in known.items() if f"{{{name}}}" in operation.path}
    )

    @settings(
        max_examples=_EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), named=st.one_of(there, there, st.just({})))
    def answers_as_documented(case: Any, named: dict[str, str]) -> None:
        case.path_parameters = {**(case.path_parameters or {}), **named}
        if str((case.query or {}).get("wait", "")).endswith("s"):
            case.query["wait"] = "0.1s"  # most of what it would wait for never comes
        case.validate_response(ask(case), checks=_CHECKS)

    answers_as_documented()
