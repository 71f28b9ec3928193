"""Values and durations as text. One place, so that every front end shows the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from probes.reading import Value

NARROW = 1.25
"""A band of time this narrow is shown as one duration."""


def duration(value: timedelta) -> str:
    """Two units at most.

    >>> [duration(timedelta(seconds=s)) for s in (0, 45, 100, 600, 3660, 90000)]
    ['0s', '45s', '1m40s', '10m', '1h01m', '1d01h']
    """
    seconds = max(0, round(value.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h{minutes:02d}m" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{seconds:02d}s" if seconds else f"{minutes}m"
    return f"{seconds}s"


def left(time: timedelta) -> str:
    """Until when something comes if nothing changes; what is due comes with what is read next.

    >>> left(timedelta(seconds=58)), left(timedelta(0))
    ('in 58s', 'with the next reading')
    """
    return f"in {duration(time)}" if time.total_seconds() >= 1 else "with the next reading"


def value(shown: Value, unit: str = "") -> str:
    """A value with its unit.

    >>> value(0.0423, "ratio"), value(2, "count"), value(True), value(1536, "bytes"), value(0.25, "s"), value(95.0, "s")
    ('4.2 %', '2', 'yes', '1.5 KB', '250 ms', '1m35s')
    """
    if isinstance(shown, bool):
        return "yes" if shown else "no"
    if isinstance(shown, datetime):
        return f"{shown:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(shown, tuple):
        return ", ".join(shown)
    if isinstance(shown, str):
        return shown
    return _number(float(shown), unit)


def _number(number: float, unit: str) -> str:
    if unit == "ratio":
        return f"{number * 100:.1f} %"
    if unit == "bytes":
        return _bytes(number)
    if unit == "s":
        return _seconds(number)
    if unit == "ms":
        return _seconds(number / 1000)
    text = f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"
    return text + {"per_s": "/s", "days": " days"}.get(unit, "")


def _seconds(seconds: float) -> str:
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    if abs(seconds) < 60:
        return f"{seconds:.1f} s"
    return duration(timedelta(seconds=seconds))


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def size(count: float) -> str:
    """Bytes as people read them.

    >>> size(812), size(5_146_820)
    ('812 B', '4.9 MB')
    """
    return _bytes(count)


def clock(at: datetime) -> str:
    """Time of day, UTC."""
    return f"{at:%H:%M:%S}"


def time_of_day(at: datetime) -> str:
    """Hours and minutes, UTC: of what is planned or estimated, seconds say nothing."""
    return f"{at:%H:%M}"


def count(number: int, noun: str) -> str:
    """
    >>> count(1, "waiver"), count(3, "criterion")
    ('1 waiver', '3 criteria')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number} criteria" if noun == "criterion" else f"{number} {noun}s"


def ordinal(number: int) -> str:
    """
    >>> ordinal(2), ordinal(4)
    ('second', '4th')
    """
    named = {1: "first", 2: "second", 3: "third"}
    if number in named:
        return named[number]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def role(name: str) -> str:
    """A role of a plan as people say it.

    >>> role("on_call"), role("db_owner"), role("release_manager")
    ('on-call', 'DB owner', 'release manager')
    """
    words = ["DB" if word == "db" else word for word in name.split("_")]
    return ("-" if words[0] == "on" else " ").join(words)


def decided(choice: str, why: str = "") -> str:
    """What a decision was for, as people say it. `why`: as it was stated, which of a migration names the phase that begins.

    >>> decided("execute"), decided("fix_forward"), decided("dismiss")
    ('roll back', 'fix forward', 'dismiss')
    >>> decided("migrate", "it is (purge day) quiet (copy 3 files of db/app)"), decided("migrate", "now")
    ('begin the copy', 'migrate')
    """
    if choice == "migrate" and (phases := _BEGUN.findall(why)):
        return f"begin the {phases[-1]}"
    return {"execute": "roll back"}.get(choice, choice.replace("_", " "))


_BEGUN = re.compile(r"\((copy|verify|purge|restore) ")


_STATED_AT = re.compile(r"\b\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\S*")
_BY_DATABASE = re.compile(r" \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+Z by the database\)$")


BACK_AGAIN = "nothing of the purge is in S3 alone any more, a rollback loses nothing"
"""Of the point of no return, once it is undone."""


def note(text: str) -> str:
    """A note of the migration without the times that machines tell it apart by: its line has one, by the clock of all lines.

    >>> note("ended: copy: done (2026-11-30 08:43:17.021330Z by the database)")
    'ended: copy: done'
    >>> note("decided: 2026-11-30T08:53:47.723281+00:00 second: now")
    'decided: 08:53:47 second: now'
    """
    return _STATED_AT.sub(r"\1", _BY_DATABASE.sub("", text))


def phase(name: str) -> str:
    """Where a cutover is, as people say it.

    >>> phase("pre_deploy"), phase("post_deploy")
    ('before the deployment', 'after the deployment')
    """
    return name.replace("pre_deploy", "before the deployment").replace("post_deploy", "after the deployment")


def listed(parts: Iterable[str]) -> str:
    """
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def roles(names: Iterable[str]) -> str:
    """Roles of which one is enough.

    >>> roles(["on_call"]), roles(["on_call", "backup", "db_owner"])
    ('on-call', 'on-call, backup or DB owner')
    """
    *first, last = [role(name) for name in names] or ["nobody"]
    return f"{', '.join(first)} or {last}" if first else last


def person(who: str, in_role: str) -> str:
    """
    >>> person("second", "db_owner"), person("second", "")
    ('second (DB owner)', 'second')
    """
    return f"{who} ({role(in_role)})" if in_role else who


def percent(done: int, of: int) -> str:
    """How much of it is done, rounded down: 100 % is all of it, and nothing else.

    >>> percent(9_397, 9_400), percent(3, 3), percent(0, 0)
    ('99%', '100%', '100%')
    """
    return f"{100 * done // of if of else 100}%"


def between(least_s: float, most_s: float) -> str:
    """A band of seconds; one duration where its ends read the same, or nearly.

    >>> between(30, 33), between(50, 200)
    ('33s', '50s to 3m20s')
    """
    least, most = (duration(timedelta(seconds=max(1, round(each)))) for each in (least_s, most_s))
    return most if least == most or most_s <= NARROW * least_s else f"{least} to {most}"
