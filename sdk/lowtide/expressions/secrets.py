"""Secrets from a mounted folder, as Kubernetes mounts them: a file per secret, or a folder of files for an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lowtide.model.base import JSON

__all__ = ["FolderSecrets"]


class FolderSecrets(Mapping[str, JSON]):
    """Reads a secret when it is asked for, so that a rotated one is seen by the next execution.

    A file's content is JSON where it parses as an object or array, else text without its last newline. What cannot be
    read, or is no text, is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> JSON:
        path = self._folder / name
        if path.name != name or name.startswith("."):
            raise KeyError(name)
        try:
            if path.is_dir():
                return {entry.name: _read(entry) for entry in sorted(path.iterdir()) if not entry.name.startswith(".")}
            return _read(path)
        except (OSError, ValueError) as error:
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in sorted(self._folder.iterdir()) if not entry.name.startswith("."))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _read(path: Path) -> JSON:
    text = path.read_text()
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            pass  # a text that merely begins like JSON
    return text.removesuffix("\n")
