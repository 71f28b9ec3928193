"""A record whose share was left, for an empty folder in its place or another bucket of its name.

Whatever others stated in the share that was left is not known, in that session and in every later one, until it is there again or
somebody goes on by name.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource

from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.shared_store import DirectoryStore, S3Store, Store
from cockpit.plan.model import Plan


@dataclass
class Night:
    """Sessions one after the other, on one machine or on several."""

    folder: Path
    plan: Plan
    clock: HandClock = field(default_factory=HandClock)

    def place(self, name: str) -> Store:
        return DirectoryStore(self.folder / name)

    @asynccontextmanager
    async def session(self, store: Store | None, who: str = "ada", root: str = "records") -> AsyncIterator[Session]:
        root_ = self.folder / root
        async with recording(self.plan, self.clock, who=who, root=root_, store=store) as kept:
            watch = Watch(self.plan, NoSource(), self.clock, kept.record, kept.started_at)
            kept.attach(watch)
            yield Session(self.clock, kept, watch, Desk(watch, kept, who))
        self.clock.time += timedelta(minutes=1)

    async def holds(
        self, store: Store | None, who: str = "ada", root: str = "records", *, goes_on: bool = False
    ) -> bool:
        """Whether a session holds at its end; who decides goes on there without what is missing, where they do."""
        async with self.session(store, who, root) as here:
            if goes_on:
                assert await here.holds()
                await here.desk.go_without(here.desk.missing_lines(), "rang bob: he stated nothing")
            return await here.holds()


@dataclass
class Session:
    clock: HandClock
    kept: Recording
    watch: Watch
    desk: Desk

    async def holds(self) -> bool:
        """After two looks at the share: whether it holds because that is not read."""
        for _ in range(2):
            await self.kept.sharing.share()
            self.clock.time += timedelta(seconds=1)
            self.watch.tick()
        return bool(self.watch.situation.withheld.unread)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path, signing_plan(tmp_path))


async def test_it_holds_in_every_session_there_until_it_is_back(night: Night) -> None:
    assert not await night.holds(night.place("share"))
    for _ in range(3):
        assert await night.holds(night.place("empty")), "what it has put there itself makes no share of it"
    assert await night.holds(None)
    assert not await night.holds(night.place("share")), "it is there again"
    assert not await night.holds(night.place("share"))


async def test_who_goes_on_by_name_makes_it_the_share_and_another_one_is_left_anew(night: Night) -> None:
    await night.holds(night.place("share"))
    assert not await night.holds(night.place("empty"), goes_on=True)
    assert not await night.holds(night.place("empty"))
    for _ in range(2):
        assert await night.holds(night.place("another"))
    assert not await night.holds(night.place("empty"))


async def test_without_a_share_it_is_gone_on_with_by_name_once(night: Night) -> None:
    await night.holds(night.place("share"))
    assert await night.holds(None)
    assert not await night.holds(None, goes_on=True)
    assert not await night.holds(None)
    assert not await night.holds(night.place("empty")), "nothing else is missing there"
    assert await night.holds(None), "now something may have been stated there"


@pytest.mark.parametrize("root", ["records", "bob's"])
async def test_another_cockpit_beside_it_or_on_another_machine_holds_likewise(
    root: str, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def both(store: Store) -> tuple[bool, bool]:
        async with night.session(store) as adas:
            hers = await adas.holds()
            with monkeypatch.context() as his:
                if root != "records":
                    his.setenv("XDG_STATE_HOME", str(night.folder / "his machine"))
                async with night.session(store, "bob", root) as bobs:
                    assert bobs.kept.folder.id == adas.kept.folder.id
                    return hers, await bobs.holds()

    assert await both(night.place("share")) == (False, False)
    assert await both(night.place("empty")) == (True, True)


async def test_a_share_that_is_emptied_while_it_is_read_is_left(night: Night) -> None:
    """What stood in it for less than a look is gone without a trace."""
    share = night.folder / "share"
    async with night.session(night.place("share")) as here:
        assert not await here.holds()
        shutil.copytree(share, night.folder / "before")
        for each in share.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        assert await here.holds()
        assert night.place("share").parts(), "what is here is put there again"
        shutil.copytree(night.folder / "before", share, dirs_exist_ok=True)
        assert not await here.holds()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    server.stop()


@pytest.mark.parametrize("runs_on", [True, False])
async def test_a_bucket_that_was_made_again_is_another_share(runs_on: bool, s3: Any, night: Night) -> None:
    bucket = f"records-{runs_on}".lower()
    s3.create_bucket(Bucket=bucket)
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(night.session(S3Store(s3, bucket, "night")))
        assert not await here.holds()
        if not runs_on:
            await stack.aclose()
        for each in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            s3.delete_object(Bucket=bucket, Key=each["Key"])
        s3.delete_bucket(Bucket=bucket)
        s3.create_bucket(Bucket=bucket)
        assert not runs_on or await here.holds()
    for _ in range(2):
        assert await night.holds(S3Store(s3, bucket, "night"))
