"""What a text of a plan may hold is said on its field: no var in a condition, nothing of the environment where it is shown.

The first tests walk the document model: every field of every kind of entry, at every depth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from support.plans.written_plan import own_probes, plan, problem

from cockpit.plan.document.document import PlanDocument
from cockpit.plan.document.field_types import Note, Part
from cockpit.plan.load import PlanError, load_text
from cockpit.plan.source.problems import dotted
from cockpit.plan.summary import summarise
from cockpit.plan.text_kind import CONDITION, MACHINE_ONLY, SHOWN

SECRET = "postgresql://u:hunter2@db.internal/app"
MAY_BE_SECRET = "a value from the environment may be secret, and conditions are shown"
SAMPLES = (True, 1, 0.5, "v1", "a", "5m", "documents/", "22:00-05:00", "deploy", "pre_deploy", "critical", "enforce")
MORE_SAMPLES = ("high", "hold")
Path = tuple[str | int, ...]

__all__ = ["own_probes"]


def sample(annotation: Any) -> Any:
    """A value for this annotation, with every key of every model in it."""
    inside = [one for one in get_args(annotation) if one is not type(None)]
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return {info.alias or name: sample(whole_type(info)) for name, info in annotation.model_fields.items()}
    if get_origin(annotation) is list:
        return [sample(inside[0])]
    if get_origin(annotation) is dict:
        return {"live": sample(inside[1])}
    if get_origin(annotation) is Annotated and not isinstance(fitting(annotation), str | int | float):
        return sample(inside[0])
    if type(None) in get_args(annotation):
        return sample(inside[0])
    return fitting(annotation)


def whole_type(info: FieldInfo) -> Any:
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def fitting(annotation: Any) -> Any:
    """The first sample this annotation accepts; None where it is not one for a single value."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    for value in (*SAMPLES, *MORE_SAMPLES):
        try:
            adapter.validate_python(value, strict=False)
        except ValidationError:
            continue
        return value
    return None


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict | list):
        for key, held in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(held, (*path, key))
    else:
        yield path


def whole_document() -> dict[str, Any]:
    """A plan with every key there is."""
    whole: dict[str, Any] = sample(PlanDocument)
    whole["vars"] = {"limit": 1}
    del whole["parts"], whole["include"]  # put in before anything is validated: see test_parts.py
    whole["contacts"] = {"short": "x", "long": {"at": "x", "ref": "y"}}
    whole["probes"]["live"] |= {"uses": "sample.live", "with": {"target": "x", "names": ["y"]}}
    return whole


DOCUMENT = whole_document()
VALUES = [path for path in leaves(DOCUMENT) if path[0] != "vars"]
CONDITIONS = [path for path in VALUES if PlanDocument.text_kind(path) is CONDITION]
COMPILED = [path for path in CONDITIONS if path[0] != "migration"]
"""The sample's migration is none, so that its guards are not looked at; they have a test of their own."""


def said(paths: Sequence[Path], text: str, environ: dict[str, str]) -> dict[Path, list[str]]:
    """What is said of this text when it stands at each of these paths of one plan."""
    whole = deepcopy(DOCUMENT)
    for path in paths:
        owner: Any = whole
        for part in path[:-1]:
            owner = owner[part]
        owner[path[-1]] = text
    with pytest.raises(PlanError) as refused:
        load_text(json.dumps(whole), "p.yaml", environ=environ)
    assert "hunter2" not in str(refused.value)
    return {path: [each.message for each in refused.value.problems if each.path == dotted(path)] for path in paths}


APART = 16
"""Values of one kind of entry stand side by side; so far apart they do not hide what is said of each other."""


@pytest.mark.parametrize("nth", range(APART))
def test_a_value_of_the_environment_is_refused_unless_its_field_is_for_machines_alone(nth: int) -> None:
    for path, found in said(VALUES[nth::APART], "${env:S}", {"S": SECRET}).items():
        kind = PlanDocument.text_kind(path)
        if kind is MACHINE_ONLY:
            assert not any("environment" in one for one in found), path
        elif kind is CONDITION:
            assert found == ([MAY_BE_SECRET] if path in COMPILED else []), path
        else:
            assert any("from the environment" in one and "would be shown here" in one for one in found), (path, found)


def test_only_these_texts_are_for_machines_alone() -> None:
    machine_only = {dotted(path) for path in VALUES if PlanDocument.text_kind(path) is MACHINE_ONLY}
    assert machine_only == {"migration.database", "probes.live.with.target", "probes.live.with.names[0]"}


@pytest.mark.parametrize("path", COMPILED, ids=dotted)
def test_every_condition_takes_a_var_and_none_that_reads_the_environment(path: Path) -> None:
    assert said([path], "live.running > ${limit}", {})[path] == []
    assert said([path], "live.running > ${limits}", {})[path] == ["there is no var 'limits'; did you mean 'limit'?"]


def test_every_key_of_a_condition_is_known_as_one() -> None:
    assert {str(path[-1]) for path in CONDITIONS} == {
        "expect",
        "success_condition",
        "failure_condition",
        "clear_condition",
        "pause_if",
    }


def test_a_path_the_model_does_not_know_may_hold_nothing_of_the_environment() -> None:
    for path in (("nothing",), ("migration", "guards", 0, "nothing"), ("contacts", "slack"), ("title", "below"), ()):
        assert PlanDocument.text_kind(path) is SHOWN


# -- a field says what it holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "undeclared", [str, str | None, list[str], dict[str, str], Any, dict[str, Any], Note | int, bytes]
)
def test_a_field_that_does_not_say_what_it_may_hold_fails_where_it_is_written(undeclared: Any) -> None:
    with pytest.raises(TypeError, match=r"Added\.remark: say what its text may hold"):
        type("Added", (Part,), {"__annotations__": {"remark": undeclared}, "__module__": __name__})


@pytest.mark.parametrize("declared", [Note, Note | None, list[Note], dict[str, Note], bool, int | None])
def test_a_field_that_says_so_is_a_field(declared: Any) -> None:
    added = type("Added", (Part,), {"__annotations__": {"remark": declared}, "__module__": __name__})
    assert issubclass(added, Part)
    assert added.text_kind(("remark",)) is SHOWN


# -- the migration ---------------------------------------------------------------------------------------------------

MIGRATION = 'migration:\n  database: "${env:DB}"\n  bucket: b\n  tables: [{name: Doc}]\n'
GUARD = "  guards: [{id: g1, title: %s, pause_if: %s}]\n"


def test_a_guard_shows_no_password() -> None:
    found = problem(MIGRATION + GUARD % ('"guard ${env:DB}"', "live.ok"), environ={"DB": SECRET})
    assert (found.path, found.message) == (
        "migration.guards[0].title",
        "a value from the environment may be secret, and would be shown here",
    )


def test_a_guard_takes_a_var_in_its_condition_and_no_password() -> None:
    text = "vars: {limit: 40, dsn: '${env:DB}'}\n" + MIGRATION + GUARD % ("Busy", '"live.running > LIMIT"')
    loaded = plan(text.replace("LIMIT", "${limit}"), environ={"DB": SECRET})
    assert [str(guard.condition.source) for guard in loaded.guards() if guard.condition] == ["live.running > 40"]
    found = problem(text.replace("LIMIT", "${dsn}"), environ={"DB": SECRET})
    assert (found.path, found.message) == ("migration.guards[0].pause_if", MAY_BE_SECRET)


def test_the_database_may_come_from_the_environment_and_is_never_shown() -> None:
    loaded = plan(MIGRATION + GUARD % ("Busy", "live.ok"), environ={"DB": SECRET})
    assert loaded.migration is not None
    assert loaded.migration.database == SECRET
    assert "hunter2" not in repr(loaded) + " ".join(summarise(loaded))


# -- where an account id or a region is expected ---------------------------------------------------------------------


def test_the_target_may_come_from_the_environment() -> None:
    text = 'target: {account: "${env:ACCOUNT}", region: "${env:REGION}"}\n'
    loaded = plan(text, environ={"ACCOUNT": "123456789012", "REGION": "eu-central-1"})
    assert (loaded.target.account, loaded.target.region) == ("123456789012", "eu-central-1")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('target: {region: "${env:S}"}\n', "an AWS region, such as us-east-1"),
        ('target: {account: "${env:S}"}\n', "an AWS account id: 12 digits"),
        ('target: {account: "[${env:S}]"}\n', "an AWS account id: 12 digits"),
        ('vars: {v: "${env:S}"}\ntarget: {region: "${v}"}\n', "an AWS region, such as us-east-1"),
    ],
)
def test_the_target_shows_nothing_else_of_the_environment(text: str, what: str) -> None:
    found = problem(text, environ={"S": SECRET})
    assert found.message == f"the value from the environment is not {what}, and would be shown here"
    assert "hunter2" not in str(found)
