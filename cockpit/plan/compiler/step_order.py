"""What a step says about others: which must be over first, which gate it waits for, what shows its progress."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from cockpit.plan.compiler.probe_specs import Watched
from cockpit.plan.document.document import GatePart, StepPart
from cockpit.plan.document.entries import STAND_IN, Placed
from cockpit.plan.source.yaml_tree import Path_, Tree
from probes.suggestion import suggestion


class StepOrder:
    """Resolves those names within one list of steps; what cannot be resolved is reported to the tree."""

    def __init__(self, tree: Tree, listed: Placed[StepPart], gates: Placed[GatePart], watched: Watched) -> None:
        self._tree = tree
        self._gates = [gate for _, gate in gates if gate.id != STAND_IN]
        self._watched = watched
        self._paths = {part.id: path for path, part in listed}
        self._report_circle(listed)

    def after(self, path: Path_, part: StepPart) -> tuple[str, ...] | None:
        """The ids of those that must be over first; None where the plan names none: the step before it."""
        if part.after is None:
            return None
        for index, id_ in enumerate(part.after):
            if id_ not in self._paths:
                others = [each for each in self._paths if each != part.id]
                hint = suggestion(id_, others, f"{path[0]} has")
                self._tree.report((*path, "after", index), f"there is no step '{id_}' in {path[0]}{hint}")
        return tuple(dict.fromkeys(id_ for id_ in part.after if id_ in self._paths))

    def gate(self, path: Path_, part: StepPart) -> str:
        """The id of its gate: the one it names, or the one that guards it; empty where it waits for none."""
        named = part.gate
        if named is None:
            return next((gate.id for gate in self._gates if gate.before == part.id), "")
        found = [gate.id for gate in self._gates if gate.id == named] or [
            gate.id for gate in self._gates if gate.before == named
        ]
        if not found:
            known = [*(gate.id for gate in self._gates), *(gate.before for gate in self._gates)]
            self._tree.report((*path, "gate"), f"there is no gate '{named}'{suggestion(named, known, 'there is')}")
        return found[0] if found else ""

    def progress(self, path: Path_, part: StepPart) -> tuple[str, ...]:
        """The fields that show how far it is; each must be a share, from 0 to 1."""
        for index, named in enumerate(part.progress):
            problem = self._no_share(named)
            if problem:
                self._tree.report((*path, "progress", index), problem)
        return tuple(part.progress)

    def _no_share(self, named: str) -> str:
        """Why a field cannot show progress; empty where it can."""
        probe, _, name = named.partition(".")
        spec = self._watched.probes.get(probe)
        if spec is None:
            if probe in self._watched.broken:
                return ""
            return f"there is no probe '{probe}' in this plan{suggestion(probe, self._watched.probes)}"
        field = next((each for each in spec.fields if each.name == name), None)
        shares = [each.name for each in spec.fields if each.unit == "ratio"]
        if field is None:
            hint = suggestion(name, (each.name for each in spec.fields))
            return f"probe '{probe}' ({spec.uses}) has no field '{name}'{hint}"
        if field.unit != "ratio":
            return f"'{named}' is no share from 0 to 1{suggestion('', shares, 'this probe has')}"
        return ""

    def _report_circle(self, listed: Placed[StepPart]) -> None:
        """Steps that wait for each other would never start. Of ids that are used twice nobody can say who waits for whom."""
        if len(self._paths) < len(listed):
            return
        graph: dict[str, tuple[str, ...]] = {}
        before: tuple[str, ...] = ()
        for _, part in listed:
            given = part.after
            graph[part.id] = before if given is None else tuple(each for each in given if each in self._paths)
            before = (part.id,)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = [str(each) for each in error.args[1]]
            blamed = next(part.id for _, part in listed if part.id in circle and part.after is not None)
            waits = " waits for ".join(reversed(circle))
            self._tree.report((*self._paths[blamed], "after"), f"steps wait for each other: {waits}")
