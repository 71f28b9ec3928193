"""The policy `cockpit iam` prints is enough for the plan, and none of it is too much: an account that enforces it proves it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rehearsal.one_round import PLAN, Rounds, rounds
from support.waiting import LAST_RESORT_S

from cockpit.commands.iam import _probe_needs, policy, probes_need
from cockpit.engine.poller import _make
from cockpit.plan.load import load_plan
from probes.reading import Reason
from probes.registry import find

pytestmark = [pytest.mark.world]
ALWAYS = {"sts:GetCallerIdentity"}
"""AWS answers it whatever a policy says: removing it blinds nobody."""


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(kept)


def needs(world: Rounds) -> dict[str, set[str]]:
    """Probe -> the actions it says it needs in this plan."""
    clients = world.source.clients
    return {name: set(_probe_needs(spec, clients)) - ALWAYS for name, spec in world.plan.probes.items()}


def always(world: Rounds, name: str) -> set[str]:
    """Actions a probe needs whatever the world is like."""
    return needs(world)[name] - find(world.plan.probes[name].uses).iam_sometimes.keys()


async def denied(world: Rounds, name: str, allowed: set[str]) -> bool:
    """Whether a probe, made anew, is refused anything while only these actions are allowed."""
    world.assembly._aws.faults.allowed = frozenset(allowed)
    probe = _make(world.plan.probes[name], world.source.clients)
    async with asyncio.timeout(LAST_RESORT_S):
        reading = await probe.read(world.clock.now())
    await probe.close()
    return any(why.reason is Reason.ACCESS_DENIED for why in reading.unknown.values())


async def test_the_policy_is_enough_and_every_action_in_it_is_needed(tmp_path: Path) -> None:
    async with rounds(tmp_path / "world") as world:
        world.assembly._aws.faults.allowed = frozenset(probes_need(world.plan)) | ALWAYS
        await world.look()
        refused = {
            name: sorted(field for field, why in reading.unknown.items() if why.reason is Reason.ACCESS_DENIED)
            for name, reading in world.readings.items()
        }
        assert {name: fields for name, fields in refused.items() if fields} == {}, "the whole policy blinds nobody"
        too_little: dict[str, Any] = {}
        too_much: dict[str, Any] = {}
        for name, actions in needs(world).items():
            if not actions:
                continue
            # With only its own actions a probe sees: so no other action of the plan, removed, can blind it.
            if await denied(world, name, actions):
                too_little[name] = actions
            for action in sorted(always(world, name)):
                if not await denied(world, name, actions - {action}):
                    too_much.setdefault(name, []).append(action)
        assert too_little == {}
        left = [f"{name}: {action}" for name, actions in too_much.items() for action in actions]
        assert left == [], "\n".join(left)


def test_the_policy_says_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write, no wildcard action; what cannot be narrowed down stands on * alone."""
    needed = probes_need(load_plan(PLAN, require_environment=False))
    document = policy(needed)
    actions = [action for statement in document["Statement"] for action in statement["Action"]]
    assert sorted(actions) == sorted(needed)
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    assert not any("*" in action for action in actions)
    verbs = {action.partition(":")[2] for action in actions}
    reading = ("Get", "List", "Describe", "Head", "Lookup", "Simulate", "Start", "Stop", "BatchGet")
    assert {verb for verb in verbs if not verb.startswith(reading)} <= {"PutObject", "DeleteObject"}, verbs
