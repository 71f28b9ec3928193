"""Without side effects: no function that a reading statement calls may do more than look.

A read-only transaction keeps tables as they are, and nothing else: a function in it may end a session, write a file, reload the
configuration, or run a text as a statement of its own. PostgreSQL knows which could: those are VOLATILE in its catalog. Of its
own, the ones named here only look; anybody else's has to be declared STABLE.

The names come from the statement and from the server's plan of it. Neither shows what an operator, an aggregate, a cast, a
domain or a list in a view calls: the catalog does. It is asked before the plan, for which the server makes values of constants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, LiteralString

from probes.clients.hidden_calls import HIDDEN
from probes.clients.select_only import without_quoted
from probes.reading import Reason, Unknown, Unseen
from probes.redact import one_line

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Parameters = Sequence[Any] | Mapping[str, Any]

EXPLAIN = "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) "
_LOOKS = """
    array_sample array_shuffle bernoulli clock_timestamp current_query currval gen_random_uuid lastval random random_normal
    pg_sleep system timeofday txid_status uuidv4 uuidv7
    pg_available_wal_summaries pg_blocking_pids pg_collation_actual_version pg_control_checkpoint pg_control_init
    pg_control_recovery pg_control_system pg_current_logfile pg_current_wal_flush_lsn pg_current_wal_insert_lsn
    pg_current_wal_lsn pg_database_collation_actual_version pg_database_size pg_get_aios pg_get_backend_memory_contexts
    pg_get_multixact_members pg_get_sequence_data pg_get_shmem_allocations pg_get_wait_events pg_get_wal_replay_pause_state
    pg_get_wal_resource_managers pg_get_wal_summarizer_state pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused
    pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
    pg_lock_status pg_notification_queue_usage pg_partition_ancestors pg_partition_tree pg_prepared_xact pg_relation_size
    pg_replication_origin_progress pg_replication_origin_session_is_setup pg_safe_snapshot_blocking_pids
    pg_sequence_last_value pg_show_replication_origin_status pg_stat_have_stats pg_table_size pg_tablespace_size
    pg_total_relation_size pg_wal_summary_contents pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status
"""
LOOKS = frozenset(_LOOKS.split())
"""Of PostgreSQL itself: VOLATILE because their answer changes, not because they change anything. `pg_stat_get_*` are too."""
_EXTENSIONS_LOOK = """
    pg_stat_statements pg_stat_statements_info
    aurora_replica_status aurora_global_db_status aurora_global_db_instance_status aurora_version
"""
EXTENSIONS_LOOK = frozenset(_EXTENSIONS_LOOK.split())
"""The same, of what is installed in any schema."""
_RUNS_TEXT = """
    crosstab crosstab2 crosstab3 crosstab4 connectby xpath_table
    table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml
    database_to_xml_and_xmlschema
    array_in domain_in multirange_in pg_input_error_info pg_input_is_valid range_in record_in
"""
RUNS_TEXT = frozenset(_RUNS_TEXT.split())
"""Of PostgreSQL and its extensions: STABLE, and yet they run a text, read a view or make a value of a type given by name."""
_NAME = r'(?:"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][\w$]*)'
_CALL = re.compile(rf"(?:(?:{_NAME}\s*\.\s*)*(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})(?P<is_called>\s*\()?")
_ANY_NAME = re.compile(_NAME)
_CONSTANT = re.compile(r"""E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?P<name>"(?:[^"]|"")*")""", re.DOTALL)
"""As the server writes one in a plan: with E where it holds a backslash. A quoted name may hold an apostrophe."""
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_VOLATILE: LiteralString = (
    """
SELECT n.nspname AS schema, p.proname AS name
  FROM (SELECT called.oid
          FROM unnest(%s::text[], %s::text[]) AS used(schema, name)
          JOIN pg_catalog.pg_proc called ON called.proname = used.name
          JOIN pg_catalog.pg_namespace its ON its.oid = called.pronamespace
         WHERE used.schema = its.nspname OR (used.schema = '' AND pg_catalog.pg_function_is_visible(called.oid))
        UNION SELECT oid FROM ("""
    + HIDDEN
    + """) hidden(oid)) used
  JOIN pg_catalog.pg_proc p ON p.oid = used.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE (p.provolatile = 'v' OR p.proname = ANY(%s) OR EXISTS (
     SELECT FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc step ON step.oid IN (
       a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
      WHERE a.aggfnoid = p.oid AND step.provolatile = 'v'))
UNION
SELECT n.nspname, p.proname
  FROM (SELECT oprcode AS called FROM pg_catalog.pg_operator o
         WHERE o.oprname = ANY(%s) AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator own
           WHERE own.oprname = o.oprname AND own.oprnamespace = 'pg_catalog'::regnamespace)
        UNION ALL
        SELECT c.castfunc FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type t ON t.oid = c.casttarget
         WHERE c.castfunc <> 0 AND t.typname = ANY(%s)) behind
  JOIN pg_catalog.pg_proc p ON p.oid = behind.called
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile = 'v'
 ORDER BY 1, 2"""
)
"""The functions behind names, also of relations and types; behind operators (those PostgreSQL has none of that name) and casts,
which nothing names."""


async def refuse_side_effects(connection: AsyncConnection[dict[str, Any]], query: str, params: Parameters) -> None:
    """Raises Unseen (REFUSED) for a statement with a function that may do more than look. Nothing of it runs here."""
    await _refuse(connection, [without_quoted(query, names=True)])
    texts: list[str] = []
    # Streamed, as the statement itself will be: the server takes exactly one.
    async for row in connection.cursor().stream((EXPLAIN + query).encode(), params or None):
        texts += [_CONSTANT.sub(_no_string, text) for text in _texts(next(iter(row.values())))]
    await _refuse(connection, texts)


async def _refuse(connection: AsyncConnection[dict[str, Any]], texts: Sequence[str]) -> None:
    used = {call for text in texts for call in calls(text)}
    named = ([schema for schema, _ in used], [name for _, name in used])
    signs = {sign for text in texts for found in _OPERATOR.findall(text) for sign in (found, found.rstrip("+-"))}
    words = sorted({_folded(found) for text in texts for found in _ANY_NAME.findall(text)})
    asked = await connection.execute(_VOLATILE, (*named, words, sorted(signs), sorted(RUNS_TEXT), sorted(signs), words))
    found = await asked.fetchall()
    volatile = [f"{row['schema']}.{row['name']}()" for row in found if not _looks(row["schema"], row["name"])]
    if volatile:
        raise Unseen(
            Unknown(
                Reason.REFUSED,
                one_line(f"{', '.join(volatile[:3])} may do more than read: VOLATILE in PostgreSQL's catalog"),
                "leave it out; a function of yours that only reads: ALTER FUNCTION ... STABLE",
            )
        )


def calls(text: str) -> Iterator[tuple[str, str]]:
    """Schema ("" where none is named) and name of whatever looks like a call. Strings in it must be blank.

    >>> sorted(calls('SELECT Count(*), pg_catalog."pg_sleep" (1) FROM t WHERE a IN (1)'))
    [('', 'count'), ('', 'in'), ('pg_catalog', 'pg_sleep')]
    """
    for match in _CALL.finditer(text):
        if match["is_called"]:
            yield _folded(match["schema"] or ""), _folded(match["name"])


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _texts(plan: Any) -> Iterator[str]:
    """Every text of a plan in JSON."""
    if isinstance(plan, str):
        yield plan
    elif isinstance(plan, dict):
        for held in plan.values():
            yield from _texts(held)
    elif isinstance(plan, list):
        for held in plan:
            yield from _texts(held)


def _no_string(match: re.Match[str]) -> str:
    return match["name"] or "''"


def _looks(schema: str, name: str) -> bool:
    own = schema == "pg_catalog" and (name in LOOKS or name.startswith("pg_stat_get_"))
    return own or name in EXTENSIONS_LOOK
