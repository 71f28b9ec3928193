"""Small plans for these tests: a probe of their own, and a way to write a plan and see what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import pytest
from pydantic import Field as Setting
from pydantic import field_validator

from cockpit.plan.load import PlanError, load_text
from cockpit.plan.model import Plan
from cockpit.plan.source.problems import Problem
from probes import registry
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Field, Reading


class SampleParams(Params):
    target: str
    count: int = 1
    ratio: float = 0.5
    deep: bool = False
    kind: Literal["a", "b"] = "a"
    names: list[str] | str = Setting(default_factory=list)
    password: str = Setting("", repr=False)

    @field_validator("password")
    @classmethod
    def _long(cls, value: str) -> str:
        if value and len(value) < 4:
            raise ValueError(f"{value} is too short")
        return value


class Sample(Probe[SampleParams]):
    """Reads nothing; it has a field of every type."""

    name = "sample.live"
    params_type = SampleParams
    demands = AWS_ALONE
    cannot_see = "anything: it is for tests"
    late = "not at all"
    fields = (
        Field("ok", bool, "works", example=True),
        Field("running", int, "tasks", 2, "count", low=0),
        Field("rate", float, "share", 0.01, "ratio", low=0, high=1),
        Field("status", str, "word", "available"),
        Field("names", tuple, "words", ("a",)),
    )
    interval = timedelta(seconds=20)

    async def read(self, now: datetime) -> Reading:
        return self.reading(now, {})


class SampleMetric(Sample):
    """The same, of a metric."""

    name = "sample.metric"
    interval = timedelta(seconds=30)
    period = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def own_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the sample probes beside the built-in ones."""
    monkeypatch.setitem(registry.BUILT_IN, "sample.live", f"{__name__}:Sample")
    monkeypatch.setitem(registry.BUILT_IN, "sample.metric", f"{__name__}:SampleMetric")
    monkeypatch.setitem(registry.BUILT_IN, "sample.broken", f"{__name__}:NotThere")


HEAD = """\
plan: v1
name: p
probes:
  live: {uses: sample.live, with: {target: x}}
  metric: {uses: sample.metric, with: {target: x}}
people:
  - {id: ann, name: Ann, roles: [on_call, db_owner]}
  - {id: bob, name: Bob, roles: [backup]}
"""


def plan(text: str, *, head: str = HEAD, environ: Mapping[str, str] | None = None, **more: str) -> Plan:
    """The plan of `head` and `text`; `more` overrides vars."""
    return load_text(head + text, "p.yaml", environ=environ or {}, overrides=more)


def problems(
    text: str, *, head: str = HEAD, environ: Mapping[str, str] | None = None, **more: str
) -> tuple[Problem, ...]:
    """What is wrong with it. Fails when nothing is."""
    with pytest.raises(PlanError) as caught:
        plan(text, head=head, environ=environ, **more)
    return caught.value.problems


def problem(text: str, *, head: str = HEAD, environ: Mapping[str, str] | None = None, **more: str) -> Problem:
    """The one thing that is wrong with it."""
    found = problems(text, head=head, environ=environ, **more)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def marked(found: Problem) -> str:
    """The characters under the carets."""
    begin = found.position.column - 1
    return found.source_line[begin : begin + found.length]
