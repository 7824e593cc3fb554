"""Execute with an object store: large data goes there, and ingest keeps nothing but references."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lowtide.model.base import Millis
from lowtide.model.command import Sleep
from lowtide.model.event import TimerFired
from lowtide.wire.json import decode
from lowtide.wire.types import Ended, Parked, Wake
from tests.buckets import ENDPOINT, new_bucket
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import order
from tests.integration.execute.test_large_data import WAIT
from tests.ports import free_port

pytestmark = pytest.mark.skipif(
    not ENDPOINT, reason="no object store: `make test-aws` runs this on moto and LocalStack"
)

_MIB = 1024 * 1024


@pytest.mark.parametrize("prefix", ["", "/deep/inside"])
def test_object_store_a_state_of_20_megabytes_is_parked_there_and_goes_on(
    run_execute: Any, ingest: IngestProcess, prefix: str
) -> None:
    execute = run_execute(payloads=f"s3://{new_bucket()}{prefix}", payloads_endpoint=ENDPOINT)
    what = order(WAIT, {"blob": "x" * (21 * _MIB)})
    parked = decode(execute.deliver(what, timeout=60).content, Parked)
    assert parked.snapshot.payload is not None
    assert parked.snapshot.payload.size > 20 * _MIB
    sleep = next(command for command in parked.commands if isinstance(command, Sleep))
    fired = Wake(key="t", event=TimerFired(command=sleep.id, at=Millis(sleep.until)))
    later = order(WAIT, execution=what.execution, epoch=2, snapshot=parked.snapshot, wakes=(fired,))
    ended = decode(execute.deliver(later, timeout=60).content, Ended)
    assert ended.payload is not None
    assert ended.payload.size > 20 * _MIB
    with psycopg.connect(ingest.stores.journal) as connection:
        query = "SELECT count(*) FROM payloads WHERE execution = %s"
        assert connection.execute(query, [what.execution]).fetchone() == (0,)


def test_object_store_without_its_bucket_the_dispatch_comes_again_and_the_reason_is_told(run_execute: Any) -> None:
    execute = run_execute(payloads="s3://lowtide-no-such-bucket", payloads_endpoint=ENDPOINT)
    response = execute.deliver(order(WAIT, {"blob": "x" * _MIB}), timeout=60)
    assert response.status_code == 503
    assert "the object store of large data cannot be asked" in response.json()["detail"]
    assert "NoSuchBucket" in response.json()["detail"]


def test_object_store_while_it_is_down_the_dispatch_comes_again(run_execute: Any) -> None:
    execute = run_execute(payloads="s3://anywhere", payloads_endpoint=f"http://127.0.0.1:{free_port()}")
    response = execute.deliver(order(WAIT, {"blob": "x" * _MIB}), timeout=60)
    assert response.status_code == 503
    assert "the object store of large data cannot be asked" in response.json()["detail"]


def test_object_store_without_its_bucket_a_state_is_not_taken_for_lost(run_execute: Any) -> None:
    bucket = new_bucket()
    what = order(WAIT, {"blob": "x" * _MIB})
    first = run_execute(payloads=f"s3://{bucket}", payloads_endpoint=ENDPOINT)
    parked = decode(first.deliver(what, timeout=60).content, Parked)
    later = order(WAIT, execution=what.execution, epoch=2, snapshot=parked.snapshot)
    mistaken = run_execute(payloads="s3://lowtide-no-such-bucket", payloads_endpoint=ENDPOINT)
    assert mistaken.deliver(later, timeout=60).status_code == 503
    emptied = run_execute(payloads=f"s3://{bucket}/elsewhere", payloads_endpoint=ENDPOINT)
    assert emptied.deliver(later, timeout=60).json()["code"] == "payload.lost"
