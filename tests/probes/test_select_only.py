"""The text of a plan's query: quoting of every kind hides nothing that runs, and refuses nothing that only reads."""

from __future__ import annotations

import pytest

from probes.clients.select_only import check_select


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 WHERE x = 'drop table; delete'",
        "SELECT 1 WHERE x = E'it\\'s; delete'",
        "SELECT $$;$$, $tag$ ' ; delete $tag$",
        'SELECT "delete", "a;b" FROM t',
        "SELECT 1 /* outer /* ; delete */ still */",
        "SELECT /* /* */ 1; DELETE */ FROM t",
        "SELECT 1 -- ; delete\n",
        "WITH a AS (SELECT 1) SELECT * FROM a;",
        "SELECT price$1 FROM t",
    ],
)
def test_what_only_reads_is_accepted(query: str) -> None:
    assert check_select(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; DELETE FROM t",
        "SELECT 'a\\'; DELETE FROM t --'",
        "SELECT E'\\''; DELETE FROM t --'",
        "SELECT $a$ $b$; $a$; DELETE FROM t",
        "SELECT 1 /* /* */ */; DELETE FROM t",
        "SELECT 'never closed",
        "SELECT $$never closed",
        'SELECT "never closed',
        "SELECT 1 /* never /* closed */",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copied FROM t",
        "SELECT * FROM t FOR UPDATE",
    ],
)
def test_what_may_do_more_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"only one statement|more than read|never closed"):
        check_select(query)
