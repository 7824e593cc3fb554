"""``lowtide replay``: step through an execution's journal, forward and back, without any effect."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, assert_never

import typer

from lowtide.cli import exits
from lowtide.cli.given import pairs_of, text_of
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server
from lowtide.cli.shown import show_json
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON, iso
from lowtide.model.command import Command, Perform, Sleep
from lowtide.model.event import (
    CancelAsked,
    ChildEnded,
    EffectFailed,
    EffectSucceeded,
    Event,
    EventsReceived,
    Forked,
    TimerFired,
)
from lowtide.wire import json
from lowtide.wire.masking import MASK, Mask, mask_of

if TYPE_CHECKING:
    from lowtide.runtime.replay import Step

__all__ = ["replay"]

_BRIEF: Final = 160


def replay(
    execution: Annotated[str | None, typer.Argument(metavar="[ID]", help="The execution's id.")] = None,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="A journal that --save wrote, or -.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the journal to a file as well.")] = None,
    at: Annotated[int | None, typer.Option(min=0, metavar="N", help="Print the state after record N and end.")] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="NAME=JSON", help="A secret that $secrets holds; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every step as JSON.")] = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Play an execution again from its journal: what happened, what it knew, what it wanted next. Nothing is called.

    On a terminal one steps through it; piped, all steps are printed. Secrets that are not given are texts of stars;
    those that are given are not shown. Where a server knows them, they are masked in the journal that it gives out.
    """
    from lowtide.expressions import JqHost
    from lowtide.runtime.replay import Recording, steps

    text = _journal(execution, file, namespace, server)
    if save is not None:
        _write(save, text)
    recording = json.decode(text, Recording)
    given = pairs_of(secret or [], "--secret")
    known = dict.fromkeys(recording.plan.secrets, MASK) | given
    mask = mask_of(recording.plan.secrets, known)
    with contextlib.closing(JqHost(secrets=known)) as host:
        played = list(steps(recording.plan, recording.seed, recording.items, host))
    if at is not None:
        _print_state(played, at, mask)
    elif as_json:
        show_json(_shown([_as_json(step) for step in played], mask))
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _walk(played, mask)
    else:
        for step in played:
            _print_step(step, mask)
    difference = recording.difference(played[-1].outcome, mask)
    if difference is not None:
        missing = [name for name in recording.plan.secrets if name not in given]
        mend = f"; it reads secrets, give them: --secret {missing[0]}=JSON" if missing else ""
        exits.say(f"lowtide: {difference}{mend}")
        raise typer.Exit(exits.FAILED)


def _journal(execution: str | None, file: str | None, namespace: str, server: str) -> bytes:
    if (execution is None) == (file is None):
        raise InvalidInput("name an execution, or a journal with --file FILE")
    if file is not None:
        return text_of(file).encode()
    assert execution is not None
    return json.encode(asyncio.run(_download(execution, namespace, server)))


async def _download(execution: str, namespace: str, server: str) -> dict[str, JSON]:
    from lowtide.clients.orchestrate import Orchestrate

    async with Orchestrate(server) as api:
        shown = await api.execution(namespace, execution)
        return {"execution": shown, **await api.journal(namespace, execution)}


def _write(path: Path, text: bytes) -> None:
    try:
        path.write_bytes(text + b"\n")
    except OSError as error:
        raise InvalidInput(f"--save {path}: cannot be written: {error.strerror}") from error


# ---------------------------------------------------------------- showing


def _print_state(played: list[Step], at: int, mask: Mask) -> None:
    found = next((step for step in played if step.number == at), None)
    if found is None:
        raise InvalidInput(f"--at {at}: the journal has records 1 to {played[-1].number}, and 0 is the beginning")
    show_json(_shown(found.state, mask))


def _shown(value: object, mask: Mask) -> JSON:
    return mask.json(json.parse(json.encode(value)))


def _as_json(step: Step) -> dict[str, JSON]:
    return {
        "number": step.number,
        "epoch": step.epoch,
        "at": step.state.now,
        "event": step.event,
        "tasks": step.facts,
        "wanted": step.wanted,
        "retracted": step.retracted,
        "outcome": step.outcome,
    }


def _print_step(step: Step, mask: Mask) -> None:
    print(mask.text(f"#{step.number}  {iso(step.state.now)}  epoch {step.epoch}  {_happened(step.event)}"))
    for fact in step.facts:
        print(f"    {fact.status:10} {fact.reference}")
    for command in step.wanted:
        print(mask.text(f"    wants      {_wants(command)}"))
    for command_id in step.retracted:
        print(f"    gives up   {command_id.partition('@')[0]}")
    if step.outcome is not None:
        print(mask.text(f"    outcome    {_brief(step.outcome)}"))


def _happened(event: Event | None) -> str:
    """What the record says, in one line."""
    match event:
        case None:
            return "it begins"
        case EffectSucceeded():
            return f"{_place(event.command)} succeeded: {_brief(event.output)}"
        case EffectFailed():
            return f"{_place(event.command)} failed: {_brief(event.error)}"
        case TimerFired():
            return f"{_place(event.command)}: its time has come"
        case EventsReceived():
            types = ", ".join(str(received.event.get("type")) for received in event.events)
            return f"{_place(event.command)} received {types}"
        case ChildEnded():
            ended = _brief(event.output) if event.error is None else _brief(event.error)
            return f"{_place(event.command)}: its execution {event.execution} ended: {ended}"
        case CancelAsked():
            return f"a cancel was asked for: {event.reason}"
        case Forked():
            return f"it goes its own way; what stands before happened to {event.origin}"
        case _:
            assert_never(event)


def _wants(command: Command) -> str:
    kind = type(command).__name__.lower()
    match command:
        case Perform():
            return f"{command.call} for {_place(command.id)}: {_brief(command.arguments)}"
        case Sleep():
            return f"a timer for {_place(command.id)} at {iso(command.until)}"
        case _:
            return f"{kind} for {_place(command.id)}"


def _place(command_id: str) -> str:
    return command_id.partition("@")[0] or "the workflow"


def _brief(value: object) -> str:
    text = json.encode(value).decode()
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}… ({len(text)} characters)"


def _walk(played: list[Step], mask: Mask) -> None:
    """Enter goes on, ``p`` back, a number there, ``s`` shows the state, ``q`` ends."""
    place = 0
    _print_step(played[place], mask)
    while True:
        try:
            typed = input(f"[{place} of {len(played) - 1}] Enter next, p back, N go to, s state, q quit > ").strip()
        except EOFError:
            return
        match typed:
            case "q":
                return
            case "s":
                show_json(_shown(played[place].state, mask))
                continue
            case "" | "n":
                wanted = place + 1
            case "p":
                wanted = place - 1
            case number if number.isdecimal():
                wanted = int(number)
            case _:
                exits.say("Enter, n, p, a number, s or q")
                continue
        if not 0 <= wanted < len(played):
            exits.say(f"there are steps 0 to {len(played) - 1}")
            continue
        place = wanted
        _print_step(played[place], mask)
