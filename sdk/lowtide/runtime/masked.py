"""History as people may see it: what a workflow's secrets are is masked before it leaves the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lowtide.model.base import JSON
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.usage import Usage
from lowtide.runtime.ports import History, Subject

if TYPE_CHECKING:
    from lowtide.wire.masking import Mask

__all__ = ["MaskedHistory", "masked"]


def masked(history: History, plan: Plan, secrets: Mapping[str, JSON]) -> History:
    """``history`` itself where the workflow names no secrets."""
    return MaskedHistory(history, plan.secrets, secrets) if plan.secrets else history


class MaskedHistory:
    """Secrets are read when there is a text to mask, so that one that rotated meanwhile is known as well."""

    def __init__(self, history: History, names: tuple[str, ...], secrets: Mapping[str, JSON]) -> None:
        self._history = history
        self._names = names
        self._secrets = secrets

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None:
        says_more = any(fact.error is not None or fact.keys or fact.wait for fact in facts)
        self._history.facts(subject, self._mask().facts(facts) if says_more else facts)

    def log(
        self, subject: Subject, level: str, message: str, task: str = "", fields: dict[str, JSON] | None = None
    ) -> None:
        mask = self._mask()
        self._history.log(subject, level, mask.text(message), task, mask.json(fields))

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None:
        self._history.usage(subject, epoch, usage)

    def _mask(self) -> Mask:
        from lowtide.wire.masking import mask_of  # not at a cold start: most invocations have nothing to mask

        return mask_of(self._names, self._secrets)
