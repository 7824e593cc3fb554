"""The API answers as its OpenAPI document says, whatever it is asked: of what there is and of what there is not."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.analytics.reports import Reports, answering

_TOKEN = "an-operator's-token-of-a-test"


@pytest.fixture(scope="module")
def api(store_url: str, analysts_url: str) -> Iterator[httpx.Client]:
    with answering(store_url, LOWTIDE_ANALYSTS_URL=analysts_url, LOWTIDE_OPERATOR_TOKEN=_TOKEN) as client:
        yield client


def test_every_answer_is_one_that_the_openapi_document_tells_of(api: httpx.Client, reports: Reports) -> None:
    from tests.conforming import conforms  # here, so that other tests need not pay for these imports

    execution = reports.execution(lasted=2.0, phase="faulted", error={"type": "about:blank", "status": 500})
    reports.fact(execution, "pay", "faulted", error={"status": "odd"})
    reports.log(execution, "hello", fields={"order": 1})
    reports.usage(execution, 1)
    known = {"namespace": ["shop"], "execution": [str(execution)]}
    asked = conforms(str(api.base_url), "/openapi.json", known, {"authorization": f"Bearer {_TOKEN}"})
    assert {"GET /v1/namespaces/{namespace}/executions", "POST /v1/namespaces/{namespace}/sql"} <= set(asked)
    assert {"GET /v1/reports/daily", "GET /v1/series/{measure}"} <= set(asked)
