"""Twenty orders through the whole platform, from zero processes and back (`make demo`).

    python demo.py                                            the demo
    python demo.py --kill execute,ingest,orchestrate,broker   the same, while these are killed in turn; then it is
                                                              checked that nothing was lost and nothing done again

Exit code 0 when every order completed, nothing was left running (and the check found nothing), 1 otherwise, 130 after
Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from kills import VICTIMS
from play import play
from screen import Screen
from stage import stage

from lowtide.errors import LowtideError

__all__ = ["main", "run"]


async def run(folder: Path, victims: tuple[str, ...], limit: float) -> bool:
    """Whether all went well. ``folder`` takes all files, ``limit`` is seconds for everything."""
    with Screen() as screen:
        delay, tick = (0.3, 10.0) if victims else (0.05, 60.0)
        async with asyncio.timeout(limit):
            async with stage(folder, screen.note, delay=delay, tick=tick) as here:
                return await play(here, screen, victims)


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kill", default="", metavar="NAMES", help=f"kill these in turn: {','.join(VICTIMS)}")
    options.add_argument("--limit", type=float, default=300.0, metavar="SECONDS", help="give up after this long")
    options.add_argument("--keep", action="store_true", help="keep the data directory and say where it is")
    given = options.parse_args()
    victims = tuple(name for name in given.kill.split(",") if name)
    if unknown := set(victims) - set(VICTIMS):
        options.error(f"there is no {', '.join(sorted(unknown))} to kill; name some of {', '.join(VICTIMS)}")
    folder = Path(tempfile.mkdtemp(prefix="lowtide-demo-"))
    try:
        return 0 if asyncio.run(run(folder, victims, given.limit)) else 1
    except LowtideError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except TimeoutError:
        print(f"demo: not all orders had ended after {given.limit:g} s; --keep keeps the logs", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    finally:
        if given.keep:
            print(f"the data directory is {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
