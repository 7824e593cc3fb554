"""Fetches what a document refers to outside itself, before it runs: at a deployment, and by ``lowtide run``.

Everything passes the guard, the limits and the authentication of all other effects. Never part of execute: there the
plan holds what it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lowtide.dsl.checked import Checked
from lowtide.dsl.outside.addresses import below
from lowtide.dsl.outside.builtin import BUILT_IN, read_builtin
from lowtide.dsl.outside.pinning import MOST_BYTES, Pinning
from lowtide.dsl.outside.references import CATALOG, Found, Need, Refused
from lowtide.effects.workshop import Allowed, Workshop
from lowtide.engine.alone import alone
from lowtide.engine.host import ExpressionFailed, Host
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Millis
from lowtide.model.error import STANDARD_BASE, Error

if TYPE_CHECKING:
    from lowtide.effects.resource import Resources
    from lowtide.runtime.clock import Clock

__all__ = ["Fetcher"]

_AT_ONCE: Final = 8
"""How much is fetched for one document at a time."""


class Fetcher:
    """``catalog`` is the installation's own (``name:version@default``): a URL or a folder, nothing where there is none
    beside what is built in.

    ``seconds`` bounds one request, ``patience`` all that one document needs. ``secrets`` are those that a document may
    authenticate with; ``files`` allows ``file:`` URIs, relative ones below ``base``.
    """

    def __init__(
        self,
        host: Host,
        *,
        clock: Clock,
        catalog: str = "",
        secrets: Mapping[str, JSON] | None = None,
        loopback: bool = False,
        files: bool = False,
        base: Path | None = None,
        seconds: float = 10.0,
        patience: float = 30.0,
    ) -> None:
        self._host = host
        self._catalog = catalog
        self._secrets: Mapping[str, JSON] = {} if secrets is None else secrets
        self._patience = patience
        allowed = Allowed(
            timeout=seconds,
            connect_timeout=min(seconds, 5.0),
            read_timeout=seconds,
            max_response_bytes=MOST_BYTES,
            loopback=loopback,
            files=files,
            base=base,
        )
        self._workshop = Workshop(allowed, clock=clock)

    async def pin(self, checked: Checked) -> Checked:
        """The document with all content in its plan; without a plan, and with every mistake, where one is missing."""
        pinning = Pinning(checked)
        if checked.plan is None or not pinning.needs:
            return checked
        declared = checked.plan.secrets
        resources = self._workshop.fresh_resources()  # what a deployment sees is what is there now
        ends = asyncio.get_running_loop().time() + self._patience
        while pinning.needs:
            answers = await self._round(pinning.needs, declared, resources, ends)
            await asyncio.to_thread(pinning.give, answers)  # checking a hundred functions takes a second
        return await asyncio.to_thread(pinning.result)

    async def close(self) -> None:
        await self._workshop.close()

    async def _round(
        self, needs: tuple[Need, ...], declared: tuple[str, ...], resources: Resources, ends: float
    ) -> dict[Need, Found | Refused]:
        """The same address with the same credentials is asked once, however many needs name it."""
        gate = asyncio.Semaphore(_AT_ONCE)
        answers: dict[Need, Found | Refused] = {}
        asked: dict[str, asyncio.Task[Found | Refused]] = {}
        waiting: dict[Need, asyncio.Task[Found | Refused]] = {}
        for need in needs:
            policy = await asyncio.to_thread(self._policy, need, declared)
            if isinstance(policy, Refused):
                answers[need] = policy
                continue
            key = f"{need.uri} {policy!r}"
            if key not in asked:
                asked[key] = asyncio.create_task(self._fetch(need.uri, policy, resources, gate))
            waiting[need] = asked[key]
        try:
            if asked:
                await asyncio.wait(asked.values(), timeout=max(0.0, ends - asyncio.get_running_loop().time()))
        finally:
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)
        late = Refused(
            f"was not there within {self._patience:g} s, the time for all that a document refers to",
            "see that its host answers, then try again",
        )
        return answers | {need: late if task.cancelled() else task.result() for need, task in waiting.items()}

    def _policy(self, need: Need, declared: tuple[str, ...]) -> JSON | Refused:
        """The authentication with the document's secrets in it."""
        if need.authentication is None:
            return None

        def ask(program: str) -> JSON:
            known = {name: self._secrets[name] for name in declared if name in self._secrets}
            missing = [name for name in declared if name not in known]
            if missing:
                raise KeyError(missing[0])
            return self._host.evaluate(program, None, {"secrets": known}, Millis(0))

        try:
            return alone(need.authentication, ask)
        except KeyError as error:
            return Refused(
                f"needs an authentication, and there is no secret {error.args[0]} where it is fetched",
                "give it by LOWTIDE_SECRETS_DIR of orchestrate, or by --secret",
            )
        except ExpressionFailed as error:
            return Refused(f"needs an authentication that cannot be computed: {error}", "mend the expression")

    async def _fetch(self, uri: str, policy: JSON, resources: Resources, gate: asyncio.Semaphore) -> Found | Refused:
        async with gate:
            if uri.startswith(CATALOG):
                return await self._from_catalog(uri.removeprefix(CATALOG), resources)
            try:
                found = await resources.fetch({"uri": uri, "authentication": policy}, "it")
            except TaskFailed as failure:
                return _refused(failure.error)
            return Found(found.uri, found.body)

    async def _from_catalog(self, path: str, resources: Resources) -> Found | Refused:
        built_in = read_builtin(path)
        if built_in is not None:
            return Found(CATALOG + path, built_in)
        if not self._catalog:
            return Refused(
                f"is of the default catalog, and there is none here beside what is built in ({', '.join(BUILT_IN)})",
                "an operator can set LOWTIDE_CATALOG to a URL or a folder; lowtide run takes --catalog",
            )
        if self._catalog.startswith(("http://", "https://")):
            uri = below(self._catalog, path)
            try:
                return Found(CATALOG + path, (await resources.fetch(uri, "it")).body)
            except TaskFailed as failure:
                return _refused(failure.error)
        try:
            return Found(CATALOG + path, await asyncio.to_thread(_read, Path(self._catalog), path))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Refused(
                f"is not to be had: {path} of the default catalog cannot be read: {reason}",
                "check its name and version, and what the catalog holds",
            )


def _read(folder: Path, path: str) -> bytes:
    root, file = folder.resolve(), (folder / path).resolve()
    if not file.is_relative_to(root):
        raise PermissionError(1, "it leads out of the catalog's folder")
    with file.open("rb") as opened:
        return opened.read(MOST_BYTES + 1)


def _refused(error: Error) -> Refused:
    detail = (error.detail or error.title or "it failed").removeprefix("it: ")
    return Refused(f"cannot be fetched: {detail}", _mend(error))


def _mend(error: Error) -> str:
    match error.type.removeprefix(STANDARD_BASE), error.status:
        case "authentication", _:
            return "give its endpoint the authentication that it asks for"
        case "communication", 404 | 410:
            return "check the address, the name and the version"
        case "authorization", _:
            return "use an address that may be reached, or give its endpoint an authentication"
        case "configuration", _:
            return "correct its address or its authentication"
        case _:
            return "see that its host answers, then try again"
