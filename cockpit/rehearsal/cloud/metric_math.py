"""The metric math that alarms and dashboards of a web service use: + - * /, FILL, IF, SUM, MIN, MAX, AVG over series."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from cockpit.rehearsal.cloud.protocols import AwsError

Points = dict[int, float]
_OPERATORS: Mapping[type, Callable[[float, float], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


def evaluate(expression: str, series: Mapping[str, Points]) -> Points:
    """
    >>> evaluate("100 * FILL(errors, 0) / total", {"errors": {0: 1.0}, "total": {0: 4.0, 60: 2.0}})
    {0: 25.0, 60: 0.0}
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise AwsError("ValidationError", f"Error in expression '{expression}'") from None
    times = sorted({at for points in series.values() for at in points})
    found = _Math(series, times).value(tree)
    return found if isinstance(found, dict) else dict.fromkeys(times, float(found))


class _Math:
    def __init__(self, series: Mapping[str, Points], times: list[int]) -> None:
        self.series = series
        self.times = times

    def value(self, node: ast.expr) -> Points | float:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self.series:
            return dict(self.series[node.id])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._both(ast.Sub, 0.0, self.value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self._both(type(node.op), self.value(node.left), self.value(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
            return self._both(type(node.ops[0]), self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id.upper(), node.args)
        raise AwsError("ValidationError", "this part of metric math is not rehearsed")

    def _both(self, kind: type, left: Points | float, right: Points | float) -> Points | float:
        if not isinstance(left, dict) and not isinstance(right, dict):
            return float(_OPERATORS[kind](left, right))
        found = {}
        for at in self.times:
            a = left.get(at) if isinstance(left, dict) else left
            b = right.get(at) if isinstance(right, dict) else right
            if a is not None and b is not None and not (kind is ast.Div and b == 0):
                found[at] = float(_OPERATORS[kind](a, b))
        return found

    def _call(self, name: str, arguments: list[ast.expr]) -> Points | float:
        values = [self.value(argument) for argument in arguments]
        if name == "FILL" and len(values) == 2 and isinstance(values[0], dict) and not isinstance(values[1], dict):
            return {at: values[0].get(at, values[1]) for at in self.times}
        if name == "IF" and len(values) == 3:
            return {at: chosen for at in self.times if (chosen := self._chosen(values, at)) is not None}
        reducers: dict[str, Callable[[list[float]], float]] = {
            "SUM": sum, "MIN": min, "MAX": max, "AVG": lambda held: sum(held) / len(held)
        }  # fmt: skip
        if name in reducers and all(isinstance(value, dict) for value in values):
            held = {at: [v[at] for v in values if isinstance(v, dict) and at in v] for at in self.times}
            return {at: float(reducers[name](found)) for at, found in held.items() if found}
        raise AwsError("ValidationError", f"{name} is not rehearsed")

    @staticmethod
    def _chosen(values: list[Points | float], at: int) -> float | None:
        condition, yes, no = (value.get(at) if isinstance(value, dict) else value for value in values)
        return None if condition is None else yes if condition else no
