"""Every probe that a plan can name keeps the contract; a wrong name is answered with the nearest right one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

import probes.registry
from cockpit.cli.main import main
from probes.probe import Params, Probe
from probes.registry import BUILT_IN, UnknownProbe, find, names
from probes.suggestion import closest

TYPES = {bool, int, float, str, datetime, tuple}
UNITS = {"", "ratio", "s", "ms", "bytes", "count", "per_s", "days"}
ACTION = re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z]+")
every_probe = pytest.mark.parametrize("name", sorted(BUILT_IN))


@every_probe
def test_its_name_is_the_registry_s_and_it_says_what_it_reads(name: str) -> None:
    probe = find(name)
    assert issubclass(probe, Probe)
    assert probe.name == name
    first = (probe.__doc__ or "").splitlines()[0]
    assert first.endswith((".", "?"))
    assert len(first) > 20
    assert probe.__doc__ != Probe.__doc__


@every_probe
def test_its_fields_are_described_by_type_meaning_and_example(name: str) -> None:
    fields = find(name).fields
    assert fields
    assert len({field.name for field in fields}) == len(fields)
    for field in fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name), field
        assert field.type in TYPES, field
        assert len(field.meaning) > 3, field
        assert field.unit in UNITS, field
        assert field.unit == "" or field.type in (int, float), field


@every_probe
def test_an_example_could_be_a_value(name: str) -> None:
    for field in find(name).fields:
        example = field.example
        assert type(example) is field.type or (field.type is float and type(example) is int), field
        if isinstance(example, tuple):
            assert example, field
            assert all(isinstance(part, str) for part in example), field
        if isinstance(example, datetime):
            assert example.tzinfo is not None, field
        if isinstance(example, (int, float)) and not isinstance(example, bool):
            assert field.low is None or field.low <= example, field
            assert field.high is None or example <= field.high, field
        else:
            assert field.low is None, field
            assert field.high is None, field


@every_probe
def test_its_parameters_are_strict(name: str) -> None:
    params = find(name).params_type
    assert issubclass(params, Params)
    assert (params.model_config.get("extra"), params.model_config.get("frozen")) == ("forbid", True)
    with pytest.raises(ValidationError, match="no_such_parameter"):
        params.model_validate({"no_such_parameter": 1})


@every_probe
def test_it_says_what_it_needs_and_how_often(name: str) -> None:
    probe = find(name)
    assert all(ACTION.fullmatch(action) for action in probe.iam), probe.iam
    assert len(set(probe.iam)) == len(probe.iam)
    assert probe.interval > timedelta(0)
    assert probe.period >= timedelta(0)


def test_names_are_sorted_and_all_built_in_ones_are_there() -> None:
    listed = list(names())
    assert listed == sorted(listed)
    assert set(BUILT_IN) <= set(listed)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownProbe) as raised:
        find("ecs.servise")
    assert (raised.value.name, raised.value.nearest) == ("ecs.servise", "ecs.service")
    assert str(raised.value) == "there is no probe 'ecs.servise'; did you mean 'ecs.service'?"
    with pytest.raises(UnknownProbe) as raised:
        find("zzzzzzzz")
    assert (raised.value.nearest, str(raised.value)) == ("", "there is no probe 'zzzzzzzz'")


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Any:
    def offer(**points: str) -> None:
        made = [EntryPoint(name.replace("__", "."), value, probes.registry.GROUP) for name, value in points.items()]
        monkeypatch.setattr(probes.registry, "entry_points", lambda group: made)
        probes.registry._third_party.cache_clear()

    yield offer
    probes.registry._third_party.cache_clear()


def test_others_can_add_probes_but_not_replace_ours(third_party: Any) -> None:
    third_party(acme__queue="probes.aws.identity:AwsIdentity", ecs__service="probes.aws.identity:AwsIdentity")
    assert "acme.queue" in names()
    assert find("acme.queue").name == "aws.identity"
    assert find("ecs.service").name == "ecs.service"


def test_the_examples_of_times_are_aware() -> None:
    assert any(field.example == datetime(2026, 1, 1, tzinfo=UTC) for field in find("ecs.deployment").fields)


def test_a_plug_in_that_cannot_be_imported_is_named_alone(third_party: Any) -> None:
    third_party(acme__broken="no.such.module:Probe")
    done = CliRunner().invoke(main, ["probes"])
    lines = {line.split()[0]: line for line in done.output.splitlines() if line.strip()}
    assert "cannot be loaded: ModuleNotFoundError" in lines["acme.broken"]
    assert "cannot be loaded" not in lines["ecs.service"]
    assert CliRunner().invoke(main, ["probes", "acme.broken"], standalone_mode=False).return_value == 64


def test_of_names_that_are_equally_near_the_first_is_suggested_in_whatever_case() -> None:
    assert closest("eu-central", ["eu-central-2", "eu-central-1", "us-east-1"]) == "eu-central-1"
    assert (
        closest("HTTPCODE_TARGET_5xx_count", ["HTTPCode_Target_5XX_Count", "RequestCount"])
        == "HTTPCode_Target_5XX_Count"
    )
    assert closest("x" * 10_000, ["x" * 10_000 + "y"]) == "", (
        "comparing long texts takes time that grows with its square"
    )
