"""Names to addresses, in daemon threads: asyncio's own resolver makes quitting wait for every lookup under way."""

from __future__ import annotations

import socket
from functools import partial
from ipaddress import ip_address

from probes.clients.threads import DaemonThreads


class Resolver:
    """Looks names up without ever delaying the end of the program; with a VPN down a lookup can take half a minute."""

    def __init__(self) -> None:
        self._threads = DaemonThreads(size=4, name="resolve")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Addresses of `host`, in the system's order; an address is its own. Raises socket.gaierror."""
        if is_address(host):
            return [host]
        # AI_ADDRCONFIG leaves out IPv6 where this machine has none.
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await self._threads.run(look_up)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        """Never waits: a lookup that hangs is left to its thread."""
        self._threads.close()


def is_address(host: str) -> bool:
    """Whether it needs no lookup."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
