"""What `kubectl kustomize` makes of the folders of manifests."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

__all__ = ["DEMO", "LOCAL", "ROOT", "ROOTS", "named", "objects", "of_kind", "overlay_with"]

ROOT: Final = Path(__file__).parents[3]
LOCAL: Final = "knative/overlays/local"
DEMO: Final = "examples/order-fulfilment"
ROOTS: Final = ("knative/base", LOCAL, DEMO)
"""What one may apply."""


@functools.cache
def objects(folder: str) -> tuple[dict[str, Any], ...]:
    """The objects of one folder, in the order in which they are applied."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed; it renders the manifests")
    done = subprocess.run([kubectl, "kustomize", str(ROOT / folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(folder: str, kind: str, group: str = "") -> list[dict[str, Any]]:
    """The objects of one kind; ``group`` tells Knative's Services from the core's."""
    return [found for found in objects(folder) if found["kind"] == kind and found["apiVersion"].startswith(group)]


def named(folder: str, kind: str, name: str, group: str = "") -> dict[str, Any]:
    (found,) = [one for one in of_kind(folder, kind, group) if one["metadata"]["name"] == name]
    return found


def overlay_with(component: str, folder: Path) -> str:
    """An overlay with a component, as an operator would write it: the folder, for :func:`objects`."""
    above = os.path.relpath(ROOT, folder)
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{above}/knative/base"],
        "components": [f"{above}/knative/components/{component}"],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return os.path.relpath(folder, ROOT)
