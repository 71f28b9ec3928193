"""From a Markdown checklist to a plan: `cockpit import FILE.md`."""
