"""Renders the Triggers from the table of who gets which event: ``python knative/render.py`` (or ``make manifests``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from lowtide.wire.triggers import DEAD_LETTER_PATH, TRIGGERS, TriggerSpec

__all__ = ["BROKER", "TARGET", "render"]

BROKER: Final = "lowtide"
TARGET: Final = Path(__file__).parent / "base" / "triggers.yaml"

_HEAD: Final = "# Rendered from lowtide/wire/triggers.py by `make manifests`: change it there.\n"


def render() -> str:
    """The text of ``base/triggers.yaml``: one Trigger per entry of the table."""
    return _HEAD + yaml.safe_dump_all([_trigger(spec) for spec in TRIGGERS], sort_keys=False)


def _trigger(spec: TriggerSpec) -> dict[str, Any]:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": spec.name},
        "spec": {
            "broker": BROKER,
            "filters": list(spec.filters),
            "subscriber": _destination(spec.subscriber, spec.path),
            "delivery": {
                "retry": spec.retries,
                # Linear back-off would retry at once and burn out while a container restarts.
                "backoffPolicy": "exponential",
                "backoffDelay": f"PT{spec.backoff:g}S",
                "deadLetterSink": _destination("orchestrate", DEAD_LETTER_PATH),
            },
        },
    }


def _destination(service: str, path: str) -> dict[str, Any]:
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": service}
    return {"ref": ref} if path == "/" else {"ref": ref, "uri": path}


if __name__ == "__main__":
    TARGET.write_text(render())
