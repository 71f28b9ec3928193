"""Traffic in the users' place: a person starts it, every request is counted, and it ends by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.clock import HandClock
from support.http_server import Site, small_site
from support.sources import NoSource
from support.waiting import turns, until
from textual.widgets import Input
from tui.stage import listens, shown

from cockpit.actions.executor import Executor
from cockpit.actions.synthetic_traffic import AGENT, MOST_UNDER_WAY
from cockpit.decide.events import Entry, Happened, PhaseBegan, StepBegan, StepEnded
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import recording
from cockpit.engine.trusted_plans import TRUSTED_PLANS, TrustedPlans
from cockpit.engine.watch import Watch
from cockpit.plan.load import load_plan
from cockpit.plan.model import Person, Phase
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
from probes.clients.clients import AwsOptions, Clients

PLAN = """
plan: v1
name: quiet
people:
  - {id: ada, name: Ada, roles: [on_call]}
  - {id: eve, name: Eve, roles: [guest]}
probes:
  site: {uses: http.health, with: {url: "${url}/api/health"}}
vars: {url: https://app.example.com}
checklist:
  - section: Before
    phase: pre_deploy
    items: [{id: seen, title: Seen, sign_off: {ask: "What did you see?", roles: [on_call]}}]
gates:
  - {id: go, title: Go, before: deploy, poll: {roles: [on_call], required: 1}}
synthetic:
  url: "${url}"
  per_minute: 12
  for: 5m
  requests:
    - {path: /}
    - {path: /api/projects, method: POST, body: '{"name": "synthetic"}'}
runbook:
  - {id: run.traffic, title: Send traffic, action: synthetic.traffic}
"""


@dataclass
class Seat:
    site: Site
    watch: Watch
    executor: Executor
    clock: HandClock

    @property
    def step(self) -> StepStatus:
        self.watch.tick()
        return self.watch.situation.runbook[0]

    @property
    def ended(self) -> list[str]:
        return [entry.seen for entry in self.watch.record.all(StepEnded)]

    async def start(self, why: str = "nobody is awake") -> str:
        answer = await self.executor.do(await self.executor.propose(self.step), why)
        await until(lambda: self.clock._sleepers != [])  # the first request is on its way
        return answer

    async def minute(self, asked: int) -> None:
        """A minute passes, in which the site is asked until it was asked so often."""
        await self.clock.move(60)
        await until(lambda: len(self.site.asked) >= asked)


@asynccontextmanager
async def opened(
    site: Site, root: Path, *, trusted: bool = True, who: str = "ada", url: str = ""
) -> AsyncIterator[Seat]:
    clock = HandClock()
    (root / "quiet.yaml").write_text(PLAN)
    plan = load_plan(root / "quiet.yaml", environ={}, overrides={"url": url or site.url})
    if trusted:
        TrustedPlans().add(plan, clock.now(), "ada")
    clients = Clients(AwsOptions())
    async with recording(plan, clock, who=who, root=root) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        watch.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        kept.attach(watch)
        watch.tick()
        executor = Executor(Desk(watch, kept, who), clients, kept.record, clock)
        try:
            yield Seat(site, watch, executor, clock)
        finally:
            await executor.close()
            await clients.close()


@pytest.fixture(autouse=True)
def own_permissions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(TRUSTED_PLANS, str(tmp_path / "trusted.json"))


@pytest.fixture
async def pages() -> AsyncIterator[Site]:
    async with small_site() as site:
        site.page("/", 200)
        site.page("/api/projects", 500)
        yield site


async def test_it_is_sent_in_turn_counted_and_ends_by_itself(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        assert "12 requests a minute" in await seat.start()
        assert [step.progress for step in [seat.step]] == [StepState.STARTED]
        await until(lambda: len(pages.asked) == 1)
        for minute in range(1, 5):
            await seat.minute(12 * minute + 1)
        assert len(pages.asked) == 49
        assert f"user-agent: {AGENT}" in pages.asked[0].lower()
        assert [head.split(" HTTP")[0] for head in pages.asked[:4]].count("POST /api/projects") in (1, 2, 3)
        assert "ends at" in seat.step.seen
        await seat.clock.move(60)
        await until(lambda: bool(seat.ended))
        assert seat.ended == ["ended after 5m; 49 sent: 25 answered, 24 with a 5xx, 0 not answered"]
        assert [step.progress for step in [seat.step]] == [StepState.DONE]
        for _ in range(3):
            await seat.clock.move(60)
        assert len(pages.asked) == 49


async def test_who_started_it_is_kept_with_all_of_it(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        await seat.start()
        (began,) = seat.watch.record.all(StepBegan)
        assert (began.subject, began.by) == ("run.traffic", "ada")
        text = seat.watch.record.all(Happened)[0].text
        host = pages.url.rpartition("/")[2]
        assert text == (
            f"begun by ada: 12 requests a minute to {host} for 5m: GET /, POST /api/projects (nobody is awake)"
        )


async def test_a_plan_that_nobody_has_allowed_sends_nothing(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path, trusted=False) as seat:
        with pytest.raises(Refused, match=r"cockpit trust .*12 requests a minute for 5m to .*POST /api/projects"):
            await seat.start()
        await seat.clock.move(60)
        assert (pages.asked, seat.watch.record.all(StepBegan)) == ([], [])


async def test_what_is_no_longer_allowed_once_it_is_confirmed_sends_nothing(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step)
        (tmp_path / "trusted.json").unlink()
        with pytest.raises(Refused, match="cockpit trust"):
            await seat.executor.do(proposal, "nobody is awake")
        assert (pages.asked, seat.watch.record.all(StepBegan)) == ([], [])


async def test_while_one_is_being_signed_no_other_is_started(pages: Site, tmp_path: Path) -> None:
    """A key is touched a while later, and by then somebody has reviewed and confirmed it again."""
    async with opened(pages, tmp_path) as seat:
        keeper, touched = seat.executor.desk.keeper, asyncio.Event()

        class Touched:
            async def key_of(self, person: Person) -> str:
                return await keeper.key_of(person)

            async def keep(self, entry: Entry, person: Person, role: str) -> None:
                await touched.wait()
                await keeper.keep(entry, person, role)

        seat.executor.desk.keeper = Touched()
        first = asyncio.ensure_future(seat.executor.do(await seat.executor.propose(seat.step), "nobody is awake"))
        await turns()
        with pytest.raises(Refused, match="is being started"):
            await seat.executor.do(await seat.executor.propose(seat.step), "nobody is awake")
        touched.set()
        await first
        for minute in range(1, 4):
            await seat.minute(12 * minute + 1)
        assert len(pages.asked) == 37


async def test_who_may_not_decide_sends_nothing(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path, who="eve") as seat:
        with pytest.raises(Refused, match="eve is guest"):
            await seat.start()
        assert pages.asked == []


async def test_a_reason_that_says_nothing_sends_nothing(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        with pytest.raises(Refused):
            await seat.start("ok")
        assert (pages.asked, seat.watch.record.all(StepBegan)) == ([], [])


async def test_a_person_stops_it_before_its_time(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        await seat.start()
        await until(lambda: len(pages.asked) == 1)
        proposal = await seat.executor.propose(seat.step)
        assert proposal.words == "stop traffic"
        assert "traffic stopped" in await seat.executor.do(proposal, "users are awake")
        assert seat.ended[0].startswith("stopped by ada (users are awake)")
        await seat.clock.move(60)
        assert len(pages.asked) == 1
        with pytest.raises(Refused, match="outdated or already used"):
            await seat.executor.do(proposal, "users are awake")


async def test_nothing_is_sent_for_a_cockpit_that_is_closed(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        await seat.start()
        await until(lambda: len(pages.asked) == 1)
        await seat.executor.close()
        assert seat.ended[0].startswith("stopped: the cockpit was closed")
        await seat.clock.move(60)
        assert len(pages.asked) == 1


async def test_what_is_not_answered_is_counted_so(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path, url="http://127.0.0.1:1") as seat:
        await seat.start()
        await seat.clock.move(301)
        await until(lambda: bool(seat.ended))
        assert seat.ended == ["ended after 5m; 1 sent: 0 answered, 0 with a 5xx, 1 not answered"]


async def test_after_a_sleep_what_was_missed_is_not_sent_in_one_go(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        await seat.start()
        await seat.clock.move(299)
        await until(lambda: len(pages.asked) >= MOST_UNDER_WAY)
        await seat.clock.move(60)
        await until(lambda: bool(seat.ended))
        assert len(pages.asked) <= MOST_UNDER_WAY + 1


async def test_read_only_it_never_starts_and_armed_it_asks_for_the_words(pages: Site, tmp_path: Path) -> None:
    async with opened(pages, tmp_path) as seat:
        app = CockpitApp(seat.watch, desk=seat.executor.desk, executor=seat.executor)
        async with app.run_test(size=(120, 40)) as pilot:
            app.open_step("run.traffic")
            await until(lambda: isinstance(app.screen, AnswerScreen) and len(app.screen.query("#word")) == 1)
            field = app.screen.query_one("#word", Input)
            await until(lambda: listens(app))
            field.value = "start"
            await pilot.press("enter")
            await until(lambda: seat.watch.record.all(StepBegan) != [])
            assert not [entry for entry in seat.watch.record.all(Happened) if entry.subject.startswith("synthetic")]
            assert pages.asked == []
        app = CockpitApp(seat.watch, desk=seat.executor.desk, executor=seat.executor, armed=True)
        async with app.run_test(size=(120, 40)) as pilot:
            app.open_step("run.traffic")
            await until(lambda: isinstance(app.screen, AnswerScreen) and len(app.screen.query("#word")) == 1)
            page = app.screen
            field = page.query_one("#word", Input)
            await until(lambda: listens(app))
            text = " ".join(shown(app).split())
            for said in ("12 requests a minute", "GET /, POST /api/projects", AGENT, "stops by itself"):
                assert said in text, said
            for typed in ("send", "send traffic", "send traffics: typo"):
                field.value = typed
                await pilot.press("enter")
                await pilot.pause()
                assert app.screen is page, typed
            assert pages.asked == []
            field.value = "send traffic: nobody is awake"
            await pilot.press("enter")
            await until(lambda: len(pages.asked) == 1)
