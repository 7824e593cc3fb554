"""The step registry: Python functions that a workflow calls by name.

    import lowtide

    @lowtide.step("price")
    async def price(sku: str, quantity: int = 1) -> dict[str, float]: ...

``call: price`` with ``with: {sku: A-1, quantity: 2}`` then calls it. Arguments are validated against the
annotations (builtins, dataclasses, TypedDicts, msgspec Structs, pydantic models); the result must be JSON, or become
it. A parameter annotated :class:`StepContext` is given the call's context. The decorator only marks the function: a
registry is built by :meth:`StepRegistry.load` from the modules that the settings name.

A call may take as long as its task's ``timeout``, else as long as any effect of this process (30 s unless the operator
says otherwise); then it fails with a ``timeout`` error. Functions that are not async run in threads of their own.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

import msgspec

from lowtide.errors import Misconfigured, TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["StepContext", "StepRegistry", "step"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__lowtide_step__"
_THREADS: Final = 64


class StepContext(Value, frozen=True):
    """What a step may want to know of its call. ``idempotency_key`` is the same when the call is repeated."""

    idempotency_key: str
    reference: str


def step(name: str) -> Callable[[F], F]:
    """Make a function callable from workflows as ``call: name``."""

    def mark(function: F) -> F:
        setattr(function, _MARK, name)
        return function

    return mark


class _Step(Value, frozen=True):
    name: str
    function: Callable[..., Any]
    parameters: dict[str, tuple[Any, bool]]
    context: str | None
    accepts_any: bool


class StepRegistry:
    """Steps by name. ``perform`` is the effect behind ``call: name``."""

    def __init__(self, steps: Iterable[Callable[..., Any]] = ()) -> None:
        self._steps: dict[str, _Step] = {}
        self._threads: ThreadPoolExecutor | None = None
        for function in steps:
            self.add(function)

    @classmethod
    def load(cls, modules: Iterable[str]) -> StepRegistry:
        """All marked functions of the named modules (dotted paths).

        Raises :class:`lowtide.errors.Misconfigured` where a module cannot be imported, holds no step, or repeats one.
        """
        registry = cls()
        for path in modules:
            try:
                module = importlib.import_module(path)
            except Exception as error:
                raise Misconfigured(f"LOWTIDE_STEPS names {path!r}, which cannot be imported: {error}") from error
            found = _marked(module)
            if not found:
                raise Misconfigured(f"LOWTIDE_STEPS names {path!r}, but no function in it has @lowtide.step(…)")
            for function in found:
                registry.add(function)
        return registry

    def add(self, function: Callable[..., Any]) -> None:
        """Raises :class:`lowtide.errors.Misconfigured` where the name is taken by another function."""
        described = _describe(function)
        taken = self._steps.get(described.name)
        if taken is not None and taken.function is not function:
            raise Misconfigured(f"two steps are called {described.name!r}; give one of them another name")
        self._steps[described.name] = described

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Call the step. A failure is a ``runtime`` error unless the step raises ``TaskFailed`` itself."""
        name, given = command.arguments["name"], command.arguments["with"]
        found = self._steps.get(name)
        if found is None:
            raise TaskFailed(standard_error("configuration", self._unknown(name)))
        arguments = _convert(found, {} if given is None else given)
        if found.context is not None:
            arguments[found.context] = StepContext(idempotency_key, command.reference)
        try:
            result = await self._call(found.function, arguments)
        except TaskFailed:
            raise
        except (Exception, SystemExit) as error:  # user code: whatever it raises is its task's failure
            detail = f"step {name!r} raised {type(error).__name__}: {error}"
            raise TaskFailed(standard_error("runtime", detail)) from error
        return _as_json(name, result)

    async def _call(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)

        def called() -> Any:
            try:
                return function(**arguments)
            except (StopIteration, SystemExit) as error:
                # No future can carry the first, and the second would end the process of all other invocations.
                raise RuntimeError(f"{type(error).__name__}: {error}") from error

        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            # Threads of their own: steps that hang must not keep turns and look-ups from the loop's default ones.
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="step")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, called)

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name, self._steps, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(sorted(self._steps)) or "none"
        return (
            f"there is no function or step {name!r}{hint} (steps of this process: {known}); "
            "declare it in use.functions, or name its module in LOWTIDE_STEPS"
        )


def _marked(module: ModuleType) -> list[Callable[..., Any]]:
    return [value for value in vars(module).values() if callable(value) and hasattr(value, _MARK)]


def _describe(function: Callable[..., Any]) -> _Step:
    hints = get_type_hints(function)
    parameters: dict[str, tuple[Any, bool]] = {}
    context = None
    accepts_any = False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            accepts_any = True
        elif hints.get(name) is StepContext:
            context = name
        else:
            parameters[name] = (hints.get(name, Any), parameter.default is parameter.empty)
    return _Step(getattr(function, _MARK), function, parameters, context, accepts_any)


def _convert(found: _Step, given: JSON) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TaskFailed(standard_error("validation", f"step {found.name!r}: `with` must be a mapping of arguments"))
    wrong: list[str] = []
    arguments: dict[str, Any] = {}
    for name, (kind, required) in found.parameters.items():
        if name in given:
            try:
                arguments[name] = _convert_one(given[name], kind)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        elif required:
            wrong.append(f"{name} is missing")
    for name in given.keys() - found.parameters.keys():
        if found.accepts_any:
            arguments[name] = given[name]
        else:
            wrong.append(f"{name} is not a parameter (it has {', '.join(found.parameters) or 'none'})")
    if wrong:
        raise TaskFailed(standard_error("validation", f"step {found.name!r}: {'; '.join(wrong)}"))
    return arguments


def _convert_one(value: JSON, kind: Any) -> Any:
    """Raises ``ValueError`` (msgspec's and pydantic's validation errors are ones)."""
    validate = getattr(kind, "model_validate", None)
    return validate(value) if validate is not None else msgspec.convert(value, kind)


def _as_json(name: str, result: Any) -> JSON:
    try:
        dump = getattr(result, "model_dump", None)
        return dump(mode="json") if dump is not None else msgspec.to_builtins(result, str_keys=True)
    except TypeError as error:
        detail = f"step {name!r} returned {type(result).__name__}, which is not JSON: {error}"
        raise TaskFailed(standard_error("runtime", detail)) from error
