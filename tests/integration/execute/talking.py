"""Steps that say things."""

from __future__ import annotations

import asyncio
import logging

import lowtide

log = logging.getLogger("shop.prices")
log.warning("said while nobody is at work")


class Odd:
    def __str__(self) -> str:
        return "an odd one"


@lowtide.step("say")
async def say(word: str) -> str:
    log.info("it begins: %s", word, extra={"word": word, "odd": Odd(), "depth": {"of": [1, 2]}})
    await asyncio.sleep(0.05)
    logging.getLogger("lowtide.runtime").warning("a line of Lowtide's own")
    return word


@lowtide.step("fail")
def fail() -> None:
    try:
        raise ValueError("no price")
    except ValueError:
        log.exception("x" * 100_000, extra={"large": "y" * 100_000})
