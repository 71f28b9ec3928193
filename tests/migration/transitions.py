"""Every change of state in a ledger under test, compared with those that `states.py` lists."""

from __future__ import annotations

from typing import Any

import psycopg

from cockpit.migration.states import ITEM_TRANSITIONS, OBJECT_TRANSITIONS, ItemState, ObjectState

WATCH = """
CREATE SCHEMA IF NOT EXISTS watch;
CREATE TABLE IF NOT EXISTS watch.unlisted (tbl text, key text, before text, after text, query text);
CREATE OR REPLACE FUNCTION watch.note_unlisted_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> '{first}' THEN
            INSERT INTO watch.unlisted VALUES ('{table}', NEW.{key}, 'new', NEW.state, current_query());
        END IF;
    ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({listed}) THEN
        INSERT INTO watch.unlisted VALUES ('{table}', NEW.{key}, OLD.state, NEW.state, current_query());
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS note_unlisted ON cutover.{table};
CREATE TRIGGER note_unlisted AFTER INSERT OR UPDATE OF state ON cutover.{table}
    FOR EACH ROW EXECUTE FUNCTION watch.note_unlisted_{table}();
"""


def watch_transitions(connection: psycopg.Connection[Any]) -> None:
    """From now on, every change of state that is not listed is written down. It is not refused: what follows is seen too."""
    items = [(before, after) for before, states in ITEM_TRANSITIONS.items() for after in states]
    objects = [(before, after) for before, states in OBJECT_TRANSITIONS.items() for after in states]
    for table, key, first, listed in (
        ("item", "doc_id", ItemState.PLANNED, ", ".join(f"('{before}', '{after}')" for before, after in items)),
        ("object", "key", ObjectState.INTENT, ", ".join(f"('{before}', '{after}')" for before, after in objects)),
    ):
        connection.execute(WATCH.format(table=table, key=key, first=first, listed=listed))


def unlisted(connection: psycopg.Connection[Any]) -> list[str]:
    """The changes that are not listed, a line each: "item doc-00001: purged -> verified by UPDATE ..."."""
    there = connection.execute("SELECT to_regclass('watch.unlisted') IS NOT NULL").fetchone()
    if not there or not there[0]:
        return []
    rows = connection.execute(
        "SELECT DISTINCT tbl, key, before, after, left(query, 200) FROM watch.unlisted"
    ).fetchall()
    return [f"{tbl} {key}: {before} -> {after} by {query}" for tbl, key, before, after, query in rows]
