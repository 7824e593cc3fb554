"""Which object store the settings name, and what they say where they name none."""

from __future__ import annotations

import sys

import pytest

from lowtide.clients.objects import ObjectPayloads, object_store
from lowtide.errors import Misconfigured


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/deep/prefix"])
def test_a_bucket_with_or_without_a_prefix_is_a_store(url: str) -> None:
    assert isinstance(object_store(url, "http://127.0.0.1:9", 1000), ObjectPayloads)


@pytest.mark.parametrize(
    "url", ["bucket", "s3:bucket", "s3://", "gs://bucket", "s3://bucket?region=eu", "http://s3/bucket"]
)
def test_anything_else_is_refused_with_what_is_expected(url: str) -> None:
    with pytest.raises(Misconfigured, match="s3://bucket or s3://bucket/prefix"):
        object_store(url, "", 1000)


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(Misconfigured, match=r"pip install 'lowtide\[s3\]'"):
        object_store("s3://bucket", "", 1000)
