"""Containers that only seem to run: an image is a result, or goes on until a test ends it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lowtide.errors import TaskFailed, Unavailable
from lowtide.model.container import Order, Seen
from lowtide.model.error import standard_error

__all__ = ["FakeContainers", "Ran"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a container ended."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass(slots=True)
class FakeContainers:
    """Implements the ``Containers`` port. ``images`` end at once as they say; one that is not there cannot be pulled;
    ``None`` runs until :meth:`finish`. ``down``: nothing can be reached."""

    images: dict[str, Ran | None] = field(default_factory=dict)
    down: bool = False
    orders: dict[str, Order] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    _seen: dict[str, tuple[Seen, Ran]] = field(default_factory=dict)

    @property
    def there(self) -> list[str]:
        """The ids of those of which something is left."""
        return list(self._seen)

    def finish(self, container: str, ran: Ran) -> None:
        self._seen[container] = (Seen("ended", code=ran.code), ran)

    def show(self, container: str, seen: Seen) -> None:
        """Let the next look find this."""
        self._seen[container] = (seen, Ran())

    def vanish(self, container: str) -> None:
        del self._seen[container]

    async def start(self, order: Order) -> None:
        self._check()
        self.starts.append(order.id)
        if order.id in self._seen:
            return
        if order.container.image not in self.images:
            detail = f"no container could be made of image {order.container.image}"
            raise TaskFailed(standard_error("communication", detail))
        self.orders[order.id] = order
        ran = self.images[order.container.image]
        self._seen[order.id] = (Seen("running"), Ran()) if ran is None else (Seen("ended", code=ran.code), ran)

    async def look(self, container: str) -> Seen:
        self._check()
        return self._seen[container][0] if container in self._seen else Seen("gone")

    async def logs(self, container: str) -> tuple[str, str]:
        self._check()
        ran = self._seen[container][1]
        return ran.stdout, ran.stderr

    async def end(self, container: str) -> None:
        self._check()
        self.ended.append(container)
        self._seen.pop(container, None)

    async def close(self) -> None:
        return None

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the container runtime is down")
