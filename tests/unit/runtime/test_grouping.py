"""Group commit: what is asked for while one group is answered is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lowtide.errors import LowtideError, NotFound, Unavailable
from lowtide.runtime.grouping import Grouped

pytestmark = pytest.mark.anyio


class Shop:
    """Answers with what was asked, a group at a time, as soon as it is open."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.busy = asyncio.Event()
        self.open = asyncio.Event()

    async def answer(self, asked: Sequence[str]) -> list[str | LowtideError]:
        self.groups.append(list(asked))
        self.busy.set()
        await self.open.wait()
        if "away" in asked:
            raise Unavailable("the shop is away")
        if "poison" in asked:
            raise ValueError("not to be taken")
        return [NotFound(f"no {one}") if one.startswith("missing") else one.upper() for one in asked]


async def all_of(grouped: Grouped[str, str], shop: Shop, *asked: str) -> list[str | BaseException]:
    asking = [asyncio.ensure_future(grouped.ask(one)) for one in asked]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shop.open.set()
    return list(await asyncio.gather(*asking, return_exceptions=True))


async def test_whoever_asks_while_a_group_is_answered_is_in_the_next_one() -> None:
    shop = Shop()
    grouped = Grouped(shop.answer)
    first = asyncio.ensure_future(grouped.ask("a"))
    await shop.busy.wait()
    assert await all_of(grouped, shop, "b", "c") == ["B", "C"]
    assert await first == "A"
    assert shop.groups == [["a"], ["b", "c"]]


async def test_a_group_has_at_most_so_many() -> None:
    shop = Shop()
    assert await all_of(Grouped(shop.answer, most=2), shop, "a", "b", "c") == ["A", "B", "C"]
    assert shop.groups == [["a", "b"], ["c"]]


async def test_an_error_among_the_answers_is_its_askers_alone() -> None:
    shop = Shop()
    answers = await all_of(Grouped(shop.answer), shop, "a", "missing b", "c")
    assert answers[0::2] == ["A", "C"]
    assert isinstance(answers[1], NotFound)


async def test_where_nobody_can_be_answered_everybody_hears_of_it() -> None:
    shop = Shop()
    answers = await all_of(Grouped(shop.answer), shop, "a", "away")
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert shop.groups == [["a", "away"]]


async def test_one_that_cannot_be_answered_does_not_take_the_others_with_it() -> None:
    shop = Shop()
    answers = await all_of(Grouped(shop.answer), shop, "a", "poison", "c")
    assert answers[0::2] == ["A", "C"]
    assert isinstance(answers[1], ValueError)


async def test_who_went_away_is_no_trouble_for_the_others() -> None:
    shop = Shop()
    grouped = Grouped(shop.answer)
    gone = asyncio.ensure_future(grouped.ask("gone"))
    await shop.busy.wait()
    gone.cancel()
    assert await all_of(grouped, shop, "b") == ["B"]
    assert gone.cancelled()
