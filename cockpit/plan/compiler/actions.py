"""The actions of steps: each a built-in one, on one service the plan watches, or with the traffic it names."""

from __future__ import annotations

from cockpit.plan.compiler.probe_specs import Watched
from cockpit.plan.document.document import ActionPart
from cockpit.plan.document.entries import STAND_IN
from cockpit.plan.ecs_services import ACTIONS, SYNTHETIC, services_watched
from cockpit.plan.source.yaml_tree import Path_, Tree
from cockpit.plan.step_action import EcsService, StepAction, Synthetic
from probes.suggestion import suggestion


class Actions:
    """Resolves what a step names; what cannot be resolved is reported to the tree."""

    def __init__(self, tree: Tree, watched: Watched, synthetic: Synthetic | None) -> None:
        self.tree = tree
        self.synthetic = synthetic
        self.watched = watched
        self.by_probe = services_watched(watched.probes)
        self.services = {str(service): service for service in self.by_probe.values()}

    def action(self, path: Path_, part: ActionPart | None) -> StepAction | None:
        """The action with its service; None where there is none, or none that can be used (then it is reported)."""
        if part is None or part.uses == STAND_IN:  # the latter is reported already
            return None
        if part.uses not in ACTIONS:
            at = (*path, "uses") if (*path, "uses") in self.tree.places else path
            self.tree.report(at, f"there is no action '{part.uses}'{suggestion(part.uses, ACTIONS, 'there is')}")
            return None
        if part.uses == SYNTHETIC:
            return self._traffic(path, part)
        on = self._named(path, part.service) if part.service else self._only(path)
        return StepAction(part.uses, on) if on is not None else None

    def _traffic(self, path: Path_, part: ActionPart) -> StepAction | None:
        if self.synthetic is None:
            self.tree.report(path, "this plan names no traffic: add synthetic: with url, requests and for")
        elif part.service:
            self.tree.report((*path, "service"), "synthetic.traffic changes no service: leave it out")
        else:
            return StepAction(part.uses, self.synthetic)
        return None

    def _only(self, path: Path_) -> EcsService | None:
        if len(self.services) == 1:
            return next(iter(self.services.values()))
        if self.services:
            problem = (
                f"say which service: {', '.join(self.services)}; write {{uses: ecs.rollback, service: CLUSTER/SERVICE}}"
            )
            self.tree.report(path, problem)
        elif not self._unsettled():
            self.tree.report(path, "this plan watches no ECS service to change: add a probe ecs.service")
        return None

    def _named(self, path: Path_, name: str) -> EcsService | None:
        found = self.by_probe.get(name) or self.services.get(name)
        if found is None and not self._unsettled():
            at = (*path, "service")
            known = [*self.by_probe, *self.services]
            if name in self.watched.probes:
                self.tree.report(at, f"the probe '{name}' ({self.watched.probes[name].uses}) watches no ECS service")
            elif known:
                self.tree.report(at, f"this plan watches no service '{name}'{suggestion(name, known, 'it watches')}")
            else:
                self.tree.report(at, "this plan watches no ECS service to change: add a probe ecs.service")
        elif found is None and "/" in name:
            cluster, _, service = name.rpartition("/")
            return EcsService(cluster, service)
        return found

    def _unsettled(self) -> bool:
        """Whether a probe is not usable (which is reported already), or waits for a variable of the environment."""
        unset = self.watched.substitution.unset
        return bool(self.watched.broken) or any(
            self.watched.substitution.touches(("probes", probe, "with"), unset) for probe in self.by_probe
        )
