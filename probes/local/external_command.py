"""A program of the operator's: a Nagios plug-in, or anything that prints one JSON object."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field as Setting
from pydantic import StringConstraints, field_validator, model_validator

from probes.api_keys import Variable
from probes.clients.child_environment import PROBED, leads_elsewhere
from probes.clients.child_process import Completed, ask_program, last_words
from probes.declared_fields import MOST_FIELDS, DeclaredField, FieldName, no_field_twice
from probes.demand import Runs
from probes.known_secrets import remember
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

NAGIOS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_HINT = "give the program's path, or a name that is on PATH"
_PERFDATA = re.compile(r"(?:'((?:[^'=]|'')+)'|([^\s'=]+))=(\S+)")
_NUMBER = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)([A-Za-z%]*)$")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_BYTES = {"B": 1.0, "KB": 1024.0, "MB": 1024.0**2, "GB": 1024.0**3, "TB": 1024.0**4}


class CommandField(DeclaredField):
    source: Annotated[str, StringConstraints(max_length=200)] = ""
    """The label in the perfdata, or the key in the JSON object; the field's own name where it is not given."""


class CommandParams(Params):
    program: Annotated[str, StringConstraints(min_length=1)]
    """The program: a name on PATH, or a path; a relative one is of the plan's folder. It is run without a shell."""
    arguments: list[str] = Setting(default_factory=list, max_length=100)
    """Its arguments, one by one. Other users of this machine can see them: pass secrets by `environment`."""
    format: Literal["nagios", "json"] = "nagios"
    """nagios: exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, perfdata after `|`. json: one object on stdout, exit code 0."""
    fields: Annotated[dict[FieldName, CommandField], Setting(max_length=MOST_FIELDS)] = Setting(default_factory=dict)
    """What to read of the perfdata or of the object, by the name that conditions use."""
    environment: list[Variable] = Setting(default_factory=list, max_length=50)
    """Names of environment variables that it gets, besides PATH: name HOME or AWS_PROFILE where it needs them."""
    timeout: Duration = timedelta(seconds=8)
    """It is killed after this long, with everything it started."""

    @field_validator("environment")
    @classmethod
    def _harmless(cls, names: list[str]) -> list[str]:
        if leading := [name for name in names if leads_elsewhere(name)]:
            raise ValueError(f"{leading[0]} makes a program load other code than is installed: it is given to none")
        return names

    @model_validator(mode="after")
    def _own(self) -> Self:
        no_field_twice(self.fields, OWN)
        texts = [name for name, held in self.fields.items() if held.type not in ("int", "float")]
        if self.format == "nagios" and texts:
            raise ValueError(f"{texts[0]}: perfdata holds numbers alone: declare an int or a float")
        return self


OWN = (
    Field("ok", bool, "nagios: it says OK; json: it ended with 0 and printed an object", example=True),
    Field("state", str, "nagios: OK, WARNING or CRITICAL; json: OK", "OK"),
    Field("code", int, "its exit code", 0, low=0, high=255),
    Field("output", str, "the first line it printed, without perfdata", "OK - 12 messages"),
)


class ExternalCommand(Probe[CommandParams]):
    """What a program of the operator's says: a Nagios plug-in with perfdata, or one JSON object.

    Runs `program` with `arguments`, without a shell, without input, in a process group of its own that is killed at
    `timeout`, with PATH and the variables named in `environment`. nagios: 0, 1 and 2 are answers; 3, any other code and a
    signal are UNKNOWN. Perfdata's units are converted to the field's: ms to s, KB to bytes, % to a ratio. json: another
    exit code than 0 is UNKNOWN. A field that is not there is NO_DATA. It runs only where the operator has allowed this
    plan: `cockpit trust PLAN`.
    """

    name = "command"
    params_type = CommandParams
    demands = (Runs("program", "arguments", "environment"),)
    subjects = ("nagios", "plugin")
    cannot_see = "what the program does: it runs with the operator's rights, and may change what it looks at"
    late = "as late as what the program reads"
    fields = OWN
    interval = timedelta(seconds=60)

    @classmethod
    def fields_of(cls, params: CommandParams) -> tuple[Field, ...]:
        origin = "perfdata" if params.format == "nagios" else "key"
        declared = (held.field(name, f"{origin} {held.source or name}") for name, held in params.fields.items())
        return (*cls.fields, *declared)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        words = [asked.program, *asked.arguments]
        query = one_line(shlex.join(words), 300)
        try:
            done = await ask_program(
                words, timeout_s=asked.timeout.total_seconds(), hint=_HINT, kind=PROBED, given=self._environment()
            )
            fields = self._nagios(done) if asked.format == "nagios" else self._json(done)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        values, unknown = sorted_out(fields)
        lines = [*done.out.splitlines()[:6], *done.err.splitlines()[:4]]
        evidence = Evidence(query, lines=tuple(one_line(line[:1000], 200) for line in lines if line.strip()))
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _environment(self) -> dict[str, str]:
        """What it gets. Raises Unseen for a variable that is not set: without it the program would look at something else."""
        given = {}
        for name in self.params.environment:
            if name not in os.environ:
                detail = f"the environment variable {name} is not set"
                raise Unseen(Unknown(Reason.NOT_FOUND, detail, f"export {name}, or leave it out of `environment`"))
            remember(os.environ[name])
            given[name] = os.environ[name]
        return given

    def _nagios(self, done: Completed) -> dict[str, FieldValue]:
        text, perfdata = _split(done.out)
        if not 0 <= done.code <= 2:
            raise Unseen(self._failed(done, text))
        fields: dict[str, FieldValue] = {
            "ok": done.code == 0,
            "state": NAGIOS[done.code],
            "code": done.code,
            "output": one_line(text, 200) or None,
        }
        for name, held in self.params.fields.items():
            fields[name] = _measured(perfdata, held.source or name, held)
        return fields

    def _json(self, done: Completed) -> dict[str, FieldValue]:
        if done.code != 0:
            raise Unseen(self._failed(done, ""))
        try:
            held = json.loads(done.out)
        except (ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            hint = "it prints one JSON object and nothing else; run it by hand"
            raise Unseen(Unknown(Reason.ERROR, f"{self.params.program} prints no JSON object", hint))
        fields: dict[str, FieldValue] = {"ok": True, "state": "OK", "code": 0, "output": one_line(done.out[:1000], 200)}
        for name, declared in self.params.fields.items():
            found = held.get(declared.source or name)
            absent = Unknown(Reason.NO_DATA, f"the object has no {declared.source or name}")
            fields[name] = absent if found is None else declared.value(found)
        return fields

    def _failed(self, done: Completed, text: str) -> Unknown:
        how = f"was ended by signal {-done.code}" if done.code < 0 else f"ended with {done.code}"
        why = text if text.strip() else last_words(done.err)
        return Unknown(Reason.ERROR, one_line(f"{self.params.program} {how}: {why}", 300), "run it by hand")


def _split(out: str) -> tuple[str, str]:
    """The first line's text, and all perfdata: after the first line's `|`, and after the first `|` of the lines that follow."""
    first, _, rest = out.partition("\n")
    text, _, perfdata = first.partition("|")
    return text.strip(), f"{perfdata} {rest.partition('|')[2]}".replace("\n", " ")


def _measured(perfdata: str, label: str, held: CommandField) -> FieldValue:
    """'label'=value[UOM];warn;crit;min;max, as the plug-in guidelines have it. `U` is a value that could not be had."""
    for match in _PERFDATA.finditer(perfdata):
        if (match[1] or match[2]).replace("''", "'") != label:
            continue
        measured = match[3].partition(";")[0]
        number = _NUMBER.match(measured)
        if number is None:
            shown = one_line(measured[:100], 40)
            return Unknown(Reason.NO_DATA, f"the perfdata of {label} is {shown}: no number")
        return held.value(_in_unit(float(number[1]), number[2], held))
    return Unknown(Reason.NO_DATA, f"the output has no perfdata {label}", "see the evidence; correct `source`")


def _in_unit(value: float, unit: str, held: CommandField) -> float:
    """In the field's own unit, where both are of one kind."""
    if held.unit in ("s", "ms") and unit in _SECONDS:
        value = value * _SECONDS[unit] * (1000 if held.unit == "ms" else 1)
    elif held.unit == "bytes" and unit.upper() in _BYTES:
        value *= _BYTES[unit.upper()]
    elif held.unit == "ratio" and unit == "%":
        value /= 100
    rounded = round(value)
    return rounded if held.type == "int" and math.isclose(value, rounded, rel_tol=1e-12) else value
