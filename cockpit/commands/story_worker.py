"""One of several processes that go through stories: a path on each line of its input, an outcome on each line of its output.

`python -m cockpit.commands.story_worker`, started by `cockpit test` where there are many stories. Values of a plan's vars come in
the environment, where nobody else reads them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from cockpit.commands.story_outcome import Outcome, outcome_of
from cockpit.log_file import log_folder
from probes.clients.child_environment import STORIES
from probes.clients.child_process import GIVEN_VARS, PipedChild, python_module, start_piped

MODULE = "cockpit.commands.story_worker"
STORIES_EACH = 4
"""A process must import the program before its first story: fewer are gone through sooner without it."""


def main() -> None:
    """Until its input ends."""
    given = dict(pair.split("=", 1) for pair in json.loads(os.environ.get(GIVEN_VARS) or "[]"))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(outcome_of(json.loads(line), given))) + "\n")
        sys.stdout.flush()


def workers_for(stories: int) -> int:
    """How many processes are worth starting; 1: none."""
    return max(min(os.cpu_count() or 1, stories // STORIES_EACH), 1)


async def go_through(
    paths: Sequence[str], given: dict[str, str], workers: int, on_done: Callable[[int, str], None]
) -> list[Outcome]:
    """The outcomes of stories, in their order; each process takes the next one when it has done one.

    Raises RuntimeError, with its last words, where a process ends before its stories do.
    """
    waiting, found = list(enumerate(paths))[::-1], dict[int, Outcome]()
    environment = {GIVEN_VARS: json.dumps([f"{name}={value}" for name, value in given.items()])}
    log = log_folder() / "stories.log"
    children = [await start_piped(python_module(STORIES, MODULE, given=environment), log) for _ in range(workers)]

    async def feed(child: PipedChild) -> None:
        while waiting:
            number, path = waiting.pop()
            child.input.write(json.dumps(path).encode() + b"\n")
            answer = await child.output.readline()
            if not answer:
                raise RuntimeError(f"a process that goes through stories ended: {child.last_words()}")
            found[number] = Outcome.of_json(json.loads(answer), path)
            on_done(len(found), path)
        child.input.close()
        await child.wait()

    try:
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(feed(child))
    except* RuntimeError as ended:
        raise RuntimeError(str(ended.exceptions[0])) from None
    finally:
        for child in children:
            child.input.close()
    return [found[number] for number in range(len(paths))]


if __name__ == "__main__":
    main()
