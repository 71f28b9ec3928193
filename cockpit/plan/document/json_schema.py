"""The JSON Schemas of plans, their parts and files of vars, for editors: made from the document model and the built-in probes,
shipped beside the plans.

`python -m cockpit.plan.document.json_schema` writes them again; a test holds them to be current. They are kinder than the
loader, which also knows references, roles and conditions, and stricter where a probe is of another package.
`enumDescriptions`, `defaultSnippets` and `markdownDescription` are what yaml-language-server shows besides.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cockpit.plan.document.document import PlanDocument
from cockpit.plan.source.parts_of_plan import INPUT_TYPES, LISTS
from probes.parameters import Parameter, parameters_of, schema_of
from probes.probe import Probe
from probes.registry import BUILT_IN, find

FILE = "plan.v1.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{", "description": "${name} or ${env:NAME}"}
_OUTER = ("description", "markdownDescription", "default", "title")
_SCALAR = ["string", "number", "boolean"]
_SNIPPETS: Mapping[str, str] = {
    "ProbePart": "uses: $1\nwith:\n  $2",
    "SuccessPart": "id: $1\ntitle: $2\nsuccess_condition: $3\nfor: ${4:10m}",
    "TriggerPart": "id: $1\ntitle: $2\nfailure_condition: $3\nfor: ${4:5m}",
    "ItemPart": "id: $1\ntitle: $2\nexpect: $3",
    "SectionPart": "section: $1\nphase: ${2:pre_deploy}\nitems:\n  - id: $3\n    title: $4\n    expect: $5",
    "GatePart": "id: $1\nbefore: ${2:deploy}\npoll: {roles: [${3:on_call}], required: ${4:2}}",
    "StepPart": "id: $1\ntitle: $2\ncommand: $3\nexpect: $4\nexpected: ${5:5m}",
    "PersonPart": "id: $1\nname: $2\nroles: [${3:on_call}]",
    "IncludePart": "part: $1\nas: $2\nwith: {$3}",
}
"""What an editor puts in for a new entry; $1 is where the cursor goes first."""


def schemas() -> dict[str, str]:
    """File name -> the schema as it is shipped."""
    return {FILE: schema_text(), "part.v1.schema.json": _part_text(), "vars.v1.schema.json": _vars_text()}


def schema_text() -> str:
    """The schema of plans."""
    schema = plainly(PlanDocument.model_json_schema(by_alias=True))
    definitions = schema["$defs"]
    kinds = {name: find(name) for name in sorted(BUILT_IN)}
    part = definitions["ProbePart"]
    lines = [(inspect.getdoc(kind) or "").splitlines()[0] for kind in kinds.values()]
    part["properties"]["uses"] |= {"enum": list(kinds), "enumDescriptions": lines}
    part["allOf"] = [
        {
            "if": {"properties": {"uses": {"const": name}}, "required": ["uses"]},
            "then": _parameters(name, kind, definitions),
        }
        for name, kind in kinds.items()
    ]
    for name, body in _SNIPPETS.items():
        definitions[name]["defaultSnippets"] = [{"label": f"new {name.removesuffix('Part').lower()}", "body": body}]
    definitions["PlanPart"] = _part(schema["properties"])
    (place,) = schema["properties"]["parts"]["patternProperties"].values()
    place["anyOf"] = [{"type": "string"}, {"$ref": "#/$defs/PlanPart"}]
    del place["type"]
    return _text("Cutover plan", _with_references(schema))


def _text(title: str, schema: Mapping[str, Any]) -> str:
    whole = {**schema, "$schema": _DRAFT, "title": title}
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _part(of_plan: Mapping[str, Any]) -> dict[str, Any]:
    """What a part holds: its inputs, and the lists of a plan."""
    inputs = {
        "type": "object",
        "description": "What it is given where it is included, by name; used as ${name}. Without a default it must be given",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "type": {"enum": list(INPUT_TYPES), "description": "What it may be; text unless it says so"},
                "default": {"type": _SCALAR, "description": "Its value where none is given"},
                "description": {"type": "string", "description": "What it is, for whoever includes the part"},
            },
        },
    }
    return {
        "type": "object",
        "description": "A fragment of a plan: its probes are NAME_probe where it is included as NAME, its lines NAME.id",
        "additionalProperties": False,
        "required": ["part"],
        "properties": {
            "part": {"const": "v1", "description": "Version of this format"},
            "title": {"type": "string", "description": "What it is a part for"},
            "inputs": inputs,
            **{name: of_plan[name] for name in ("probes", *LISTS)},
        },
    }


def _part_text() -> str:
    """Of a file of its own; what it may hold is said in the schema of plans, which lies beside it."""
    return _text("Part of a cutover plan", {"$ref": f"{FILE}#/$defs/PlanPart"})


def _vars_text() -> str:
    """Of a file for `--vars`."""
    held = {"type": _SCALAR, "description": "Value of one of the plan's vars"}
    what = "Values for a plan's vars, by name: one file for each environment, given as --vars FILE"
    return _text("Vars of a cutover plan", {"type": "object", "description": what, "additionalProperties": held})


def _with_references(held: Any) -> Any:
    """The schema in which every text that must have a form may be a `${name}` instead, and code is shown as such."""
    if isinstance(held, list):
        return [_with_references(each) for each in held]
    if not isinstance(held, dict):
        return held
    kept = {key: _with_references(each) for key, each in held.items()}
    if (
        isinstance(pattern := kept.get("pattern"), str)
        and kept.get("type") == "string"
        and not re.search(pattern, "${a}")
    ):
        kept["pattern"] = rf"(?:{pattern})|\$\{{"
    if isinstance(text := kept.get("description"), str) and "`" in text:
        kept.setdefault("markdownDescription", text)
    return kept


def _parameters(name: str, kind: type[Probe[Any]], definitions: dict[str, Any]) -> dict[str, Any]:
    """What `with` holds for one kind of probe. Any parameter may be a reference instead of its own type."""
    params = plainly(schema_of(kind.params_type, ref_template=f"#/$defs/{name}.{{model}}"))
    for inner, definition in params.pop("$defs", {}).items():
        definitions[f"{name}.{inner}"] = definition
    explained = {parameter.name: parameter for parameter in parameters_of(kind)}
    for key, held in params.get("properties", {}).items():
        held.update(_explained(explained[key]))
        if held.get("type") != "string" or held.keys() - {"type", *_OUTER}:
            params["properties"][key] = _or_reference(held)
    params["description"] = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    required = ["with"] if params.get("required") else []
    return {"properties": {"with": params}, "required": required}


def _explained(one: Parameter) -> dict[str, Any]:
    """Its description and its default, as a plan writes it."""
    kind = _capital(one.type)
    shown = f"{one.meaning}\n\n{kind}.\n\n```yaml\n{one.example}\n```"
    of_default = {"default": yaml.safe_load(one.default)} if one.default else {}
    return {"description": f"{one.meaning} {kind}. {one.example}", "markdownDescription": shown, **of_default}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _or_reference(held: dict[str, Any]) -> dict[str, Any]:
    outer = {key: held.pop(key) for key in _OUTER if key in held}
    return outer | {"anyOf": [held, _REFERENCE]}


def plainly(held: Any) -> Any:
    """The schema without `null` (a plan leaves out what it does not say) and without titles that only repeat a name."""
    if isinstance(held, list):
        return [plainly(one) for one in held]
    if not isinstance(held, dict):
        return held
    kept = {key: plainly(one) for key, one in held.items() if not _is_noise(key, one)}
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        left = [one for one in choices if one != {"type": "null"}]
        del kept["anyOf"]
        kept = (left[0] | kept) if len(left) == 1 else (kept | {"anyOf": left})
    return kept


def _is_noise(key: str, held: Any) -> bool:
    return (key == "default" and held in (None, "", [], {})) or (key == "title" and isinstance(held, str))


def path(file: str = FILE) -> Path:
    """Where a schema is kept: beside the plans."""
    return Path(__file__).resolve().parent.parent.parent.parent / "checklists" / file


def main() -> None:
    """Write the schemas into `checklists/`."""
    for file, text in schemas().items():
        path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
