"""A condition as it is written and as it is compiled: vars become literals of their type, a part's probes get their names.

Conditions are shown and recorded as they are compiled; a problem in one is shown where it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from probes.frozen import frozen

_PIECE = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\$\{(?P<var>[^{}]*)\}|(?P<name>(?<![\w.])[A-Za-z_]\w*)""",
    re.DOTALL,
)
_VAR = re.compile(r"\$\{([^{}]*)\}")
Literal = bool | int | float | str


@frozen
class ConditionText:
    """`text` is what is compiled; `pieces` are (begin, end) of what was replaced: in the text, and as written."""

    text: str
    written: str
    pieces: tuple[tuple[int, int, int, int], ...] = ()

    def origin(self, offset: int, length: int) -> tuple[int, int]:
        """Where a piece of the text is written: its offset and length; all of what was replaced where it lies in that."""
        begin, end = self._written(offset)[0], self._written(offset + max(length, 1) - 1)[1]
        return begin, max(end - begin, 1)

    def _written(self, at: int) -> tuple[int, int]:
        shift = 0
        for begin, end, was_begin, was_end in self.pieces:
            if at < begin:
                break
            if at < end:
                return was_begin, was_end
            shift = was_end - end
        return at + shift, at + shift + 1


def condition_text(
    written: str, var: Callable[[str, int, int], Literal | None], probes: Mapping[str, str]
) -> ConditionText | None:
    """The condition to compile; None where one of its vars has no value (then `var` has reported it).

    `var` is given the name, and where it is written. `probes`: names as written -> as the plan calls them.

    >>> condition_text("web.running == ${tasks}", lambda name, at, length: 2, {"web": "api_web"}).text
    'api_web.running == 2'
    """
    made, pieces, last, length = "", [], 0, 0
    for begin, end, new in _replaced(written, var, probes):
        if new is None:
            return None
        made += written[last:begin]
        length = len(made)
        made += new
        pieces.append((length, len(made), begin, end))
        last = end
    return ConditionText(made + written[last:], written, tuple(pieces))


def _replaced(
    written: str, var: Callable[[str, int, int], Literal | None], probes: Mapping[str, str]
) -> Iterator[tuple[int, int, str | None]]:
    for match in _PIECE.finditer(written):
        begin, end = match.span()
        if match["var"] is not None:
            value = var(match["var"], begin, end - begin)
            yield begin, end, None if value is None else literal(value)
        elif match["name"] in probes:
            yield begin, end, probes[match["name"]]
        elif match["text"] is not None:
            for inner in _VAR.finditer(match["text"]):
                at = begin + inner.start()
                value = var(inner[1], at, inner.end() - inner.start())
                yield at, begin + inner.end(), None if value is None else _inside(value)


def literal(value: Literal) -> str:
    """A value as conditions write it.

    >>> literal(2), literal(0.05), literal(True), literal("it's")
    ('2', '0.05', 'true', '"it\\'s"')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _inside(value: Literal) -> str:
    """Within the quotes of a text."""
    plain = value if isinstance(value, str) else literal(value)
    return json.dumps(plain, ensure_ascii=False)[1:-1].replace("'", "\\'")
