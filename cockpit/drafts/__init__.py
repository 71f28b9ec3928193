"""Drafts of a plan: from what an AWS account holds (`cockpit init`), or from a Markdown checklist (`cockpit import`)."""
