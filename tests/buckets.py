"""Buckets for tests: in memory, or in the S3-compatible store that ``LOWTIDE_TEST_S3_ENDPOINT`` names."""

from __future__ import annotations

import os
import uuid
from typing import Final

import httpx
from obstore.store import MemoryStore, ObjectStore, S3Store

__all__ = ["ENDPOINT", "bucket", "new_bucket"]

ENDPOINT: Final = os.environ.get("LOWTIDE_TEST_S3_ENDPOINT", "")


def bucket() -> ObjectStore:
    """A bucket that nobody else uses."""
    if not ENDPOINT:
        return MemoryStore()
    return S3Store(
        new_bucket(),
        endpoint=ENDPOINT,
        client_options={"allow_http": True},
        access_key_id="test",
        secret_access_key="test",
        region="us-east-1",
    )


def new_bucket() -> str:
    """The name of a new bucket at the endpoint."""
    name = f"lowtide-{uuid.uuid4().hex[:12]}"
    httpx.put(f"{ENDPOINT}/{name}").raise_for_status()
    return name
