"""The probes of a plan, and the conditions over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cockpit.conditions.condition import Condition, ConditionError, compile_condition
from cockpit.plan.document.document import ProbePart
from cockpit.plan.document.entries import Parts
from cockpit.plan.document.validation_messages import by_path, found, known_keys, message_at
from cockpit.plan.model import ProbeSpec
from cockpit.plan.source.variables import Substitution
from cockpit.plan.source.yaml_tree import Path_, TooMany, Tree
from probes.declared_fields import may_declare_fields
from probes.demand import rooted, variables_read
from probes.parameters import parameters_of
from probes.probe import Probe
from probes.registry import UnknownProbe, find
from probes.suggestion import closest, suggestion

DEFAULT_TIMEOUT = timedelta(seconds=10)
MAX_CONDITIONS = 30_000
"""Characters of all conditions together: checking them must stay a matter of a second."""


class Watched:
    """What a plan watches: every usable probe by name, and the conditions that read them."""

    def __init__(self, tree: Tree, parts: Parts, substitution: Substitution) -> None:
        self.tree = tree
        self.substitution = substitution
        self.defaults = parts.header.defaults if parts.header else None
        self.probes: dict[str, ProbeSpec] = {}
        self.variables: set[str] = set()
        """Variables of the environment that probes read by themselves."""
        self.folder = Path(tree.source.file).parent.absolute()
        self._left = MAX_CONDITIONS
        for name, part in parts.probes.items():
            self._probe(name, part, ("probes", name))
        named = tree.value.get("probes")
        self.broken = set(named if isinstance(named, dict) else ()) - set(self.probes)
        """Probes that are named but not usable: conditions on them are not blamed for it."""

    # -- probes ------------------------------------------------------------------------------------------------------

    def _probe(self, name: str, part: ProbePart, path: Path_) -> None:
        kind = self._kind(part.uses, (*path, "uses"))
        if kind is None:
            return
        params = self._params(kind, part, (*path, "with"))
        if params is None and may_declare_fields(kind):
            return  # which fields it has is not known: conditions on it are not blamed for that
        self.variables.update(variables_read(kind.demands, params))
        period, settle = getattr(params, "period", None), getattr(params, "settles", getattr(params, "settle", None))
        period = period if isinstance(period, timedelta) else kind.period
        defaults = self.defaults
        self.probes[name] = ProbeSpec(
            name=name,
            uses=part.uses,
            params=part.with_ if params is None else {**part.with_, **rooted(kind.demands, params, self.folder)},
            interval=part.interval or (defaults.interval if defaults else None) or kind.interval,
            timeout=part.timeout or (defaults.timeout if defaults else None) or DEFAULT_TIMEOUT,
            position=self.tree.place(path).position,
            period=period,
            settle=settle if isinstance(settle, timedelta) else period,
            title=part.title,
            region=part.region,
            profile=part.profile,
            fields=kind.fields if params is None else kind.fields_of(params),
            secret_params=self._secret_params((*path, "with")),
        )

    def _secret_params(self, path: Path_) -> tuple[str, ...]:
        below = {one[len(path) :] for one in self.substitution.secret if one[: len(path)] == path}
        return tuple(sorted(".".join(map(str, one)) for one in below))

    def _kind(self, uses: str, path: Path_) -> type[Probe[Any]] | None:
        if path not in self.tree.places:  # missing, and already reported
            return None
        try:
            return find(uses)
        except UnknownProbe as error:
            self.tree.report(path, f"{error}" if error.nearest else f"{error}; `cockpit probes` lists them")
        except Exception as error:  # noqa: BLE001 - a third party's module may fail in any way while it is imported
            self.tree.report(path, f"the probe '{uses}' cannot be loaded: {type(error).__name__}: {error}")
        return None

    def _params(self, kind: type[Probe[Any]], part: ProbePart, path: Path_) -> BaseModel | None:
        try:
            params = kind.params_type.model_validate(part.with_)
        except ValidationError as error:
            errors = found(error)
        except Exception as error:  # noqa: BLE001 - a third party's validator; its words may hold a secret
            self.tree.report(path, f"{part.uses} cannot take these parameters ({type(error).__name__})", on_key=True)
            return None
        else:
            self._finite(params, part, path)
            return params
        for where, group in by_path(errors, self.tree, path):
            if not self.substitution.touches(where, self.substitution.unset):
                self._parameter(where, group, part.uses, kind.params_type, path)
        return None

    def _finite(self, params: BaseModel, part: ProbePart, path: Path_) -> None:
        """Nothing compares with NaN, and everything is below infinity: as a parameter either would blind a probe quietly."""
        for name, info in type(params).model_fields.items():
            held = getattr(params, name)
            if isinstance(held, float) and not math.isfinite(held):
                self.tree.report((*path, info.alias or name), f"{part.uses}: must be a finite number")

    def _parameter(
        self, where: Path_, errors: Sequence[Mapping[str, Any]], uses: str, model: type[BaseModel], path: Path_
    ) -> None:
        error = errors[0]
        key = str(error["loc"][-1]) if error["loc"] else ""
        if error["type"] == "extra_forbidden":
            known, beside = known_keys(model), closest(key, known_keys(ProbePart))
            misplaced = f"; '{beside}' stands beside 'with'" if beside and not closest(key, known) else ""
            hint = misplaced or suggestion(key, known, "it has")
            self.tree.report(where, f"{uses} has no parameter '{key}'{hint}", on_key=True)
        elif error["type"] == "missing":
            if (*path[:-1], key) in self.tree.places:  # it stands beside `with`, and that is reported
                return
            self.tree.report(
                where[:-1] if where[:-1] in self.tree.places else path[:-1], f"{uses} needs '{key}'", on_key=True
            )
        elif self.substitution.touches(where, self.substitution.secret):
            self.tree.report(where, f"{uses} refuses this value, which comes from the environment ({error['type']})")
        else:
            messages = dict.fromkeys(message_at(one, self.tree, where) for one in errors)
            self.tree.report(where, f"{uses}: {', or '.join(messages)}{_meant(uses, where[len(path) :], error)}")

    # -- conditions --------------------------------------------------------------------------------------------------

    def condition(self, path: Path_, source: str | None) -> Condition | None:
        """A compiled and checked condition; None where there is none, or none that can be used (then it is reported)."""
        if source is None:
            return None
        held = self.substitution.condition(path, source)
        if held is None:  # already reported
            return None
        self.tree.conditions[path] = held
        source = held.text
        self._left -= len(source)
        if self._left < 0:
            self.tree.report(path, f"the conditions of this plan are longer than {MAX_CONDITIONS:,} characters in all")
            raise TooMany
        try:
            condition = compile_condition(source.strip())
        except ConditionError as error:
            for each in (error, *error.more):
                self._condition_problem(path, each)
            return None
        fields = {name: spec.fields for name, spec in self.probes.items()}
        if (inclusion := self.tree.inclusion(path)) is not None:
            own = {inclusion.probe(name) for name in inclusion.probes}
            for name in sorted(set(condition.probes) & (fields.keys() - own)):
                self.tree.report(path, f"a part sees its own probes alone, and '{name}' is the plan's")
                return None
        blameless = condition.source if self.broken & set(condition.probes) else ""
        for problem in condition.check(fields):
            named = condition.source[problem.offset : problem.offset + problem.length]
            if not (blameless and named in self.broken):
                self._condition_problem(path, problem)
        return condition if all(name in self.probes for name in condition.probes) else None

    def _condition_problem(self, path: Path_, error: ConditionError) -> None:
        place = self.tree.within_condition(path, error.offset, error.length)
        problem = error.message
        for name, spec in self.probes.items():
            problem = problem.replace(f"probe '{name}' has", f"probe '{name}' ({spec.uses}) has", 1)
        self.tree.report(path, problem, at=place)


def _meant(uses: str, below: Path_, error: Mapping[str, Any]) -> str:
    """What a parameter of another form than it must have is, with an example; empty where its message says it all."""
    named = [each for each in parameters_of(find(uses)) if below and each.name == below[0]]
    if error["type"] != "string_pattern_mismatch" or not named:
        return ""
    return f": {named[0].meaning.rstrip('.')}; for example {named[0].example}"
