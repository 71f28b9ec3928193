"""What stands around a cutover: its risks, the application's environment and secrets, and the services it rests on."""

from __future__ import annotations

from collections.abc import Collection

from cockpit.plan.document.context import RiskPart, SecretPart, ServicePart, VariablePart
from cockpit.plan.document.entries import Parts
from cockpit.plan.names import unique
from cockpit.plan.position import Position
from cockpit.plan.source.yaml_tree import Path_, Tree
from cockpit.plan.surroundings import Risk, Secret, Service, Variable
from probes.suggestion import suggestion


class Context:
    """Builds those entries; what refers to nothing, or is given twice, is reported to the tree."""

    def __init__(self, tree: Tree, parts: Parts, judged: Collection[str], probes: Collection[str]) -> None:
        self._tree = tree
        self._parts = parts
        self._judged = judged
        """Ids of everything that has a state: items, criteria and guards."""
        self._probes = probes
        unique(tree, (((*path, "id"), risk.id) for path, risk in parts.risks))
        unique(tree, (((*path, "name"), variable.name) for path, variable in parts.variables))
        unique(tree, (((*path, "name"), secret.name) for path, secret in parts.secrets))
        unique(tree, (((*path, "id"), service.id) for path, service in parts.services))

    def risks(self) -> tuple[Risk, ...]:
        return tuple(self._risk(path, part) for path, part in self._parts.risks)

    def variables(self) -> tuple[Variable, ...]:
        return tuple(self._variable(path, part) for path, part in self._parts.variables)

    def secrets(self) -> tuple[Secret, ...]:
        return tuple(self._secret(path, part) for path, part in self._parts.secrets)

    def services(self) -> tuple[Service, ...]:
        return tuple(self._service(path, part) for path, part in self._parts.services)

    def _risk(self, path: Path_, part: RiskPart) -> Risk:
        for index, id_ in enumerate(part.watch):
            if id_ not in self._judged:
                hint = suggestion(id_, self._judged)
                self._tree.report((*path, "watch", index), f"there is no item, criterion or guard '{id_}'{hint}")
        fields = part.model_dump(exclude={"watch"})
        return Risk(**fields, watch=tuple(part.watch), position=self._at(path))

    def _variable(self, path: Path_, part: VariablePart) -> Variable:
        held = [secret.name for _, secret in self._parts.secrets]
        if part.secret and part.secret not in held:
            hint = suggestion(part.secret, held)
            self._tree.report((*path, "secret"), f"'{part.secret}' is not an entry of secrets{hint}")
        if part.secret and part.value:
            self._tree.report((*path, "value"), "what comes from a secret has no value here")
        return Variable(**part.model_dump(), position=self._at(path))

    def _secret(self, path: Path_, part: SecretPart) -> Secret:
        return Secret(part.name, self._at(path), tuple(part.keys), part.caution, part.ref)

    def _service(self, path: Path_, part: ServicePart) -> Service:
        if part.probe and part.probe not in self._probes:
            hint = suggestion(part.probe, self._probes)
            self._tree.report((*path, "probe"), f"there is no probe '{part.probe}' in this plan{hint}")
        return Service(**part.model_dump(), position=self._at(path))

    def _at(self, path: Path_) -> Position:
        return self._tree.place(path).position
