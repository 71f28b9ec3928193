"""A release that crashes, or was never started: the service is stable all the while, and no plan people begin with says GO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from rehearsal.test_aws_ecs import PLACE, Furnished
from support.clock import HandClock

from cockpit.decide.events import PhaseBegan
from cockpit.decide.states import State, Word
from cockpit.drafts.account_inventory import Found, FoundService
from cockpit.drafts.from_account import Chosen, draft
from cockpit.engine.poller import LiveSource
from cockpit.engine.watch import Watch
from cockpit.plan.load import load_plan, load_text
from cockpit.plan.model import Phase, Plan
from cockpit.rehearsal.aws.ecs.task import TaskBehaviour
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Value

MINIMAL = Path(__file__).resolve().parents[2] / "checklists" / "minimal.yaml"
OF_ECS = ("ecs.service", "ecs.tasks", "ecs.deployment")
FINE: Mapping[str, Mapping[str, Value]] = {"site": {"ok": True, "latency_ms": 90.0}}
"""What the probes of the site see all the while: the release before serves."""


def minimal(**more: str) -> Plan:
    return load_plan(MINIMAL, overrides={**PLACE, **more})


def drafted(**more: str) -> Plan:
    web = FoundService(PLACE["cluster"], PLACE["service"], 2)
    found = Found("123456789012", "us-east-1", (web,), (), (), (), ())
    return load_text(draft(found, Chosen("web", "https://web.example", web)), "drafted.yaml", overrides=more)


RELEASED = {"minimal": "service.stable", "Cutover of transparent-trust-web": "tasks.healthy"}
"""By the title of the plan: the criterion that says the release is there."""
PLANS = pytest.mark.parametrize("of", [minimal, pytest.param(drafted, marks=pytest.mark.long)])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Furnished]:
    desk = Furnished()
    monkeypatch.setenv("AWS_ENDPOINT_URL", desk.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACOCKPIT000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody checks")
    yield desk
    desk.close()


class Night:
    """A plan watched at the desk: its ECS probes, read every 30 s of the desk's clock, and a site that always answers."""

    def __init__(self, desk: Furnished, plan: Plan) -> None:
        self.desk = desk
        self.plan = plan
        self.clock = HandClock(desk.clock.now())
        self.live = LiveSource(plan, Clients(AwsOptions("us-east-1", account="123456789012")), self.clock, {})
        self.watch = Watch(plan, self.live, self.clock)
        self.verdicts: set[Word] = set()
        self.released: set[State] = set()
        """Where the criterion has stood that says the release is there."""

    def begin(self) -> None:
        self.watch.record.append(PhaseBegan(self.clock.now(), Phase.POST_DEPLOY))

    async def goes_on(self, minutes: int) -> None:
        for _ in range(minutes * 2):
            self.desk.wait(15)
            self.desk.wait(15)
            self.clock.time = now = self.desk.clock.now()
            for name, spec in self.plan.probes.items():
                if spec.uses in OF_ECS:
                    self.watch.take(name, await self.live.loops[name].read())
                elif name in FINE:
                    self.watch.take(name, Reading(now, now, FINE[name]))
            self.watch.tick()
            situation = self.watch.situation
            self.verdicts.add(situation.verdict.word)
            self.released |= {each.state for each in situation.criteria if each.id == RELEASED[self.plan.title]}


@PLANS
async def test_a_release_that_crashes_and_goes_back_by_itself_is_never_go(
    desk: Furnished, of: Callable[..., Plan]
) -> None:
    night = Night(desk, of())
    night.begin()
    desk.wait(1)
    desk.aws.ecs.behaviour[2] = TaskBehaviour(crash_after_s=12, exit_code=1)
    desk.aws.ecs.deploy(desk.release())
    await night.goes_on(45)
    assert desk.deployment()["status"] == "ROLLBACK_SUCCESSFUL"
    assert night.watch.board.readings.histories["service"].samples[-1].values["stable"] is True
    assert State.MET not in night.released
    assert Word.GO not in night.verdicts
    assert Word.ROLLBACK in night.verdicts
    await night.live.close()


@PLANS
async def test_a_release_that_was_never_started_is_not_met(desk: Furnished, of: Callable[..., Plan]) -> None:
    """The newest success is three days old."""
    night = Night(desk, of())
    night.begin()
    await night.goes_on(25)
    assert night.released == {State.NOT_MET}
    assert Word.GO not in night.verdicts
    assert Word.ROLLBACK not in night.verdicts
    await night.live.close()


@PLANS
async def test_a_release_that_comes_up_is_met(desk: Furnished, of: Callable[..., Plan]) -> None:
    night = Night(desk, of())
    night.begin()
    desk.wait(1)
    desk.aws.ecs.deploy(desk.release())
    await night.goes_on(25)
    assert State.MET in night.released
    assert of is drafted or Word.GO in night.verdicts, "the draft also asks people"
    await night.live.close()


@PLANS
async def test_a_deployment_from_before_the_cockpit_is_named_by_its_time(
    desk: Furnished, of: Callable[..., Plan]
) -> None:
    begun = desk.clock.now()
    desk.wait(1)
    desk.aws.ecs.deploy(desk.release())
    desk.wait(300)
    for more, met in (({}, False), ({"deployed_after": begun.isoformat()}, True)):
        night = Night(desk, of(**more))
        night.begin()
        await night.goes_on(25)
        assert (State.MET in night.released) is met
        await night.live.close()
