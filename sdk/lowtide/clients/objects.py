"""Large data in an S3-compatible object store: ``{prefix}/{namespace}/{execution}/{sha256}`` (extra ``lowtide[s3]``).

Credentials and region come from where AWS's own tools find them: ``AWS_ACCESS_KEY_ID`` and its like, a web identity,
the machine's metadata.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from lowtide.errors import Misconfigured, PayloadLost, TooLarge, Unavailable
from lowtide.model.base import ExecutionId
from lowtide.wire.claims import Payload, payload_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["ObjectPayloads", "object_store"]

_SECONDS: Final = 15.0
"""For one request, and for all repetitions of it."""

_CODE: Final = re.compile("<Code>([A-Za-z]+)</Code>")
"""How S3 says what is wrong."""


def object_store(url: str, endpoint: str, largest: int) -> ObjectPayloads:
    """The store at ``s3://bucket/prefix``, on Amazon or at ``endpoint``; nothing is asked of it yet.

    Raises :class:`lowtide.errors.Misconfigured` where the URL is no such URL or the library is not there.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise Misconfigured(f"LOWTIDE_PAYLOADS={url!r}: expected s3://bucket or s3://bucket/prefix, or nothing")
    try:
        from obstore.store import S3Store
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"LOWTIDE_PAYLOADS={url} needs the library obstore; install it with: pip install 'lowtide[s3]'"
        ) from error
    bucket = S3Store(
        parts.netloc,
        endpoint=endpoint or None,
        client_options={"allow_http": endpoint.startswith("http:"), "timeout": timedelta(seconds=_SECONDS)},
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=_SECONDS)},
    )
    return ObjectPayloads(bucket, parts.path.strip("/"), largest)


class ObjectPayloads:
    """Implements :class:`lowtide.runtime.ports.Payloads`. ``largest``: bytes that one payload may have."""

    def __init__(self, bucket: ObjectStore, prefix: str, largest: int) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._largest = largest

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        from obstore import put_async

        if len(content) > self._largest:
            raise TooLarge(
                f"a payload may have {self._largest} bytes, not {len(content)}; LOWTIDE_MAX_PAYLOAD_BYTES is the limit"
            )
        payload = payload_of(content)
        # Whoever puts the same again writes the same bytes under the same name.
        async with _asking():
            await put_async(self._bucket, f"{self._folder(namespace, execution)}/{payload.sha256}", content)
        return payload

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        from obstore import get_async

        async with _asking(f"execution {execution} has no payload {payload.sha256} in namespace {namespace}"):
            found = await get_async(self._bucket, f"{self._folder(namespace, execution)}/{payload.sha256}")
            content = bytes(await found.bytes_async())
        if payload_of(content) != payload:
            raise PayloadLost(f"payload {payload.sha256} of execution {execution} came back with other content")
        return content

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        from obstore import delete_async
        from obstore import list as list_all

        folder = self._folder(namespace, execution)
        async with _asking():
            if digests is None:
                async for page in list_all(self._bucket, f"{folder}/"):
                    await delete_async(self._bucket, [found["path"] for found in page])
            for digest in digests or ():
                try:
                    await delete_async(self._bucket, f"{folder}/{digest}")
                except FileNotFoundError:
                    continue  # it was dropped before

    def _folder(self, namespace: str, execution: ExecutionId) -> str:
        return "/".join(part for part in (self._prefix, quote(namespace, safe=""), execution) if part)


@asynccontextmanager
async def _asking(missing: str = "") -> AsyncIterator[None]:
    """Our errors for the library's. ``missing`` says what it means that there is no such object."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        code = _CODE.search(str(error))
        reason = code[1] if code else " ".join(str(error).split())[:300]
        if missing and isinstance(error, FileNotFoundError) and reason != "NoSuchBucket":
            raise PayloadLost(missing) from error
        raise Unavailable(f"the object store of large data cannot be asked: {reason}") from error
