"""What a probe does that the operator must have agreed to: programs, what it sends, files, writes; each said in words.

Asking AWS with the operator's own credentials is none of it: the check of the account guards that.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from probes.clients.proxies import through
from probes.clients.restricted import address_in, is_restricted
from probes.frozen import frozen
from probes.held_files import digest_of, files_in
from probes.known_secrets import hide

UNNAMED = "a host that the plan does not name"


class Does(StrEnum):
    RUNS = "runs"
    SENDS = "sends"
    READS = "reads"
    WRITES = "writes"


@frozen(order=True)
class Demand:
    """One thing a probe would do. `what` is for people: it names hosts, files and parameters, never a secret's value."""

    does: Does
    what: str
    address: str = ""
    """The link-local or metadata address that it names and may then reach; else empty."""
    file: str = ""
    """The file whose content it is about, as it is named on the way; else empty."""

    def __str__(self) -> str:
        return f"{self.does} {self.what}"


@frozen
class Asked:
    """What a plan asks of one probe, and the folder the plan is in."""

    params: Any
    secret: Collection[str]
    """The parameters with a value of the environment, by name: "dsn", "headers.Authorization"."""
    folder: Path


class Rule(Protocol):
    """How a kind of probe says one of its demands."""

    def demands(self, asked: Asked) -> Iterator[Demand]: ...


AWS_ALONE: tuple[Rule, ...] = ()
"""Of a probe that asks AWS, or nobody, and writes nothing."""


def _always(_: Any) -> bool:
    return True


@frozen
class Runs:
    """Runs the program a parameter names; `arguments` and `environment` name what else a plan gives it, where it may.

    The content of the program, and of the files of the plan's folder and the scripts that arguments name, is part of it.
    """

    program: str
    arguments: str = ""
    """The parameter with its arguments."""
    environment: str = ""
    """The parameter with the names of variables it gets."""

    def demands(self, asked: Asked) -> Iterator[Demand]:
        from probes.clients.child_process import found

        program = getattr(asked.params, self.program)
        path = asked.folder / program if "/" in program else found(program)
        # A name is looked for on PATH; a path is said as the file it leads to.
        words = [str(path.resolve()) if "/" in program and path else str(path or program)]
        arguments = getattr(asked.params, self.arguments) if self.arguments else []
        given = getattr(asked.params, self.environment) if self.environment else []
        also = f" with the environment variables {', '.join(given)}" if given else ""
        yield Demand(Does.RUNS, hide(shlex.join([*words, *arguments]) + also))
        for file in [*([path] if path else []), *files_in(arguments, asked.folder)]:
            if file.exists():
                digest = digest_of(file)
                now = f"as it is now, SHA-256 {digest}" if digest else "whatever it is: it cannot be read"
                yield Demand(Does.RUNS, hide(f"{file.resolve()} {now}"), file=str(file))


@frozen
class Sends:
    """Sends parameters to the host, or the hosts, that `to` names.

    A demand where a parameter holds a value of the environment, or a host is a link-local or metadata address.
    """

    to: str
    params: tuple[str, ...]

    def demands(self, asked: Asked) -> Iterator[Demand]:
        named = getattr(asked.params, self.to)
        hosts = [named] if isinstance(named, str) else named
        for address in map(_address, hosts):
            yield from reaching(address)
        sent = sorted(name for name in asked.secret if name.partition(".")[0] in self.params)
        if sent:
            host = ", ".join(_host(each) + through(each) for each in hosts)
            yield Demand(Does.SENDS, f"{', '.join(sent)} with values of the environment to {host}")


@frozen
class SendsKey:
    """Sends a key, kept in the environment or in Secrets Manager, to the host that `to` names."""

    to: str
    variable: str = "env"
    """The parameter that names the environment variable."""
    secret: str = "secret"
    """The parameter that names the secret, where the probe has one."""
    when: Callable[[Any], bool] = _always

    def demands(self, asked: Asked) -> Iterator[Demand]:
        if not self.when(asked.params):
            return
        kept = getattr(asked.params, self.secret, "")
        key = f"the secret {kept}" if kept else f"the environment variable {getattr(asked.params, self.variable)}"
        to = getattr(asked.params, self.to)
        way = through(to if "://" in to else f"https://{to}")
        yield Demand(Does.SENDS, hide(f"{key} to {_host(to)}{way}"))


def rooted(rules: Iterable[Rule], params: Any, folder: Path) -> dict[str, str]:
    """The parameters that name files and programs, as they are meant: a relative path is one of the plan's folder.

    By name; what is empty, and a program's name that is looked for on PATH, is left out.
    """
    found = {}
    for rule in rules:
        name = rule.path if isinstance(rule, ReadsFile) else rule.program if isinstance(rule, Runs) else ""
        given = getattr(params, name) if name else ""
        if given and ("/" in given or isinstance(rule, ReadsFile)):
            with suppress(RuntimeError):  # nobody's home
                found[name] = str(folder / Path(given).expanduser())
    return found


def depends_on_files(rules: Iterable[Rule]) -> bool:
    """Whether what a kind of probe demands may change while its plan stays the same: by a file or a link."""
    return any(isinstance(rule, Runs | ReadsFile) for rule in rules)


def variables_read(rules: Iterable[Rule], params: object) -> Iterator[str]:
    """Names of the environment variables that a probe with these parameters reads by itself."""
    for rule in rules:
        if isinstance(rule, SendsKey) and (name := getattr(params, rule.variable, None)):
            yield name
        if isinstance(rule, Runs) and rule.environment:
            yield from getattr(params, rule.environment)


@frozen
class Connects:
    """Signs in with a connection string. libpq adds passwords and keys of its own files, so that it always is a demand."""

    dsn: str

    def demands(self, asked: Asked) -> Iterator[Demand]:
        dsn = getattr(asked.params, self.dsn)
        if dsn:
            yield from connecting(dsn, self.dsn, asked.folder)


@frozen
class ReadsFile:
    """Reads the file or folder a parameter names: a demand where it is outside the plan's folder.

    A relative path is one of that folder, wherever the cockpit was started.
    """

    path: str

    def demands(self, asked: Asked) -> Iterator[Demand]:
        path = getattr(asked.params, self.path)
        if path and (found := _outside(path, asked.folder)):
            yield Demand(Does.READS, place(found))


@frozen
class Writes:
    """Changes something in the world: `what`, followed by the host or name that `where` holds."""

    what: str
    where: str
    when: Callable[[Any], bool] = _always

    def demands(self, asked: Asked) -> Iterator[Demand]:
        if self.when(asked.params):
            yield Demand(Does.WRITES, f"{self.what} {_host(getattr(asked.params, self.where))}")


def reaching(host: str) -> Iterator[Demand]:
    """What asking a host by itself asks for: where it is written as an address nobody probes by accident."""
    if is_restricted(host):
        address = str(address_in(host))
        yield Demand(Does.SENDS, f"requests to {address}, a link-local or metadata address", address)


def connecting(dsn: str, name: str, folder: Path) -> Iterator[Demand]:
    """What connecting to a database asks for; `name` is how the plan calls the connection string."""
    from probes.clients.dsn import files_of, hosts_of, restricted_in

    hosts = hosts_of(dsn)
    to = ", ".join(map(place, hosts)) or UNNAMED
    yield Demand(Does.SENDS, f"the user and password of {name} to {to}")
    for address in restricted_in(dsn):
        yield from reaching(address)
    for path in files_of(dsn):
        if found := _outside(path, folder):
            yield Demand(Does.READS, place(found))


def _outside(path: str, folder: Path) -> str:
    """The real path of a file outside the folder, links followed; empty inside of it."""
    try:
        real = Path(path).expanduser().resolve()
        return "" if real.is_relative_to(folder.resolve()) else str(real)
    except (OSError, RuntimeError, ValueError):  # a circle of links, nobody's home, a name no file has
        return path


def place(name: str) -> str:
    """A host or file, for people. One that came from the environment is hidden, and yet another one is another demand."""
    shown = hide(name)
    return shown if shown == name else f"{shown} (of the environment: {hashlib.sha256(name.encode()).hexdigest()[:12]})"


def _address(host: str) -> str:
    """The host of a URL, without its port, or a name as it is."""
    if "://" not in host:
        return host
    try:
        return urlsplit(host).hostname or ""
    except ValueError:
        return ""


def _host(address: str) -> str:
    """Host and port of a URL, or a name as it is."""
    if "://" not in address:
        return place(address)
    try:
        return place(urlsplit(address).netloc.rpartition("@")[2]) or UNNAMED
    except ValueError:
        return UNNAMED
