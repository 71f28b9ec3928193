"""What a text of a plan may hold: whether `${name}` is replaced in it, and whether the environment may stand there.

A kind is declared once, on the field of the document model (`shapes.Part`), and read by whatever replaces references.
"""

from __future__ import annotations

import re

from probes.frozen import frozen


@frozen
class TextKind:
    """`references`: `${name}` is replaced. `environment`: the form a value read from the environment must have to stand here.

    `form` says that form in words, for messages. Without `environment` no such value may stand here: it may be a secret.
    """

    references: bool = True
    environment: re.Pattern[str] | None = None
    form: str = ""

    def admits(self, value: object) -> bool:
        """Whether a value of the environment may stand here."""
        return self.environment is not None and self.environment.fullmatch(str(value)) is not None


CONDITION = TextKind(references=False)
"""Compiled, and shown as it is written: it reads fields of probes, not vars."""
SHOWN = TextKind()
"""People read it, on a screen or in a message."""
MACHINE_ONLY = TextKind(environment=re.compile(r".*", re.DOTALL))
"""Only machines read it: never on a screen, in a message, a log or a record."""
ACCOUNT_ID = TextKind(environment=re.compile(r"\d{12}"), form="an AWS account id: 12 digits")
REGION_NAME = TextKind(
    environment=re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-\d"), form="an AWS region, such as us-east-1"
)
"""These two are shown, but nothing secret has their form."""
