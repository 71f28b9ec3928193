"""Programs on this machine that a probe asks, with a deadline that ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from probes.reading import Reason, Unknown, Unseen

MOST_BYTES = 16 * 1024 * 1024
GRACE_S = 0.5


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program wrote, and how it ended."""

    code: int
    out: str
    err: str


async def ask_program(command: Sequence[str], *, timeout_s: float, hint: str) -> Completed:
    """Run a program to its end, without input. Raises Unseen; `hint` says what to do when it is not there."""
    name = command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"there is no program {name}", hint)) from None
    except PermissionError:
        raise Unseen(Unknown(Reason.ACCESS_DENIED, f"{name} may not be run", hint)) from None
    except OSError as error:
        raise Unseen(Unknown(Reason.ERROR, f"{name}: {error.strerror}", hint)) from None
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        detail = f"{name} did not end within {timeout_s:g} s"
        raise Unseen(Unknown(Reason.TIMEOUT, detail, f"run it by hand: {' '.join(command)}")) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            with suppress(TimeoutError):  # a child of its own may hold the pipes open: it is left behind
                async with asyncio.timeout(GRACE_S):
                    await process.wait()
    return Completed(process.returncode or 0, _text(out), _text(err))


def _text(output: bytes) -> str:
    return output[:MOST_BYTES].decode(errors="replace")
