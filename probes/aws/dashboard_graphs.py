"""What the graphs of a dashboard show: by its variables' defaults, without hidden metrics, and whose account they are of. Pure.

The form is that of CloudWatch's "Dashboard body structure and syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from probes.frozen import frozen

SPOKEN = frozenset({"title", "label", "markdown"})
"""Properties that are read by people: a name there graphs nothing."""
Widget = Mapping[str, Any]
_WORD = re.compile(r"\w+")


@frozen
class Graphed:
    """One text that chooses what a widget shows, and where that is looked for; empty where the dashboard does not say."""

    text: str
    account: str = ""
    region: str = ""


def with_defaults(widgets: Sequence[Widget], variables: Any) -> list[Widget]:
    """The widgets as they show before anybody chooses: each variable at its default. One without a default replaces nothing."""
    shown = list(widgets)
    for variable in variables if isinstance(variables, list) else ():
        value = variable.get("defaultValue") if isinstance(variable, dict) else None
        if not isinstance(value, str):
            continue
        if (pattern := variable.get("pattern")) and isinstance(pattern, str):
            shown = [_replaced(widget, pattern, value) for widget in shown]
        elif isinstance(name := variable.get("property"), str):
            shown = [_with_property(widget, name, value) for widget in shown]
    return shown


def choices(variables: Any) -> Iterator[tuple[str, str]]:
    """(variable, value) that somebody may choose instead of a default."""
    for variable in variables if isinstance(variables, list) else ():
        if isinstance(variable, dict):
            for each in variable.get("values") or ():
                if isinstance(each, dict) and each.get("value") != variable.get("defaultValue"):
                    yield str(variable.get("label") or variable.get("id") or "?"), str(each.get("value"))


def graphed(widget: Widget) -> Iterator[Graphed]:
    """Every text of a widget that chooses what it shows; metrics that are hidden and feed no visible expression are left out."""
    properties = properties_of(widget)
    account, region = str(properties.get("accountId") or ""), str(properties.get("region") or "")
    metrics = properties.get("metrics")
    for metric in _visible(_expanded(metrics)) if isinstance(metrics, list) else ():
        of = _options(metric)
        place = str(of.get("accountId") or account), str(of.get("region") or region)
        yield from (Graphed(text, *place) for text in _texts(metric))
    others = {key: value for key, value in properties.items() if not (key == "metrics" and isinstance(value, list))}
    yield from (Graphed(text, account, region) for text in _texts(others))


def properties_of(widget: Widget) -> Mapping[str, Any]:
    found = widget.get("properties")
    return found if isinstance(found, dict) else {}


def _replaced(part: Any, pattern: str, value: str) -> Any:
    if isinstance(part, str):
        return part.replace(pattern, value)
    if isinstance(part, dict):
        return {key: _replaced(each, pattern, value) for key, each in part.items()}
    return [_replaced(each, pattern, value) for each in part] if isinstance(part, list) else part


def _with_property(widget: Widget, name: str, value: str) -> Widget:
    """With another value of a property (region, accountId), or of the dimension of this name, wherever the widget has it."""
    properties = dict(properties_of(widget))
    if name in properties:
        properties[name] = value
    metrics = properties.get("metrics")
    if isinstance(metrics, list):
        properties["metrics"] = [_with_dimension(metric, name, value) for metric in _expanded(metrics)]
    return {**widget, "properties": properties}


def _with_dimension(metric: Sequence[Any], name: str, value: str) -> list[Any]:
    """Dimensions are pairs after namespace and metric; an expression that searches names them as `name="value"`."""
    found = list(metric)
    for at in range(2, len(found) - 1, 2):
        if found[at] == name and isinstance(found[at + 1], str):
            found[at + 1] = value
    if found and isinstance(found[-1], dict):
        options = {key: (value if key == name else each) for key, each in found[-1].items()}
        if isinstance(search := options.get("expression"), str):
            options["expression"] = re.sub(rf'\b{re.escape(name)}="[^"]*"', lambda _: f'{name}="{value}"', search)
        found[-1] = options
    return found


def _expanded(metrics: Sequence[Any]) -> list[list[Any]]:
    """Metrics with what they repeat of the one before: "." one place, "..." all of those that it does not write itself."""
    found: list[list[Any]] = []
    before: list[Any] = []
    for metric in metrics:
        if not isinstance(metric, list):
            continue
        options = [part for part in metric if isinstance(part, dict)]
        named = [part for part in metric if not isinstance(part, dict)]
        if named and named[0] == "...":
            own = named[1:]
            named = [*before[: max(len(before) - len(own), 0)], *own]
        named = [before[at] if part == "." and at < len(before) else part for at, part in enumerate(named)]
        before = named or before
        found.append([*named, *options])
    return found


def _options(metric: Sequence[Any]) -> Mapping[str, Any]:
    return metric[-1] if metric and isinstance(metric[-1], dict) else {}


def _visible(metrics: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Those that are drawn, and those that an expression that is drawn reads by their ids."""
    needed: set[str] = set()
    kept = [metric for metric in metrics if _options(metric).get("visible") is not False]
    waiting = list(kept)
    while waiting:
        words = set(_WORD.findall(str(_options(waiting.pop()).get("expression") or ""))) - needed
        needed |= words
        read = [m for m in metrics if m not in kept and str(_options(m).get("id") or "") in words]
        kept += read
        waiting += read
    return kept


def _texts(part: Any) -> Iterator[str]:
    waiting: list[Any] = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [value for key, value in one.items() if key not in SPOKEN]
        elif isinstance(one, list):
            waiting += one
