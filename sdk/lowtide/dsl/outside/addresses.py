"""Addresses of functions: a catalog's layout, and the raw text behind the pages of GitHub and GitLab.

dsl.md, "Catalogs": a function stands at ``{catalog}/functions/{name}/{version}/function.yaml``, and a page of a Git
host stands for the raw document behind it.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from lowtide.dsl.outside.references import CATALOG

__all__ = ["below", "beside", "function_at", "function_path", "outside", "raw", "split_name"]

_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):([A-Za-z0-9][A-Za-z0-9.+_-]*)@(.+)")
_DOCUMENTS: Final = (".yaml", ".yml", ".json")
_PAGES: Final = frozenset({"tree", "blob", "raw"})
_FIXED: Final = re.compile(r"[0-9a-f]{7,40}|[vV]?\d+\.\d+.*")
"""Commits and version tags: they are no branches, so that ``refs/heads/`` would not lead to them."""


def outside(name: str) -> bool:
    """Whether the name of a function leads out of the document: by URL, into a catalog, or along a relative path."""
    return "://" in name or "@" in name or name.startswith(("file:", "./", "../"))


def split_name(text: str) -> tuple[str, str, str] | None:
    """``name:version@catalog`` -> its three parts; ``None`` where it is nothing of the kind."""
    found = _NAME.fullmatch(text)
    return None if found is None else (found[1], found[2], found[3])


def function_path(name: str, version: str) -> str:
    return f"functions/{name}/{version}/function.yaml"


def below(base: str, path: str) -> str:
    """The URL of ``path`` in a catalog whose root is ``base``; a query of the root is kept."""
    parts = urlsplit(raw(base))
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}", fragment=""))


def function_at(url: str) -> str:
    """Where the document of a function stands that is called by URL: in a repository, a folder holds it."""
    found = raw(url)
    in_repository = found != url
    return f"{found.rstrip('/')}/function.yaml" if in_repository and not found.endswith(_DOCUMENTS) else found


def beside(uri: str, path: str) -> str | None:
    """``path`` relative to the document at ``uri``; ``None`` where it leads out of the installation's own catalog."""
    if uri.startswith(CATALOG):
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(uri.removeprefix(CATALOG)), path))
        return None if joined.startswith(("..", "/")) else CATALOG + joined
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return "file:" + posixpath.normpath(posixpath.join(posixpath.dirname(uri.removeprefix("file:")), path))
    return urljoin(uri, path)


def raw(url: str) -> str:
    """The raw text behind a page of GitHub or GitLab; any other URL as it is."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    host = (parts.hostname or "").removeprefix("www.")
    if host == "github.com":
        return _github(segments) or url
    page = _gitlab(host, segments)
    return url if page is None else urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(page), "", ""))


def _github(segments: list[str]) -> str | None:
    if len(segments) < 2:
        return None
    owner, repository, *rest = segments
    if len(rest) > 1 and rest[0] in _PAGES:
        reference, path = rest[1], rest[2:]
    elif "@" in segments[-1]:  # owner/repository/folder@version, as dsl.md writes it in "Using a Custom Function"
        last, _, reference = segments[-1].rpartition("@")
        repository, path = (repository, [*rest[:-1], last]) if rest else (last, [])
        return _raw_github(owner, repository, [reference, *path])
    elif not rest:
        reference, path = "HEAD", []
    else:
        return None
    plain = reference in {"HEAD", "refs"} or _FIXED.fullmatch(reference)
    return _raw_github(owner, repository, [*([] if plain else ["refs", "heads"]), reference, *path])


def _raw_github(owner: str, repository: str, path: list[str]) -> str:
    return "/".join(["https://raw.githubusercontent.com", owner, repository.removesuffix(".git"), *path])


def _gitlab(host: str, segments: list[str]) -> list[str] | None:
    """On any host, since many run their own: ``/-/tree/``. On gitlab.com also the older form, and a bare project."""
    if "-" in segments:
        at = segments.index("-")
        page = segments[at + 1 : at + 2]
        return [*segments[:at], "-", "raw", *segments[at + 2 :]] if page and page[0] in _PAGES else None
    if host != "gitlab.com" or len(segments) < 2:
        return None
    if len(segments) > 3 and segments[2] in _PAGES:
        return [*segments[:2], "-", "raw", *segments[3:]]
    return [*segments[:-1], segments[-1].removesuffix(".git"), "-", "raw", "HEAD"]
