"""`cockpit check` of the shipped plan in a world where nothing is wrong: every line a probe can judge passes, with evidence."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support.plans.shipped_plan import shipped_plan
from support.plans.trusted_plan import allow
from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
PLAN = Path(__file__).resolve().parents[2] / "checklists" / "transparent-trust.yaml"
SPEED, JOURNEYS = 60, 60
"""The users' journeys after which the log, the rows and the metrics have something to tell."""
WATCHES = ((8, 30), (16, 30), (8, 10), (8, 3))
"""Minutes of the world, and its speed. Metrics and logs are a minute or two old, and data from before a watch began proves
nothing in it: on a busy machine, on which the cockpit reads late by the world's clock, it has to watch longer, or a slower world.
"""


async def checked(world: Rehearsal) -> dict[str, Any]:
    """The situation in which nothing warms up any more, and nothing was read too late."""
    for minutes, speed in WATCHES:
        world.clock.set_speed(speed)
        found = await checked_for(world, minutes)
        lines = [item["because"]["line"] for item in items(found).values() if item["automatic"]]
        if not any(word in line for line in lines for word in ("no reading", "no sample", "judged from", "STALE")):
            break
    return found


async def checked_for(world: Rehearsal, minutes: int) -> dict[str, Any]:
    """The situation `cockpit check` prints; the command is a process of its own, as people start it."""
    variables = [part for name, value in world.vars.items() for part in ("--var", f"{name}={value}")]
    command = [sys.executable, "-m", "cockpit", "check", str(PLAN), "--for", f"{minutes}m", "--format", "json"]
    environment = dict(os.environ)
    world.apply(environment)
    allow(PLAN, environment, **world.vars)
    process = await asyncio.create_subprocess_exec(
        *command, *variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    out, err = await process.communicate()
    assert process.returncode in (0, 1), err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture(scope="module")
def situation(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    async def once() -> dict[str, Any]:
        async with Rehearsal() as world:
            world.clock.set_speed(SPEED)
            async with asyncio.timeout(LAST_RESORT_S):
                while (await world.report())["journeys"] < JOURNEYS:  # noqa: ASYNC110 - the world offers no event
                    await asyncio.sleep(0.1)
            return await checked(world)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        return asyncio.run(once())


def items(situation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for section in situation["sections"] for item in section["items"]}


def test_every_line_a_probe_can_judge_passes(situation: dict[str, Any]) -> None:
    judged = {id_: item for id_, item in items(situation).items() if item["automatic"]}
    wrong = {id_: (item["check"], item["because"]["line"]) for id_, item in judged.items() if not _holds(item)}
    assert wrong == {}
    assert len(judged) >= 40
    assert "UNKNOWN" not in {item["check"] for item in items(situation).values()}


def _holds(item: dict[str, Any]) -> bool:
    """PASS; or PENDING, where the evidence holds and a person has yet to sign."""
    return item["check"] == "PASS" or (item["check"] == "PENDING" and item["sign_off"] is not None)


def test_each_of_them_has_evidence_with_values_and_a_query(situation: dict[str, Any]) -> None:
    for id_, item in items(situation).items():
        if item["automatic"]:
            because = item["because"]
            assert because["data_at"], id_
            assert because["query"], id_
            assert all(each["value"] is not None for each in because["observed"]), (id_, because["observed"])


def test_no_probe_fails_and_every_one_of_them_is_used(situation: dict[str, Any]) -> None:
    blind = {probe["name"]: probe for probe in situation["probes"] if not probe["known"]}
    assert blind == {}
    plan = shipped_plan()
    assert {probe["name"] for probe in situation["probes"]} == set(plan.probes)


def test_no_trigger_and_no_guard_is_true(situation: dict[str, Any]) -> None:
    states = {one["id"]: one["state"] for one in (*situation["criteria"], *situation["guards"])}
    assert "TRIPPED" not in states.values()
    assert {states[id_] for id_ in ("guard.pool", "guard.errors", "guard.hours")} == {"CLEAR"}


def test_no_secret_of_the_world_is_in_it(situation: dict[str, Any]) -> None:
    from cockpit.rehearsal.aws.fixtures.access import SECRETS
    from cockpit.rehearsal.process.operator_machine import SLACK_WEBHOOK
    from cockpit.rehearsal.site.vendors import UPSTASH_TOKEN

    told = json.dumps(situation)
    plain = [text for text in (*SECRETS.values(), UPSTASH_TOKEN, SLACK_WEBHOOK) if not text.startswith("{")]
    assert [text for text in plain if text in told] == []
