"""``.proto`` resources -> descriptors: fetched with what they import, compiled by protoc, kept by content."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import sys
import tempfile
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from lowtide.effects import child
from lowtide.effects.resource import Resource, Resources, beside
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["Compiled", "Protos"]

_IMPORT: Final = re.compile(r'(?:^|;)\s*import\s+(?:public\s+|weak\s+|option\s+)?["\']([^"\']+)["\']\s*;', re.MULTILINE)
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MOST_FILES: Final = 100
_KEPT: Final = 32
_LIMITS: Final = child.Limits(seconds=20.0, memory=512 * 1024 * 1024, output=64 * 1024)


class Compiled(Value, frozen=True):
    """``services`` are the full names of those that the resource itself declares."""

    pool: DescriptorPool
    services: tuple[str, ...]


class Protos:
    """Compiled resources of one process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._kept: OrderedDict[str, Compiled] = OrderedDict()

    async def compiled(self, proto: JSON) -> Compiled:
        """Raises ``TaskFailed``: as :meth:`Resources.fetch` does, or ``configuration`` with protoc's own words."""
        name, files = await self._gathered(proto)
        digest = hashlib.sha256(repr((name, sorted(files.items()))).encode()).hexdigest()
        found = self._kept.get(digest)
        if found is None:
            found = self._kept[digest] = _described(name, await _compile(name, files))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(digest)
        return found

    async def _gathered(self, proto: JSON) -> tuple[str, dict[str, bytes]]:
        """The resource and what it imports, by path; imports are looked for below :func:`_root`."""
        top = await self._resources.fetch(proto, "`with.proto`")
        wanted = _imports(top.text)
        name, up = _root(top, wanted)
        files = {name: top.body}
        while wanted:
            path = wanted.pop()
            if path in files or path.startswith("google/protobuf/"):  # the compiler has these
                continue
            if len(files) >= _MOST_FILES:
                raise TaskFailed(standard_error("configuration", f"{name} imports more than {_MOST_FILES} files"))
            if path.startswith("/") or ".." in PurePosixPath(path).parts:
                raise TaskFailed(standard_error("configuration", f"{name} imports {path!r}, which leaves its folder"))
            found = await self._resources.fetch(beside(top, up + path), f"`import {path!r}` of {name}")
            files[path] = found.body
            wanted += _imports(found.text)
        return name, files


def _imports(text: str) -> list[str]:
    return _IMPORT.findall(_COMMENT.sub(" ", text))


def _root(top: Resource, imports: list[str]) -> tuple[str, str]:
    """The resource's path below the folder that imports are relative to, and the way up there from its own folder.

    ``…/protos/shop/orders.proto`` that imports ``shop/money.proto`` stands below ``…/protos``: imports are written from
    the root of a source tree. Where no folder above has the name that an import begins with, it is its own folder.
    """
    where = PurePosixPath(unquote(urlsplit(top.uri).path))
    name = where.name if where.suffix == ".proto" else "resource.proto"
    folders = [part for part in where.parent.parts if part != "/"]
    for path in imports:
        first = PurePosixPath(path).parts[0]
        if "/" in path and first in folders and not path.startswith("google/protobuf/"):
            depth = folders[::-1].index(first) + 1
            return "/".join([*folders[-depth:], name]), "../" * depth
    return name, ""


async def _compile(name: str, files: dict[str, bytes]) -> bytes:
    """A serialised ``FileDescriptorSet``, imports before those who import them."""
    compiler = _compiler()
    folder = Path(tempfile.mkdtemp(prefix="lowtide-proto-"))
    try:
        await asyncio.to_thread(_write, folder, files)
        argv = [*compiler, f"-I{folder}", "--include_imports", f"--descriptor_set_out={folder}/.descriptors", name]
        ended = await child.run(argv, environment={}, folder=folder, limits=_LIMITS)
        if ended.code != 0:
            said = ended.stderr.decode(errors="replace").strip()[:2000] or f"protoc ended with {ended.code}"
            raise TaskFailed(standard_error("configuration", f"`with.proto` does not compile: {said}"))
        return await asyncio.to_thread((folder / ".descriptors").read_bytes)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _compiler() -> list[str]:
    if find_spec("grpc_tools") is not None:
        return [sys.executable, "-I", "-m", "grpc_tools.protoc"]
    found = shutil.which("protoc")
    if found is None:
        detail = "calling gRPC needs a compiler of .proto files, which is not installed: pip install 'lowtide[grpc]'"
        raise TaskFailed(standard_error("configuration", detail))
    return [found]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for path, body in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)


def _described(name: str, serialised: bytes) -> Compiled:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(serialised).file:
        pool.AddSerializedFile(file.SerializeToString())
    return Compiled(pool, tuple(service.full_name for service in pool.FindFileByName(name).services_by_name.values()))
