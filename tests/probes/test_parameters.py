"""Every parameter of every probe is explained: a sentence, what is allowed, and an example that the probe accepts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from probes.declared_fields import DeclaredField
from probes.parameters import EXAMPLES, in_words, parameters_of, sentences_of, written
from probes.probe import Params
from probes.registry import BUILT_IN, find

EVERY = sorted(BUILT_IN)


def nested(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Mappings inside a probe's parameters."""
    named = model.model_json_schema().get("$defs", {})
    return {each for each in below(Params) if each.__name__ in named and each.__module__ == model.__module__}


def below(model: type[BaseModel]) -> set[type[BaseModel]]:
    return set(model.__subclasses__()).union(*(below(each) for each in model.__subclasses__()))


@pytest.mark.parametrize("name", EVERY)
def test_each_has_a_sentence_its_type_in_plain_words_and_an_example(name: str) -> None:
    for parameter in parameters_of(find(name)):
        assert re.fullmatch(r"\S.*[.)]", parameter.meaning), (
            f"{name}: {parameter.name} needs a docstring that is a sentence"
        )
        assert parameter.type not in ("", "any value"), f"{name}: {parameter.name}"
        assert not re.search(r"timedelta|NoneType|Annotated|typing", parameter.type), parameter.type
        assert parameter.example != f"{parameter.name}: ", (
            f"probes/parameters.py: an example of {name} {parameter.name}"
        )


@pytest.mark.parametrize("name", EVERY)
def test_its_examples_are_accepted(name: str) -> None:
    params = find(name).params_type
    fields = {info.alias or key: info for key, info in params.model_fields.items()}
    for parameter in parameters_of(find(name)):
        ((key, value),) = yaml.safe_load(parameter.example).items()
        info = fields[key]
        annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        TypeAdapter(annotation).validate_python(value)


def test_no_example_is_left_over() -> None:
    used = {parameter.name for name in EVERY for parameter in parameters_of(find(name))}
    assert set(EXAMPLES) <= used


def test_parameters_inside_others_are_explained_too() -> None:
    inside = {each for name in EVERY for each in nested(find(name).params_type)}
    assert DeclaredField in {base for each in inside for base in each.__mro__}
    silent = [
        f"{each.__name__}.{key}" for each in inside for key in each.model_fields if not sentences_of(each).get(key)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=1), "1h"),
        (timedelta(0), "0s"),
        (0.5, "0.5"),
        (["a", 1], "[a, 1]"),
        ("a: b", '"a: b"'),
        (None, ""),
    ],
)
def test_a_value_is_written_as_a_plan_would(value: Any, text: str) -> None:
    assert written(value) == text


def test_types_are_plain_words() -> None:
    assert in_words({"type": "array", "items": {"type": "string"}, "maxItems": 3}, {}) == "a list of 0 to 3, each text"
    assert in_words({"enum": ["a", "b"]}, {}) == "one of a, b"
    assert in_words({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {}) == "a number above 0 to 1"
