"""The plan's JSON Schema, for editors: made from the document model, shipped beside the plans, tested to be current."""

from __future__ import annotations

import json
from pathlib import Path

from cockpit.plan.document import PlanDocument

FILE = "plan.v1.schema.json"


def schema_text() -> str:
    """The schema as it is shipped."""
    schema = PlanDocument.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Cutover plan"
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write the schema into `checklists/`."""
    folder = Path(__file__).resolve().parent.parent.parent / "checklists"
    (folder / FILE).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
