"""An action is done as it was shown, on the service its step names, once; or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from actions.test_ecs_rollback import Passing, by_digest
from rehearsal.test_aws_desk import COCKPIT, START
from rehearsal.test_aws_ecs import TARGETS, Furnished
from support.cockpit_process import ROOT
from support.sources import NoSource
from support.waiting import until
from textual.widgets import Input
from tui.stage import listens, shown

from cockpit.actions.executor import Executor
from cockpit.decide.events import (
    Decision,
    Entry,
    Happened,
    PhaseBegan,
    PointOfNoReturn,
    ReleaseSeen,
    StepBegan,
    StepEnded,
)
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import recording
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.journal.record_folder import RecordFolder
from cockpit.plan.load import load_plan
from cockpit.plan.model import Person, Phase
from cockpit.rehearsal.aws.services.sts_iam import Identity
from cockpit.report.formats.markdown import markdown
from cockpit.report.load_record import account_of
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.steps import RollbackScreen
from probes.clients.clients import AwsOptions, Clients

PLAN = """
plan: v1
name: orders
target: {account: "123456789012", region: us-east-1}
people: [{id: ada, name: Ada, roles: [on_call]}]
probes:
  api: {uses: ecs.service, with: {cluster: orders, service: orders-api}}
  worker: {uses: ecs.service, with: {cluster: orders, service: orders-worker}}
rollback_plan:
  - {id: back.api, title: Back with the API, action: {uses: ecs.rollback, service: api}}
  - {id: back.worker, title: Back with the worker, action: {uses: ecs.rollback, service: orders/orders-worker}}
"""
API, WORKER = "orders-api", "orders-worker"
OTHER = "AKIAAPPROLE000000000"
"""A key of another principal."""


@dataclass
class Seat:
    world: Furnished
    watch: Watch
    executor: Executor
    folder: Path
    keys: list[str]
    """The access keys in use from now on: the last."""
    good: str = ""
    bad: str = ""
    before: dict[str, int] = field(default_factory=dict)

    def step(self, name: str) -> StepStatus:
        self.watch.tick()
        return next(each for each in self.watch.situation.rollback_plan if each.id == name)

    def deployments(self, service: str) -> int:
        return len(self.world.ecs.list_service_deployments(cluster="orders", service=service)["serviceDeployments"])

    def runs(self, service: str) -> str:
        found = self.world.ecs.describe_services(cluster="orders", services=[service])["services"][0]
        return str(found["taskDefinition"])


@asynccontextmanager
async def opened(world: Furnished, root: Path, *, noted: bool = True, text: str = PLAN) -> AsyncIterator[Seat]:
    """Two services that ran one release, which was noted unless not `noted`, and run a bad one now."""
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    for service in (API, WORKER):
        world.aws.ecs.create_service("orders", service, good, 2, TARGETS, "web", 3000, since=START)
    keys = [COCKPIT]
    clients = Clients(AwsOptions("us-east-1", account="123456789012"), lambda service: world.client(service, keys[-1]))
    clock = Passing(world)
    (root / "orders.yaml").write_text(text)
    plan = load_plan(root / "orders.yaml", environ={})
    async with recording(plan, clock, who="ada", root=root) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        watch.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        kept.attach(watch)
        watch.tick()
        executor = Executor(Desk(watch, kept, "ada"), clients, kept.record, clock)
        if noted:
            noting = asyncio.create_task(executor.watch_release())
            await until(lambda: len(watch.record.all(ReleaseSeen)) == 2)
            await end((noting,))
        for service in (API, WORKER):
            await asyncio.to_thread(world.ecs.update_service, cluster="orders", service=service, taskDefinition=bad)
        await asyncio.to_thread(world.wait, 180)
        seat = Seat(world, watch, executor, kept.folder.path, keys, good, bad)
        seat.before = {service: seat.deployments(service) for service in (API, WORKER)}
        try:
            yield seat
        finally:
            await clients.close()


@pytest.fixture
def world() -> Any:
    made = Furnished()
    yield made
    made.close()


async def test_each_step_updates_its_own_service_once(world: Furnished, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step("back.worker"))
        assert proposal.words == "roll back orders/orders-worker"
        assert all(said in proposal.title for said in ("orders/orders-worker", "us-east-1", "123456789012"))
        said = await seat.executor.do(proposal, "the worker drops orders")
        assert "orders/orders-worker" in said
        assert "us-east-1" in said
        assert (seat.runs(API), seat.runs(WORKER)) == (seat.bad, seat.good), "the other one is left alone"
        assert seat.step("back.api").progress is StepState.OPEN
        await seat.executor.do(await seat.executor.propose(seat.step("back.api")), "and so does the API")
        assert {service: seat.deployments(service) - seat.before[service] for service in (API, WORKER)} == {
            API: 1,
            WORKER: 1,
        }
        assert (seat.runs(API), seat.runs(WORKER)) == (seat.good, seat.good)
        ended = {each.subject: each for each in seat.watch.record.all(StepEnded)}
        assert {name: each.outcome for name, each in ended.items()} == {"back.api": "done", "back.worker": "done"}
        for name, service in (("back.api", API), ("back.worker", WORKER)):
            assert f"orders/{service}" in ended[name].seen
            assert "us-east-1" in ended[name].seen
            assert f"orders/{service}" in seat.step(name).seen
    page = markdown(account_of(RecordFolder(seat.folder)))
    for said in ("orders/orders-api", "orders/orders-worker", "region us-east-1"):
        assert said in page, said


@pytest.mark.long
async def test_the_shipped_plan_for_two_services_goes_back_on_both(world: Furnished, tmp_path: Path) -> None:
    text = (
        (ROOT / "checklists" / "orders.yaml")
        .read_text()
        .replace("id: primary", "id: ada")
        .replace("[Your Name]", "Ada")
    )
    async with opened(world, tmp_path, text=text) as seat:
        for step, service in (("api.back", API), ("worker.back", WORKER)):
            assert seat.runs(service) == seat.bad
            assert "complete, 2 of 2 tasks" in await seat.executor.do(
                await seat.executor.propose(seat.step(step)), "5xx at 12 %"
            )
            assert seat.runs(service) == seat.good
            assert seat.step(step).progress is StepState.DONE


async def test_the_decision_with_its_reason_is_kept_before_anything_is_done(world: Furnished, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step("back.api"))
        with pytest.raises(Refused, match="reason"):
            await seat.executor.do(proposal, " ok ")
        assert seat.deployments(API) == seat.before[API]
        proposal = await seat.executor.propose(seat.step("back.api"))
        await seat.executor.do(proposal, "5xx at 12 %")
        kinds = [type(each) for each in seat.watch.record.entries if isinstance(each, Decision | StepBegan | Happened)]
        assert kinds[:2] == [Decision, StepBegan]
        (decision,) = seat.watch.record.all(Decision)
        for said in ("5xx at 12 %", "orders/orders-api", "123456789012", "us-east-1", "role/on-call"):
            assert said in decision.why, said


def another_principal(seat: Seat) -> None:
    seat.keys.append(OTHER)


def somebody_deploys(seat: Seat) -> None:
    other = by_digest(seat.world, "c")
    seat.world.ecs.update_service(cluster="orders", service=API, taskDefinition=other)


def the_image_goes(seat: Seat) -> None:
    digest = seat.watch.record.all(ReleaseSeen)[0].digests
    ids = [{"imageDigest": digest}]
    seat.world.client("ecr").batch_delete_image(repositoryName="transparent-trust", imageIds=ids)


def the_revision_goes(seat: Seat) -> None:
    seat.world.ecs.deregister_task_definition(taskDefinition=seat.good)


def another_target(seat: Seat) -> None:
    seen = next(each for each in seat.watch.record.all(ReleaseSeen) if each.service == API)
    seat.watch.record.append(replace(seen, at=seat.watch.clock.now(), task_definition=by_digest(seat.world, "c")))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_principal, "principal was .*on-call.*, and is .*transparent-trust-task"),
        (somebody_deploys, "runs was"),
        (the_image_goes, "no longer in ECR"),
        (the_revision_goes, "deregistered"),
        (another_target, "goes to was"),
    ],
)
async def test_what_is_no_longer_as_it_was_shown_is_refused(
    world: Furnished, tmp_path: Path, change: Callable[[Seat], None], says: str
) -> None:
    async with opened(world, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step("back.api"))
        await asyncio.to_thread(change, seat)
        deployments = seat.deployments(API)
        with pytest.raises(Refused, match=says):
            await seat.executor.do(proposal, "5xx at 12 %")
        assert seat.deployments(API) == deployments
        assert seat.watch.record.all(Decision) == []
        assert seat.step("back.api").progress is StepState.OPEN
        assert seat.executor.busy == ""


async def test_a_proposal_is_done_once_however_often_it_is_confirmed(world: Furnished, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step("back.api"))
        twice = [asyncio.ensure_future(seat.executor.do(proposal, "5xx at 12 %")) for _ in range(2)]
        results = await asyncio.gather(*twice, return_exceptions=True)
        assert [isinstance(each, Refused) for each in results] == [False, True]
        with pytest.raises(Refused, match="outdated or already used"):
            await seat.executor.do(proposal, "once more")
        assert seat.deployments(API) - seat.before[API] == 1
        assert len(seat.watch.record.all(Decision)) == 1


def past_the_return(seat: Seat) -> None:
    seat.watch.record.append(PointOfNoReturn(seat.watch.clock.now(), "12 files that live in S3 alone"))


async def test_past_the_point_of_no_return_nothing_is_rolled_back_whatever_the_verdict(
    world: Furnished, tmp_path: Path
) -> None:
    """No trigger calls for it: the verdict is HOLD. Reached before it is shown, after, and while the decision is signed."""
    async with opened(world, tmp_path) as seat:
        proposal = await seat.executor.propose(seat.step("back.api"))
        past_the_return(seat)
        with pytest.raises(Refused, match="would lose 12 files"):
            await seat.executor.do(proposal, "5xx at 12 %")
        with pytest.raises(Refused, match="would lose 12 files"):
            await seat.executor.propose(seat.step("back.api"))
        with pytest.raises(Refused, match="would lose 12 files"):
            await seat.executor.desk.execute("5xx at 12 %")
        assert seat.watch.record.all(Decision) == []
        assert seat.deployments(API) == seat.before[API]


@pytest.mark.parametrize("signs", [Decision, StepBegan])
@pytest.mark.parametrize(
    ("change", "says"),
    [(past_the_return, "would lose 12 files"), (somebody_deploys, "runs was"), (the_revision_goes, "deregist")],
)
async def test_what_changes_while_it_is_signed_is_not_done(
    world: Furnished, tmp_path: Path, signs: type, change: Callable[[Seat], None], says: str
) -> None:
    """A key is touched a while later: for the decision, or for the step."""
    async with opened(world, tmp_path) as seat:
        keeper = seat.executor.desk.keeper

        class Touched:
            async def key_of(self, person: Person) -> str:
                return await keeper.key_of(person)

            async def keep(self, entry: Entry, person: Person, role: str) -> None:
                await keeper.keep(entry, person, role)
                if isinstance(entry, signs):
                    await asyncio.to_thread(change, seat)

        seat.executor.desk.keeper = Touched()
        proposal = await seat.executor.propose(seat.step("back.api"))
        with pytest.raises(Refused, match=says):
            await seat.executor.do(proposal, "5xx at 12 %")
        assert seat.runs(API) != seat.good
        assert seat.step("back.api").progress is StepState.FAILED
        assert "begun by" not in "".join(each.text for each in seat.watch.record.all(Happened))


async def test_only_the_newest_proposal_is_done(world: Furnished, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as seat:
        first = await seat.executor.propose(seat.step("back.api"))
        await seat.executor.propose(seat.step("back.worker"))
        with pytest.raises(Refused, match="outdated or already used"):
            await seat.executor.do(first, "5xx at 12 %")
        assert seat.deployments(API) == seat.before[API]


@pytest.mark.parametrize(
    ("target", "credentials"),
    [
        ('{account: "210987654321", region: us-east-1}', "123456789012"),
        ('{account: "123456789012", region: eu-west-1}', "123456789012"),
        ("{region: us-east-1}", "210987654321"),
    ],
)
async def test_what_is_of_another_account_or_region_than_plan_or_credentials_is_not_even_proposed(
    target: str, credentials: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:aws:sts::{credentials}:assumed-role/on-call/cockpit"
    answer = {"UserId": "AROAREHEARSED:cockpit", "Account": credentials, "Arn": arn}
    monkeypatch.setattr(Identity, "get_caller_identity", lambda _self, _call: answer)
    world, text = Furnished(), PLAN.replace('{account: "123456789012", region: us-east-1}', target)
    try:
        async with opened(world, tmp_path, text=text) as seat:
            with pytest.raises(Refused, match="Nothing was changed"):
                await seat.executor.propose(seat.step("back.api"))
    finally:
        world.close()


async def test_nobody_proposes_who_may_not_decide_and_nothing_while_another_is_under_way(
    world: Furnished, tmp_path: Path
) -> None:
    async with opened(world, tmp_path) as seat:
        nobody = replace(seat.executor, desk=Desk(seat.watch, seat.executor.desk.keeper, ""))
        with pytest.raises(Refused, match="identify"):
            await nobody.propose(seat.step("back.api"))
        proposal = await seat.executor.propose(seat.step("back.api"))
        doing = asyncio.ensure_future(seat.executor.do(proposal, "5xx at 12 %"))
        await until(lambda: seat.executor.busy)
        with pytest.raises(Refused, match="is under way"):
            await seat.executor.propose(seat.step("back.worker"))
        await doing


async def test_a_step_done_by_hand_is_done_only_once_its_own_service_is_back(world: Furnished, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as seat:
        action = seat.step("back.api").action
        assert action is not None
        await asyncio.to_thread(world.ecs.update_service, cluster="orders", service=WORKER, taskDefinition=seat.good)
        await asyncio.to_thread(world.wait, 180)
        with pytest.raises(Refused, match=r"orders/orders-api runs .*: the rollback is not complete"):
            await seat.executor.seen_back(action, "I deployed the one before")
        await asyncio.to_thread(world.ecs.update_service, cluster="orders", service=API, taskDefinition=seat.good)
        with pytest.raises(Refused, match="not back yet"):
            await seat.executor.seen_back(action, "I deployed the one before")
        await asyncio.to_thread(world.wait, 180)
        said = await seat.executor.seen_back(action, "I deployed the one before")
        assert said.startswith("I deployed the one before (orders/orders-api:")


async def test_without_a_noted_release_the_revision_is_named_seen_and_said_not_to_be_compared(
    world: Furnished, tmp_path: Path
) -> None:
    async with opened(world, tmp_path, noted=False) as seat:
        action = seat.step("back.api").action
        assert action is not None
        good, bad = (arn.rpartition("/")[2] for arn in (seat.good, seat.bad))
        with pytest.raises(
            Refused, match=f"was not recorded, so begin with the revision .* as in  {bad}: what you saw"
        ):
            await seat.executor.seen_back(action, "I deployed the one before")
        with pytest.raises(Refused, match=f"runs {bad}, not {good}: the rollback is not complete"):
            await seat.executor.seen_back(action, f"{good}: I deployed it")
        await asyncio.to_thread(world.ecs.update_service, cluster="orders", service=API, taskDefinition=seat.good)
        with pytest.raises(Refused, match="not back yet"):
            await seat.executor.seen_back(action, f"{good}: I deployed it")
        await asyncio.to_thread(world.wait, 180)
        seen = await seat.executor.seen_back(action, f"{good}: I deployed it")
        assert seen.startswith("NOT COMPARED with what ran before, which was not recorded. ")
        assert f"(orders/orders-api: {good} complete, 2 of 2 tasks)" in seen
        await seat.executor.desk.start_step("back.api")
        await seat.executor.desk.end_step("back.api", "done", seen)
        assert seat.step("back.api").seen == seen
    assert "NOT COMPARED with what ran before" in markdown(account_of(RecordFolder(seat.folder)))


async def test_on_the_screen_the_words_name_the_service_and_why_and_enter_twice_does_it_once(
    world: Furnished, tmp_path: Path
) -> None:
    async with opened(world, tmp_path) as seat:
        desk = seat.executor.desk
        app = CockpitApp(seat.watch, desk=desk, executor=seat.executor, armed=True)
        async with app.run_test(size=(140, 40)) as pilot:
            await pilot.press("5")
            assert isinstance(app.screen, RollbackScreen)
            for _ in range(2):  # enter, twice
                app.open_step("back.worker")
            await until(lambda: isinstance(app.screen, AnswerScreen) and len(app.screen.query("#word")) == 1)
            page = app.screen
            assert isinstance(page, AnswerScreen)
            field = page.query_one("#word", Input)
            await until(lambda: listens(app))
            text = " ".join(shown(app).split())
            for said in ("orders/orders-worker", "123456789012", "us-east-1", "role/on-call", "ECR has", "is ACTIVE"):
                assert said in text, said
            refused = ("roll back", "roll back orders/orders-api: why not", "roll back orders/orders-workers: typo")
            for typed in (*refused, "roll back orders/orders-worker", "roll back orders/orders-worker: ok"):
                field.value = typed
                await pilot.press("enter")
                await pilot.pause()
                assert app.screen is page, typed
                assert seat.watch.record.all(Decision) == []
            field.value = "roll back orders/orders-worker: it drops orders"
            app.armed = False
            await pilot.press("enter")
            await until(lambda: "read-only: F9 arms the cockpit; nothing was changed" in shown(app))
            assert seat.watch.record.all(Decision) == []
            app.armed = True
            await pilot.press("enter", "enter")
            await until(lambda: seat.watch.record.all(StepEnded))
        assert seat.deployments(WORKER) - seat.before[WORKER] == 1
        assert seat.deployments(API) == seat.before[API]
        assert len(seat.watch.record.all(Decision)) == 1
