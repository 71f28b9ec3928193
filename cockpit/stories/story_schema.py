"""The stories' JSON Schema, for editors: made from the document model, shipped beside the plans.

`python -m cockpit.stories.story_schema` writes it again; a test holds it to be current. It is kinder than the loader, which
also knows the plan.
"""

from __future__ import annotations

import json
from pathlib import Path

from cockpit.plan.document.json_schema import path as plan_schema
from cockpit.plan.document.json_schema import plainly
from cockpit.stories.story_document import StoryPart

FILE = "story.v1.schema.json"


def story_schema() -> str:
    """The schema as it is shipped."""
    schema = plainly(StoryPart.model_json_schema(by_alias=True))
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Story of a plan"
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def path() -> Path:
    """Where the schema is kept: beside the plans."""
    return plan_schema().with_name(FILE)


def main() -> None:
    """Write the schema into `checklists/`."""
    path().write_text(story_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
