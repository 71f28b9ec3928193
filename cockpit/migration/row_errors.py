"""What a database error is about: one row, the moment, the statement for every row, or the way to the server. Said here alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum, auto
from typing import TypeVar

import psycopg

from cockpit.migration.database import GONE, words_of

T = TypeVar("T")
R = TypeVar("R")


class About(Enum):
    """Whose fault an error is, and so what stops."""

    ROW = auto()
    """A constraint, a length, a trigger, damaged storage, a timeout: this row fails, and the others go on."""
    MOMENT = auto()
    """A lock, a deadlock, a serialization failure: the same again, a moment later."""
    EVERY_ROW = auto()
    """A right, a column, the disk: it would be so for every row, and somebody must mend it."""
    SERVER = auto()
    """The server or the way to it: another connection is needed."""


_BY_CLASS = {
    "08": About.SERVER,  # connection
    "0A": About.EVERY_ROW,
    "25": About.SERVER,  # read only, after a failover
    "26": About.SERVER,
    "28": About.SERVER,
    "3D": About.SERVER,
    "40": About.MOMENT,
    "42": About.EVERY_ROW,
    "53": About.SERVER,
    "55": About.EVERY_ROW,  # a published table without a replica identity, and its kin
    "57": About.SERVER,
}
_BY_STATE = {
    "42601": About.ROW,  # a generated column, as PostgreSQL 13 calls it
    "428C9": About.ROW,  # a generated column
    "53100": About.EVERY_ROW,  # the disk is full
    "53200": About.ROW,  # out of memory: fewer rows take less
    "53400": About.EVERY_ROW,
    "55006": About.MOMENT,  # in use
    "55P03": About.MOMENT,  # locked
    "57014": About.ROW,  # a statement's time is up: fewer rows take less
}
_BY_FUNCTION = (About.EVERY_ROW,)
"""What a function says of this kind it says of the row it ran for: a table it does not find, a state it does not like."""
_OF_TRANSACTION = ("40", "53")
"""A conflict with another transaction, or a full disk, is that, whoever met it."""
_STALE_PLAN = "RevalidateCachedQuery"
"""The server's function that refuses a plan made before the table was changed: a new connection makes a new one."""
_TOO_MUCH = ("57014", "53200")


def about(error: psycopg.Error) -> About:
    """By SQLSTATE. What a function raised (a trigger's) came with the row it ran for; what no class claims did too."""
    state = error.sqlstate
    if state is None:
        return About.SERVER if isinstance(error, GONE) else About.ROW
    if state == "0A000" and error.diag.source_function == _STALE_PLAN:
        return About.SERVER
    found = _BY_STATE.get(state) or _BY_CLASS.get(state[:2], About.ROW)
    if found in _BY_FUNCTION and state[:2] not in _OF_TRANSACTION and error.diag.context:
        return About.ROW
    return found


def too_much(error: psycopg.Error) -> bool:
    """Whether fewer rows at a time may pass: the statement's time, or the server's memory, was up."""
    return error.sqlstate in _TOO_MUCH


def passes(error: psycopg.Error) -> bool:
    """Whether it passes by itself, on another connection or a moment later: a restart, a failover, a conflict."""
    return about(error) in (About.SERVER, About.MOMENT)


def server_words(error: psycopg.Error) -> str:
    """The server's words, without the row's values, and the code to look up."""
    return f"{words_of(error)} ({error.sqlstate})" if error.sqlstate else words_of(error)


async def apart(
    items: Sequence[T], change: Callable[[Sequence[T]], Awaitable[Collection[R]]]
) -> tuple[list[R], list[tuple[T, psycopg.Error]]]:
    """Run one for all of the items, and where one of them makes it fail, for halves, down to one.

    What it returned for those that could be, and the others with their errors. Each call must be a transaction of its own.
    Raises what is about every row, or the server.
    """
    if not items:
        return [], []
    try:
        return list(await change(items)), []
    except psycopg.Error as error:
        if about(error) not in (About.ROW, About.MOMENT):
            raise
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    first, second = await apart(items[:middle], change), await apart(items[middle:], change)
    return first[0] + second[0], first[1] + second[1]
