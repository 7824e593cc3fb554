"""The step of the Lowtide side: called three times by the workflow in ``durability.py``."""

import time

import lowtide


@lowtide.step("moment")
async def moment() -> float:
    return time.perf_counter() * 1000
