"""Success criteria, checklist lines, GO itself, and what becomes of it when a probe cannot be read: proven by playing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.plan.model import VERDICT, Criterion, Item, OnUnknown, Phase, Plan, ProbeSpec
from cockpit.stories.plan_slice import at_once, plan_slice, without_signing
from cockpit.stories.played_faults import longest_wait
from cockpit.stories.proof.proven import CriterionProven, GoProven, LineProven, ProbeProven
from cockpit.stories.short_play import ShortPlay
from cockpit.stories.story_file import Story
from cockpit.stories.story_run import story_run
from cockpit.stories.value_search import Values, ValueSearch
from cockpit.stories.values_for import coming_out, demand_of
from probes.reading import Reason

ZERO = timedelta(0)
LONGEST = timedelta(hours=30)


def prove_criterion(plan: Plan, one: Criterion, healthy: Values) -> CriterionProven:
    """When a criterion is met, from the beginning of its phase on, with every reading healthy."""
    proven = CriterionProven(one.id, one.title, one.position, one.enforced, None)
    if one.condition is None:
        return replace(proven, undecided="a person signs it")
    specs = [plan.probes[name] for name in one.condition.probes]
    limit = _first_seen(specs) + one.initial_delay + 2 * one.needs + (one.min_samples + 3) * max(s.pace for s in specs)
    if limit > LONGEST:
        return replace(proven, undecided="its window is longer than what is played")
    play = ShortPlay(plan_slice(plan, success=[one]), healthy)
    met = play.until(lambda situation: situation.criterion(one.id).ok, play.now + limit)
    return replace(proven, earliest=_whole(play.now - play.watch.board.started_at) if met else None)


def _first_seen(specs: Sequence[ProbeSpec]) -> timedelta:
    return max((spec.oldest_fresh + spec.delay for spec in specs), default=ZERO)


def prove_line(plan: Plan, item: Item, healthy: Values, search: ValueSearch) -> LineProven:
    """A reading with which a line passes, and one with which it fails."""
    proven = LineProven(item.id, item.title, item.position, None, None, blocking=item.blocking)
    found = {wanted: coming_out(plan, item.id, search, healthy, wanted=wanted) for wanted in (True, False)}
    open_ = [wanted for wanted, each in found.items() if each.values is None and not each.decided]
    demand = demand_of(plan, item.id, wanted=True)
    paths = demand.paths if demand is not None else ()

    def whole(changed: Values | None) -> Values | None:
        return None if changed is None else {path: changed.get(path, healthy[path]) for path in paths}

    undecided = f"no values were found with which it {'passes' if open_ and open_[0] else 'fails'}" if open_ else ""
    return replace(proven, passes=whole(found[True].values), fails=whole(found[False].values), undecided=undecided)


def prove_go(plan: Plan, healthy: Values) -> GoProven:
    """The whole plan played with every reading healthy and people who sign: when GO comes after the deployment began."""
    before = any(section.phase is Phase.PRE_DEPLOY for section in plan.checklist) or bool(plan.gates)
    limit = longest_wait(plan)
    if limit > LONGEST:
        return GoProven(None, undecided="its windows are longer than what is played")
    story = Story("healthy", "", plan.path, plan, begin_on_go=before, pinned=healthy, lasts=limit)
    run = story_run(story)
    run.director.begin()
    waits: dict[str, None] = {}
    while run.elapsed < limit:
        run.watch.step()
        situation, began = run.watch.situation, run.director.deployed_at
        if situation.verdict.word is Word.GO and situation.verdict.phase is Phase.POST_DEPLOY and began is not None:
            return GoProven(_whole(situation.now - began), next(reversed(waits), ""))
        waiting = [step.subject for step in situation.path_to_go if step.subject not in ("", VERDICT)]
        if waiting and began is not None:
            waits.pop(waiting[0], None)
            waits[waiting[0]] = None
    return GoProven(None, "; ".join(run.watch.situation.verdict.reasons[:3]))


def prove_probe(plan: Plan, spec: ProbeSpec, healthy: Values) -> ProbeProven:
    """What becomes of GO when this probe alone cannot be read."""
    success = [one for one in plan.success_criteria if _reads(one, spec)]
    triggers = [one for one in plan.rollback_triggers if _reads(one, spec)]
    items = [
        item for section in plan.checklist for item in section.items if item.expect and spec.name in item.expect.probes
    ]
    deciding = [one.id for one in (*success, *triggers) if one.decides] + [item.id for item in items if item.blocking]
    shown = [one.id for one in (*success, *triggers) if not one.decides] + [i.id for i in items if not i.blocking]
    proven = ProbeProven(spec.name, spec.position, tuple(deciding), tuple(shown))
    if not deciding:
        return proven
    part = plan_slice(plan, [at_once(one) for one in success], triggers, [without_signing(item) for item in items])
    return replace(
        proven,
        refused=_after_blinding(part, spec, healthy, Reason.ACCESS_DENIED),
        throttled=_after_blinding(part, spec, healthy, Reason.THROTTLED),
    )


def _reads(one: Criterion, spec: ProbeSpec) -> bool:
    return one.condition is not None and spec.name in one.condition.probes


def _after_blinding(part: Plan, spec: ProbeSpec, healthy: Values, reason: Reason) -> tuple[str, timedelta] | None:
    """The verdict that takes the place of GO, and how long after the probe could be read last; None where GO stays."""
    play = ShortPlay(part, healthy)
    others = list(part.probes.values())
    begun = max(one.initial_delay for one in part.rollback_triggers) if part.rollback_triggers else ZERO
    if not play.until(_is_go, play.now + 3 * _first_seen(others) + begun + timedelta(minutes=5)):
        return None
    blind = play.now
    play.world.blind(blind, spec.name, reason)
    unknown = max((one.unknown_limit or ZERO for one in part.rollback_triggers), default=ZERO)
    limit = 2 * spec.stale_after + 20 * spec.pace + unknown
    if not play.until(lambda situation: not _is_go(situation), blind + limit):
        return None
    left = str(play.situation.verdict.word), _whole(play.now - blind)
    calls = any(one.on_unknown is OnUnknown.ROLLBACK for one in part.rollback_triggers)
    if calls and play.until(lambda situation: situation.verdict.latch is not None, blind + limit):
        return str(play.situation.verdict.word), _whole(play.now - blind)
    return left


def _is_go(situation: Situation) -> bool:
    return situation.verdict.word is Word.GO


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
