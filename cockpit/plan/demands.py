"""What a plan would do beyond asking AWS: programs, what it sends, files outside its folder, writes; each said in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from cockpit import formatting
from cockpit.plan.model import Plan, ProbeSpec
from probes.demand import Asked, Demand, Does, connecting, place
from probes.known_secrets import hide
from probes.registry import find


def demands_of(plan: Plan) -> Mapping[str, tuple[Demand, ...]]:
    """Probe -> what it would do, sorted, each once; those that demand nothing are absent.

    It sends nothing; of files it follows the links, so that one out of the plan's folder counts as outside.
    """
    found = {name: demands_of_probe(plan, name) for name in plan.probes}
    return {name: demands for name, demands in found.items() if demands}


def demands_of_probe(plan: Plan, name: str) -> tuple[Demand, ...]:
    """What one probe would do, as its files are now."""
    return tuple(sorted(set(_of_probe(plan.probes[name], Path(plan.path).parent))))


def migration_demands(plan: Plan) -> tuple[Demand, ...]:
    """What moving the files would do with the connection string the plan gives it."""
    if plan.migration is None or not plan.migration.database:  # without a database nothing is moved
        return ()
    folder = Path(plan.path).parent
    moved = Demand(Does.WRITES, f"the tables that are moved, and the bucket {plan.migration.bucket}")
    return tuple(sorted({moved, *connecting(plan.migration.database, "migration.database", folder)}))


def synthetic_demands(plan: Plan) -> tuple[Demand, ...]:
    """What the plan's traffic in the users' place would do, once a person starts it."""
    if plan.synthetic is None:
        return ()
    traffic = plan.synthetic
    often = f"{traffic.per_minute} requests a minute for {formatting.duration(traffic.runs_for)}"
    asked = ", ".join(str(request) for request in traffic.requests)
    host = place(traffic.host)
    found = {Demand(Does.SENDS, f"{often} to {host}: {hide(asked)}")}
    if posts := [str(request) for request in traffic.requests if request.method == "POST"]:
        found.add(Demand(Does.WRITES, f"what {hide(', '.join(posts))} of {host} change"))
    return tuple(sorted(found))


def record_demands(plan: Plan) -> tuple[Demand, ...]:
    """What proving the time of the record would send."""
    authority, log = plan.timestamps, plan.transparency_log
    asked = [
        *([f"hashes of the record to the timestamp authority {authority.url}"] if authority else []),
        *([f"hashes of the record to the transparency log {log.url}, which publishes them"] if log else []),
    ]
    return tuple(Demand(Does.SENDS, each) for each in asked)


def _of_probe(spec: ProbeSpec, folder: Path) -> Iterator[Demand]:
    kind = find(spec.uses)
    if spec.profile:
        yield Demand(Does.SENDS, hide(f"requests to AWS, signed by the profile {spec.profile}"))
    try:
        params = kind.params_type.model_validate(dict(spec.params))
    except ValidationError:  # a variable of the environment is not set: the plan is for showing
        yield Demand(Does.SENDS, "what cannot be said before its environment variables are set")
        return
    for rule in kind.demands:
        yield from rule.demands(Asked(params, spec.secret_params, folder))
