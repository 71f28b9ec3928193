"""Why a line is in its state, as values: what was observed, against which limit, and how far its window is."""

from __future__ import annotations

from datetime import datetime, timedelta

from cockpit import formatting
from probes.frozen import frozen
from probes.reading import Unknown, Value


@frozen
class Observed:
    """One value a condition looks at, as seen now. `text` is ready to show ("4.2 %", "unknown: ACCESS_DENIED")."""

    path: str
    """`probe.field`"""
    value: Value | None
    text: str
    unit: str = ""
    meaning: str = ""
    unknown: Unknown | None = None
    against: bool = False
    """Whether it is what keeps a success criterion from holding, or what makes a trigger true."""
    limit: str = ""
    """What it is to be, ready to show: "want 1", "limit 5.0 %"; empty where the value says it."""

    @property
    def label(self) -> str:
        """`service running`; the probe alone where the field has no name of its own."""
        probe, _, name = self.path.partition(".")
        return (probe if name == "value" else f"{probe} {name}").replace("_", " ")

    @property
    def shown(self) -> str:
        """`service running 1 (want 2)`; what is simply so: `service stable`."""
        return self.named(self.label) + (f" ({self.limit})" if self.limit else "")

    def named(self, name: str) -> str:
        """The value under a name of your choice, without its limit."""
        return name if self.value is True else f"{name} {self.text}"


@frozen
class Threshold:
    """A simple comparison of the condition, for the chart and the because-line: `errors.rate > 0.05`."""

    path: str
    operator: str
    value: float | bool | str
    text: str
    """Ready to show: "> 5.0 %"."""


@frozen
class Progress:
    """How far a window is: `have` of `need`, from `samples` of `min_samples` real samples."""

    verb: str
    """"proven", "breached" or "clear"."""
    have: timedelta
    need: timedelta
    samples: int
    min_samples: int
    within: timedelta | None = None
    """For M of N: the window, of which `have` was bad, whatever lay in between."""
    watched: timedelta = timedelta(0)
    """For M of N: how much of it was seen."""

    @property
    def ratio(self) -> float:
        if not self.need:
            return 1.0 if self.samples >= self.min_samples else 0.0
        return min(1.0, self.have / self.need)


@frozen
class Explanation:
    """Why a criterion or item is in its state: enough to judge it without opening a console."""

    line: str
    """One line to read aloud or paste: values, threshold, window, data age."""
    condition: str = ""
    observed: tuple[Observed, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    progress: Progress | None = None
    data_at: datetime | None = None
    samples: int = 0
    probes: tuple[str, ...] = ()
    query: str = ""
    request_id: str = ""
    console_url: str = ""
    lines: tuple[str, ...] = ()
    excerpt: str = ""
    """The first line of raw detail of a probe whose value is against: the log line, the secret that is missing."""
    hint: str = ""
    """What to do next about a value that is against, where its probe knows it: "begin the verify"."""
    done_in: str = ""
    """The part of the cockpit that does what the hint says; empty where none does."""
    times: int = 0
    """For a trigger that is true: the how-many-th time in this phase it is; 0 where it is the first."""

    @property
    def against(self) -> str:
        """The values that are against, with what they were to be: `errors rate 12.0 % (limit 5.0 %)`."""
        return ", ".join(each.shown for each in self.observed if each.against)

    @property
    def again(self) -> str:
        """`second time`; empty the first time."""
        return f"{formatting.ordinal(self.times)} time" if self.times > 1 else ""

    @property
    def brief(self) -> str:
        """What decides and nothing else: the values that are against, and what is behind them; else the whole line."""
        if not self.against:
            return self.line
        return "; ".join(filter(None, [self.against, self.again, self.excerpt]))
