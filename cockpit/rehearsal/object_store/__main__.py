"""The store in a process of its own, for benchmarks: `python -m cockpit.rehearsal.object_store BUCKET LATENCY_S [forget]`."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from cockpit.rehearsal.object_store.server import ObjectStore


def main(arguments: list[str]) -> None:
    """`python -m cockpit.rehearsal.object_store BUCKET LATENCY_S [forget]`: prints its address, ends with its input."""
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    store = ObjectStore(arguments[0], latency_s=float(arguments[1]), keeps_bytes="forget" not in arguments[2:])
    with store:
        sys.stdout.write(store.url + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "latency":
                store.latency_s = float(value)
            elif word == "empty":
                for shelf in store.buckets.values():
                    shelf.versions.clear()
                    shelf.uploads.clear()
            sys.stdout.write("ok\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
