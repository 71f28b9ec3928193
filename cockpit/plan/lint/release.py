"""Going forward and back: releases that leave nothing to return to, and steps back that do not lead there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.ecs_services import SYNTHETIC
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject
from cockpit.plan.model import Kind, Severity, Step

MUTABLE_PUSH = r"docker\s+(?:image\s+)?push\s+\S+:(?:latest|prod|production|stable|main|master|current)\b"
FORCED = r"update-service\b(?:(?!--task-definition)[\s\S])*--force-new-deployment(?![\s\S]*--task-definition)"
OLD_IMAGE = r"task[- ]definition|previous (?:version|image|release|revision)|earlier (?:version|image|release|revision)"
_DIGEST = r"@sha256|digest|imageDigest"
_RESOLVE = r"prisma\s+migrate\s+resolve\s+--rolled-back"
_RESTORE = r"restore[^.\n]{0,40}snapshot|restore-db-instance-(?:from|to)"
_VENDOR = r"\b(?:anthropic|openai|vendor|third[- ]party|bedrock)\b"


def goes_back(step: Step) -> bool:
    """Whether a step of the rollback plan returns to the image before."""
    words = f"{step.title}\n{step.command}"
    return (step.action is not None and step.action.uses != SYNTHETIC) or bool(
        re.search(OLD_IMAGE + r"|update-service", words, re.IGNORECASE)
    )


@rule(
    "no-way-back",
    "A trigger without a rollback step",
    why="The verdict reads ROLLBACK, and the plan has no steps for it.",
    instead="Write rollback_plan: who does what, in which order, and what to see when it worked.",
)
def no_way_back(subject: Subject) -> Iterator[Found]:
    if subject.plan.rollback_plan:
        return
    for path, trigger in subject.criteria():
        if trigger.kind is Kind.TRIGGER and trigger.enforced and not trigger.runbook:
            yield Found(path, f"'{trigger.id}' calls for a rollback, and the plan has no rollback step")
            return


@rule(
    "mutable-tag",
    "A release by a tag that moves",
    why="The next push changes what the tag means: no revision is left that would start the image before.",
    instead="Push a tag of its own for each build, register a task definition with image@sha256:..., deploy that revision.",
    report="T2",
)
def mutable_tag(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("command", within="runbook"):
        if (place := subject.find(MUTABLE_PUSH, text)) is not None:
            yield Found(text.path, "pushes a tag that moves: what ran before can no longer be named", place)
        if (place := subject.find(FORCED, text)) is not None:
            problem = (
                "forces a deployment without a new task definition: the revision stays, what its tag means changes"
            )
            yield Found(text.path, problem, place)


@rule(
    "rollback-to-same-image",
    "A step back that starts the same image again",
    why="The revision before names the same tag, and the tag now means the bad image: the rollback changes nothing.",
    instead="Write down revision and digest before deploying, deploy by digest, go back to that revision.",
    report="T2",
)
def rollback_to_same_image(subject: Subject) -> Iterator[Found]:
    moved = subject.mentions(MUTABLE_PUSH, "command", within="runbook")
    if not moved and not subject.mentions(FORCED, "command", within="runbook"):
        return
    for path, step in subject.rollback_plan():
        if goes_back(step) and not re.search(_DIGEST, f"{step.title}\n{step.command}"):
            yield Found(
                path,
                f"'{step.id}' cannot work: the runbook deploys by a tag that moves, so nothing is left to revert to",
            )


@rule(
    "prisma-resolve",
    "`prisma migrate resolve --rolled-back` as a rollback",
    why="It fails with P3012 for a migration that succeeded, and never touches the schema: it only edits Prisma's own list.",
    instead="Leave an additive migration in place; the image before ignores new columns. Else write and rehearse a down script.",
    report="T1",
)
def prisma_resolve(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("command", "title", within="rollback_plan"):
        if (place := subject.find(_RESOLVE, text)) is not None:
            yield Found(text.path, "rolls nothing back", place)


@rule(
    "restore-moves-endpoint",
    "A restore that does not say where the application finds it",
    why="A restore makes a new instance with a new endpoint, and loses every write since the snapshot.",
    instead="Say who changes DATABASE_URL and redeploys, and who accepts the lost writes.",
    report="T13",
)
def restore_moves_endpoint(subject: Subject) -> Iterator[Found]:
    for path, step in subject.rollback_plan():
        words = f"{step.title}\n{step.command}"
        text = f"{words}\n{step.expect}\n{step.caution}\n{step.sign_off.ask if step.sign_off else ''}"
        if re.search(_RESTORE, words, re.IGNORECASE) and not re.search(r"endpoint|DATABASE_URL", text, re.IGNORECASE):
            yield Found(path, f"'{step.id}' does not say how the application reaches the restored instance")


@rule(
    "vendor-rollback",
    "A rollback for what a rollback cannot fix",
    why="The release before calls the same vendor: going back costs an hour and fixes nothing.",
    instead="Make it severity: major (alone a HOLD), and say what people do while the vendor is down.",
)
def vendor_rollback(subject: Subject) -> Iterator[Found]:
    for path, trigger in subject.criteria():
        critical = trigger.kind is Kind.TRIGGER and trigger.enforced and trigger.severity is Severity.CRITICAL
        if critical and re.search(_VENDOR, trigger.title, re.IGNORECASE):
            yield Found((*path, "title"), f"'{trigger.id}' alone calls for a rollback when a vendor fails")


_BUILT_IN = r"\bNEXT_PUBLIC_\w*"
_BUILT_IN = r"NEXT_PUBLIC_[^.]*\b(fixed|built|build)|--build-arg"


@rule(
    "built-in-values",
    "Values that are fixed when the image is built are treated as settings",
    why="Next.js writes NEXT_PUBLIC_ values into the bundle at build time: setting them on the task changes nothing, and its "
    "pages go on using what they were built with.",
    instead="Pass them as --build-arg in the build step, and look at what the page really serves.",
    report="T10",
)
def built_in_values(subject: Subject) -> Iterator[Found]:
    if subject.mentions(_BUILT_IN, "caution", "command", "title"):
        return
    for index, variable in enumerate(subject.plan.environment_variables):
        if variable.name.startswith("NEXT_PUBLIC_") and "buil" not in variable.caution:
            yield Found(("environment_variables", index), f"{variable.name} is fixed when the image is built")
    for text in subject.texts_of("probes", "vars", "command", "title"):
        if (place := subject.find(_BUILT_IN, text)) is not None:
            yield Found(text.path, "is fixed when the image is built", place)


RULES = (
    no_way_back,
    mutable_tag,
    rollback_to_same_image,
    prisma_resolve,
    restore_moves_endpoint,
    vendor_rollback,
    built_in_values,
)
