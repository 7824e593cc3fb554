"""Where ``lowtide run`` finds the workflows that a document runs: given files, then the document's own folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from lowtide.dsl import check
from lowtide.model.plan import Plan

__all__ = ["finder"]

_SUFFIXES: Final = {".yaml", ".yml", ".json"}

Find = Callable[[str, str, str | None], Plan | None]


def finder(given: list[Plan], file: str) -> Find:
    """A function that finds a plan by namespace, name and version (``None``: the newest), first among those ``given``.

    The folder's documents are read when a workflow is first looked for that none of these is. Those that are no valid
    workflow are passed over, and those that refer outside themselves: what they need must be there before anything
    runs, so that they are to be given with ``--also``.
    """
    known = list(given)
    folder = None if file == "-" else Path(file).resolve().parent
    read = False

    def find(namespace: str, name: str, version: str | None) -> Plan | None:
        nonlocal read
        found = _newest(known, namespace, name, version)
        if found is None and folder is not None and not read:
            read = True
            known.extend(_workflows_in(folder))
            found = _newest(known, namespace, name, version)
        return found

    return find


def _newest(plans: list[Plan], namespace: str, name: str, version: str | None) -> Plan | None:
    found = [
        candidate
        for candidate in plans
        if (candidate.namespace, candidate.name) == (namespace, name) and version in (None, candidate.version)
    ]
    return max(found, key=_order, default=None)


def _order(workflow: Plan) -> tuple[tuple[int, ...], bool, str]:
    """Semantic versions in their order: numbers first, a pre-release before its release."""
    core, _, pre = workflow.version.partition("+")[0].partition("-")
    return tuple(int(part) for part in core.split(".") if part.isdecimal()), not pre, pre


def _workflows_in(folder: Path) -> Iterator[Plan]:
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.is_file():
            checked = check(path.read_text(encoding="utf-8", errors="replace"), str(path))
            if checked.plan is not None and not checked.refers_outside:
                yield checked.plan
