"""ECS: what the fields of a service deployment mean, whatever its strategy: rolling, blue/green, linear or canary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from probes.reading import Reason, Unknown
from probes.redact import one_line
from probes.three_valued import FieldValue

FAILED = MappingProxyType(
    {
        "PENDING": False,
        "IN_PROGRESS": False,
        "SUCCESSFUL": False,
        "STOP_REQUESTED": True,
        "STOPPED": True,
        "ROLLBACK_REQUESTED": True,
        "ROLLBACK_IN_PROGRESS": True,
        "ROLLBACK_SUCCESSFUL": True,
        "ROLLBACK_FAILED": True,
    }
)
"""Closed: every status of a service deployment, and whether it has failed by it."""
_STAGES = MappingProxyType(
    {
        "RECONCILE_SERVICE": "what an earlier deployment left is being put in order",
        "PRE_SCALE_UP": "the new tasks are not started, all users are on the old ones",
        "SCALE_UP": "the new tasks start, all users are on the old ones",
        "POST_SCALE_UP": "the new tasks run, all users are on the old ones",
        "TEST_TRAFFIC_SHIFT": "test traffic goes to the new tasks, all users are on the old ones",
        "POST_TEST_TRAFFIC_SHIFT": "test traffic is on the new tasks, all users are on the old ones",
        "PRODUCTION_TRAFFIC_SHIFT": "users are going over to the new tasks",
        "POST_PRODUCTION_TRAFFIC_SHIFT": "all users are on the new tasks",
        "BAKE_TIME": "all users are on the new tasks, and the old ones are kept to go back to",
        "CLEAN_UP": "all users are on the new tasks, and the old ones stop",
    }
)


def outcome(found: Mapping[str, Any]) -> dict[str, FieldValue]:
    """`succeeded`, `failed` and `rolled_back`; unknown for a status that is new."""
    status, breaker = found.get("status"), found.get("deploymentCircuitBreaker") or {}
    if status is None:
        return dict.fromkeys(("succeeded", "failed", "rolled_back"))
    rolled_back = str(status).startswith("ROLLBACK") or bool(found.get("rollback"))
    failed = rolled_back or FAILED.get(status) or breaker.get("status") == "TRIGGERED" or _hook_ends_it(found)
    if status not in FAILED and not failed:
        detail = f"the status is {one_line(str(status), 60)}"
        new = Unknown(Reason.NO_DATA, detail, "ECS has a status that the cockpit does not know: see the console")
        return dict.fromkeys(("succeeded", "failed", "rolled_back"), new)
    return {"succeeded": status == "SUCCESSFUL" and not failed, "failed": failed, "rolled_back": rolled_back}


def stages(found: Mapping[str, Any]) -> dict[str, FieldValue]:
    """How far a deployment that shifts traffic has come. A rolling one has no stages: its tasks replace each other."""
    settings = found.get("deploymentConfiguration")
    weight = (found.get("targetServiceRevision") or {}).get("requestedProductionTrafficWeight")
    rolling = Unknown(Reason.NO_DATA, "ECS gives no stage: the deployment is rolling, or over")
    no_share = Unknown(Reason.NO_DATA, "ECS gives no share of the traffic: the deployment is rolling, or over")
    return {
        "strategy": strategy_of(settings),
        "stage": found.get("lifecycleStage") or rolling,
        "traffic_share": no_share if weight is None else float(weight) / 100,
        "paused": bool(_awaiting(found)),
    }


def strategy_of(settings: Mapping[str, Any] | None) -> str | None:
    """By a deploymentConfiguration; ECS leaves it out of one that is rolling."""
    return None if settings is None else str(settings.get("strategy") or "ROLLING")


def lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person has to know to go on: the stage in words, the bake time, and what a hook waits for."""
    stage, settings = str(found.get("lifecycleStage") or ""), found.get("deploymentConfiguration") or {}
    shown = [f"{stage}: {_STAGES.get(stage, 'a stage that the cockpit does not know')}"] if stage else []
    if stage and (bake := baking(settings)):
        shown.append(f"it is SUCCESSFUL only after {bake.total_seconds() / 60:g} min of bake time")
    arn = str(found.get("serviceDeploymentArn", ""))
    for hook in _awaiting(found):
        until = (
            f" until {hook['expiresAt']:%H:%M}, then {hook.get('timeoutAction', 'ROLLBACK')}"
            if hook.get("expiresAt")
            else ""
        )
        shown.append(
            f"a pause hook waits for a person{until}: aws ecs continue-service-deployment "
            f"--service-deployment-arn {arn} --hook-id {hook.get('hookId')} --action CONTINUE"
        )
    shown += [
        one_line(f"hook {hook.get('targetArn') or hook.get('hookId')} {hook.get('status')}")
        for hook in found.get("lifecycleHookDetails") or ()
        if hook.get("status") in ("FAILED", "TIMED_OUT")
    ]
    return tuple(shown)


def baking(settings: Mapping[str, Any]) -> timedelta:
    """How long a deployment by these settings (deploymentConfiguration) waits at the least, all steps of it together."""
    minutes = float(settings.get("bakeTimeInMinutes") or 0)
    if canary := settings.get("canaryConfiguration"):
        minutes += float(canary.get("canaryBakeTimeInMinutes") or 0)
    if linear := settings.get("linearConfiguration"):
        steps = max(1.0, 100 / float(linear.get("stepPercent") or 100))
        minutes += steps * float(linear.get("stepBakeTimeInMinutes") or 0)
    return timedelta(minutes=minutes)


def _awaiting(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [hook for hook in found.get("lifecycleHookDetails") or () if hook.get("status") == "AWAITING_ACTION"]


def _hook_ends_it(found: Mapping[str, Any]) -> bool:
    """A hook that fails rolls the deployment back, and so does one that took too long, unless it is set to go on."""
    hooks = found.get("lifecycleHookDetails") or ()
    return any(
        hook.get("status") == "FAILED"
        or (hook.get("status") == "TIMED_OUT" and hook.get("timeoutAction") != "CONTINUE")
        for hook in hooks
    )
