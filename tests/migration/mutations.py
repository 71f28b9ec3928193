"""Guards that are taken out of the SQL of a worker, to prove that the crash driver's audit notices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cockpit.migration import sql_files


@dataclass(frozen=True)
class Mutation:
    """One guard of a statement: each text is cut out of it, and the other put there instead."""

    statement: str
    changes: tuple[tuple[str, str], ...]
    checks_its_lease: bool = True
    """Whether a worker still looks, before it switches, how old its leases are."""

    def mutated(self, text: str) -> str:
        """Raises ValueError when the statement does not hold a text exactly once: then nothing would be taken out."""
        for before, after in self.changes:
            if text.count(before) != 1:
                raise ValueError(f"{self.statement} has {before!r} {text.count(before)} times, not once")
            text = text.replace(before, after)
        return text


MUTATIONS = {
    # The switch no longer looks whether the row is the one that was read.
    "xmin": Mutation("point_rows_at_objects", (("d.xmin = v.x AND ", ""),)),
    # Keys are no longer written down before the upload.
    "intent": Mutation(
        "claim_to_copy",
        (
            ("'intent' FROM taken", "'intent' FROM taken WHERE false"),
            (
                "EXISTS (SELECT FROM intent o WHERE o.key = t.key AND o.tbl = t.tbl AND o.doc_id = t.doc_id) AS ours",
                "true AS ours",
            ),
        ),
    ),
    # A worker that lost its lease may still switch, and does not look whether it lost it.
    "epoch": Mutation(
        "point_rows_at_objects", ((" AND v.epoch = i.epoch AND v.key = i.key", ""),), checks_its_lease=False
    ),
}


def take_out(guard: str) -> None:
    """Take a guard out of this process. To be called before a module that uses the statement is loaded."""
    mutation = MUTATIONS[guard]
    found = sql_files.STATEMENTS[mutation.statement]
    sql_files.STATEMENTS[mutation.statement] = replace(found, text=mutation.mutated(found.text))
    if not mutation.checks_its_lease:
        from cockpit.migration.worker_context import Work

        setattr(Work, "safe", lambda _: True)  # noqa: B010 - a method, for this process alone


def code_without(guard: str) -> str:
    """Python for a worker process that has no such guard; "" for one that has them all."""
    if not guard:
        return ""
    tests = str(Path(__file__).parents[1])
    return f"import sys\nsys.path.insert(0, {tests!r})\nfrom migration.mutations import take_out\ntake_out({guard!r})\n"
