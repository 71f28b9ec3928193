"""Names to the addresses that are then connected to: every connection a probe makes begins here."""

from __future__ import annotations

import socket
from collections.abc import Collection
from functools import partial

from probes.clients.restricted import address_in, is_restricted
from probes.clients.threads import DaemonThreads
from probes.reading import Reason, Unknown, Unseen
from probes.redact import one_line

_HINT = "nothing to probe is there. If it is meant, write the address itself in the plan, then: cockpit trust PLAN"


class Resolver:
    """Looks names up, in daemon threads: with a VPN down a lookup can take half a minute, and quitting waits for none.

    What it gives out is connected to as it is, without another lookup, whose answer may be another. It gives out no
    link-local or metadata address but those in `named`, and those only to who asks for the address itself.
    """

    def __init__(self, named: Collection[str] = ()) -> None:
        self._named = {address_in(each) for each in named}
        self._threads = DaemonThreads(size=4, name="resolve")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Addresses of `host`, in the system's order; an address is its own.

        Raises socket.gaierror; Unseen (NOT_TRUSTED) where it leads to nothing but addresses that are not given out.
        """
        if is_address(host):
            self.admit(host)
            return [host.strip("[]")]
        # AI_ADDRCONFIG leaves out IPv6 where this machine has none.
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = list(dict.fromkeys(str(entry[4][0]) for entry in await self._threads.run(look_up)))
        usable = [address for address in found if not is_restricted(address)]
        if found and not usable:
            raise _refused(f"{host} leads to {found[0]}")
        return usable

    def admit(self, host: str) -> None:
        """Raises Unseen (NOT_TRUSTED) for a host written as an address that is not given out."""
        if is_restricted(host) and address_in(host) not in self._named:
            raise _refused(host)

    def close(self) -> None:
        """Never waits: a lookup that hangs is left to its thread."""
        self._threads.close()


def is_address(host: str) -> bool:
    """Whether it needs no lookup."""
    return address_in(host) is not None


def _refused(what: str) -> Unseen:
    return Unseen(Unknown(Reason.NOT_TRUSTED, one_line(f"{what}: a link-local or metadata address"), _HINT))
