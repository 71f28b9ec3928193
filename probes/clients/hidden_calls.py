"""Hidden calls: what a name of a statement makes PostgreSQL start though neither the statement nor its plan shows it.

A list of VALUES in a view, the check of a domain, the fields of a row's type, a policy, what a function is given where nothing
is written: PostgreSQL keeps each as a tree in its catalog, and names in it by number whatever it calls, reads and makes.
Followed from name to tree and on, until nothing is new. A function leads to the types it takes: its arguments are made into
those before it begins, by casts that nobody writes. One of a row may be written like a column (`t.f`): its name is a call.
A type whose check is VOLATILE counts wherever it can be come by, and a table leads to its columns' types: a text that is
compared with a row is read as one before anything else is known of the statement.
"""

from __future__ import annotations

from typing import LiteralString

HIDDEN: LiteralString = """
WITH RECURSIVE named(word) AS (SELECT unnest(%s::text[])),
reached(kind, oid) AS (
  SELECT 'relation', c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid >= 16384 AND c.relname IN (SELECT word FROM named)
     AND (n.nspname IN (SELECT word FROM named) OR pg_catalog.pg_table_is_visible(c.oid))
  UNION
  SELECT 'type', t.oid
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE t.oid >= 16384 AND t.typname IN (SELECT word FROM named)
     AND (n.nspname IN (SELECT word FROM named) OR pg_catalog.pg_type_is_visible(t.oid))
  UNION
  SELECT kind, p.oid
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_catalog.pg_type first ON first.oid = p.proargtypes[0]
    CROSS JOIN (VALUES ('signature'), ('function')) AS as_what(kind)
   WHERE p.oid >= 16384 AND p.proname IN (SELECT word FROM named)
     AND (n.nspname IN (SELECT word FROM named) OR pg_catalog.pg_function_is_visible(p.oid))
     AND (kind = 'signature' OR first.typtype IN ('c', 'p'))
  UNION
  SELECT 'operator', o.oid
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE o.oid >= 16384 AND o.oprname = ANY(%s::text[])
     AND (n.nspname IN (SELECT word FROM named) OR pg_catalog.pg_operator_is_visible(o.oid))
  UNION
  SELECT behind.kind, behind.oid
    FROM reached CROSS JOIN LATERAL (
      SELECT 'type', c.reltype FROM pg_catalog.pg_class c WHERE c.oid = reached.oid AND reached.kind = 'relation'
      UNION ALL
      SELECT 'type', part.oid
        FROM pg_catalog.pg_type t CROSS JOIN LATERAL (
          SELECT t.typbasetype UNION ALL SELECT t.typelem
          UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid
          UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid = r.rngtypid) part(oid)
       WHERE t.oid = reached.oid AND reached.kind = 'type'
      UNION ALL
      SELECT 'type', taken
        FROM pg_catalog.pg_proc p CROSS JOIN LATERAL unnest(p.proargtypes || ARRAY[p.prorettype]) taken
       WHERE p.oid = reached.oid AND reached.kind IN ('function', 'signature')
      UNION ALL
      SELECT 'function', c.castfunc FROM pg_catalog.pg_cast c
       WHERE reached.oid IN (c.casttarget, c.castsource) AND reached.kind = 'type' AND c.castcontext = 'i'
      UNION ALL
      SELECT 'signature', o.oprcode FROM pg_catalog.pg_operator o WHERE o.oid = reached.oid AND reached.kind = 'operator'
      UNION ALL
      SELECT CASE WHEN found[1] = 'relid' THEN 'relation' WHEN found[1] = 'opno' THEN 'operator'
                  WHEN found[1] LIKE '%%type%%' THEN 'type' ELSE 'function' END, found[2]::oid
        FROM (SELECT r.ev_action::text
                FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
               WHERE r.ev_type = '1' AND c.relkind = 'v' AND c.oid = reached.oid AND reached.kind = 'relation'
              UNION ALL
              SELECT p.polqual::text FROM pg_catalog.pg_policy p
               WHERE p.polrelid = reached.oid AND reached.kind = 'relation' AND p.polcmd IN ('r', '*')
              UNION ALL
              SELECT k.conbin::text FROM pg_catalog.pg_constraint k
               WHERE k.contypid = reached.oid AND reached.kind = 'type'
              UNION ALL
              SELECT p.proargdefaults::text FROM pg_catalog.pg_proc p
               WHERE p.oid = reached.oid AND reached.kind IN ('function', 'signature')) kept(tree),
             pg_catalog.regexp_matches(
               kept.tree, ':(funcid|aggfnoid|winfnoid|opno|relid|[a-z_]*type|[a-z_]*typeid) (\\d+)', 'g') found
    ) behind(kind, oid)
   WHERE behind.kind IN ('function', 'operator') OR behind.oid >= 16384
)
SELECT oid FROM reached WHERE kind = 'function'
UNION
SELECT o.oprcode FROM reached JOIN pg_catalog.pg_operator o ON o.oid = reached.oid WHERE kind = 'operator'"""
"""The functions behind names of relations, types, functions and operators. What has a number below 16384 PostgreSQL brought
itself: it only looks."""
