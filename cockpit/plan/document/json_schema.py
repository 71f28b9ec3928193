"""The plan's JSON Schema, for editors: made from the document model and the built-in probes, shipped beside the plans.

`python -m cockpit.plan.document.json_schema` writes it again; a test holds it to be current. It is kinder than the
loader, which also knows references, roles and conditions, and stricter where a probe is of another package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cockpit.plan.document.document import PlanDocument
from probes.parameters import parameters_of
from probes.probe import Probe
from probes.registry import BUILT_IN, find

FILE = "plan.v1.schema.json"
_REFERENCE = {"type": "string", "pattern": r"\$\{", "description": "${name} or ${env:NAME}"}


def schema_text() -> str:
    """The schema as it is shipped."""
    schema = plainly(PlanDocument.model_json_schema(by_alias=True))
    kinds = {name: find(name) for name in sorted(BUILT_IN)}
    part = schema["$defs"]["ProbePart"]
    part["properties"]["uses"] |= {"enum": list(kinds)}
    part["allOf"] = [
        {
            "if": {"properties": {"uses": {"const": name}}, "required": ["uses"]},
            "then": _parameters(name, kind, schema["$defs"]),
        }
        for name, kind in kinds.items()
    ]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Cutover plan"
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _parameters(name: str, kind: type[Probe[Any]], definitions: dict[str, Any]) -> dict[str, Any]:
    """What `with` holds for one kind of probe. Any parameter may be a reference instead of its own type."""
    params = plainly(kind.params_type.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}"))
    for inner, definition in params.pop("$defs", {}).items():
        definitions[f"{name}.{inner}"] = definition
    explained = {parameter.name: parameter for parameter in parameters_of(kind)}
    for key, held in params.get("properties", {}).items():
        held["description"] = f"{explained[key].meaning} {_capital(explained[key].type)}. {explained[key].example}"
        if held.get("type") != "string" or len(held) > 2:
            params["properties"][key] = _or_reference(held)
    params["description"] = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    required = ["with"] if params.get("required") else []
    return {"properties": {"with": params}, "required": required}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _or_reference(held: dict[str, Any]) -> dict[str, Any]:
    outer = {key: held.pop(key) for key in ("description", "default", "title") if key in held}
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
    return (key == "default" and held is None) or (key == "title" and isinstance(held, str))


def path() -> Path:
    """Where the schema is kept: beside the plans."""
    return Path(__file__).resolve().parent.parent.parent.parent / "checklists" / FILE


def main() -> None:
    """Write the schema into `checklists/`."""
    path().write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
