"""`${name}` and `${env:NAME}`: replaced where they may be, refused where they would be seen, and never repeated in a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans.written_plan import HEAD, marked, own_probes, plan, problem, problems

from cockpit.plan.load import PlanError, load_plan, load_text
from probes.known_secrets import HIDDEN, hide

__all__ = ["own_probes"]

SECRET = "s3cr3t-\u00e9-value"


def with_(parameters: str, rest: str = "") -> str:
    return f"plan: v1\nname: p\nprobes:\n  live: {{uses: sample.live, with: {{{parameters}}}}}\n{rest}"


def test_a_whole_reference_keeps_the_type_of_its_var() -> None:
    loaded = plan(
        "vars: {n: 7, r: 0.25, b: true}\n",
        head=with_('target: "n=${n} b=${b}", count: "${n}", ratio: "${r}", deep: "${b}"'),
    )
    assert loaded.probes["live"].params == {"target": "n=7 b=true", "count": 7, "ratio": 0.25, "deep": True}


def test_vars_may_use_each_other_and_the_environment() -> None:
    text = 'vars: {a: "${b}/${env:LEAF:-leaf}", b: "${env:ROOT}"}\n'
    loaded = plan(text, head=with_('target: "${a}"'), environ={"ROOT": "/r"})
    assert loaded.probes["live"].params == {"target": "/r/leaf"}


def test_vars_in_a_circle_are_refused() -> None:
    found = problems('vars: {a: "${b}", b: "${c}", c: "${b}"}\n', head=with_('target: "${a}"'))
    assert [one.message for one in found] == ["vars refer to each other in a circle: b -> c -> b"]
    assert marked(found[0]) == "${b}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${clster}", "there is no var 'clster'; did you mean 'cluster'?"),
        (
            "${nothing}",
            "give it a value under vars, or read the environment with ${env:nothing}; to mean the characters",
        ),
        ("${open", "'${' without its '}'"),
        ("${}", "there is no var ''"),
        ("${env:}", "write ${env:NAME} or ${env:NAME:-default}"),
        ("${env:a b}", "write ${env:NAME}"),
        ("${env:NOT_SET}", "the environment variable NOT_SET is not set"),
    ],
)
def test_what_cannot_be_resolved_is_marked(text: str, says: str) -> None:
    found = problem("vars: {cluster: c}\n", head=with_(f'target: "before {text}"'))
    assert says in found.message
    assert marked(found) == ("${" if text == "${open" else text)
    assert found.path == "probes.live.with.target"


def test_two_dollars_mean_the_characters_themselves() -> None:
    text = 'vars: {c: prod}\nrunbook: [{id: r, title: "To ${c}", command: "push $${REPO}:${c} $HOME"}]\n'
    (step,) = plan(text).runbook
    assert (step.title, step.command) == ("To prod", "push ${REPO}:prod $HOME")


CONDITION = 'vars: {VAR}\nsuccess_criteria: [{id: c, title: C, success_condition: "WRITTEN"}]\n'


@pytest.mark.parametrize(
    ("var", "written", "compiled"),
    [
        ("n: 2", "live.running == ${n}", "live.running == 2"),
        ("n: 2", "  live.running >= ${n} && live.running != ${n}  ", "live.running >= 2 && live.running != 2"),
        ("n: true", "live.ok == ${n}", "live.ok == true"),
        ("n: two", "live.status == ${n}", 'live.status == "two"'),
        ("n: 'it''s'", "live.status == 'so ${n}'", "live.status == 'so it\\'s'"),
        ("m: 3, n: '${m}'", "live.running == ${n}", "live.running == 3"),
    ],
)
def test_a_var_in_a_condition_is_a_literal_of_its_type(var: str, written: str, compiled: str) -> None:
    (criterion,) = plan(CONDITION.replace("VAR", var).replace("WRITTEN", written)).success_criteria
    assert criterion.condition
    assert criterion.condition.source == compiled


@pytest.mark.parametrize(
    ("var", "written", "shown", "words"),
    [
        ("n: 2", "live.running == ${m}", "${m}", "there is no var 'm'"),
        ("n: two", "live.ok && live.running == ${n}", "live.running == ${n}", "live.running"),
        ("n: 2", "live.running == ${n} && live.runing == 1", "runing", "did you mean 'running'"),
        ("n: 2", "live.running == ${n", "${", "without its '}'"),
    ],
)
def test_a_problem_of_such_a_condition_is_shown_where_it_is_written(
    var: str, written: str, shown: str, words: str
) -> None:
    found = problem(CONDITION.replace("VAR", var).replace("WRITTEN", written))
    assert (marked(found), words in found.message) == (shown, True)


# -- overrides -------------------------------------------------------------------------------------------------------


def test_an_override_takes_the_place_and_the_type_of_a_var() -> None:
    loaded = plan("vars: {n: 1, t: x}\n", head=with_('target: "${t}", count: "${n}"'), n="5", t="0123")
    assert loaded.probes["live"].params == {"target": "0123", "count": 5}


def test_an_override_of_no_var_is_a_problem() -> None:
    found = problem("vars: {bucket: b}\n", head=with_("target: x"), buket="y")
    assert (
        found.message
        == "there is no var 'buket' in the plan, and --var or --vars gives it a value; did you mean 'bucket'?"
    )
    assert marked(found) == "vars"


def test_an_overridden_var_needs_no_environment() -> None:
    loaded = plan('vars: {url: "${env:DATABASE_URL}"}\n', head=with_('target: "${url}"'), url="here")
    assert loaded.probes["live"].params == {"target": "here"}


# -- the environment -------------------------------------------------------------------------------------------------


def test_without_requiring_the_environment_a_plan_says_what_it_needs() -> None:
    text = with_('target: "${env:A}", password: "${env:B}", kind: "${env:C}"', 'target: {account: "${env:D}"}\n')
    loaded = load_text(text, "p.yaml", environ={}, require_environment=False)
    assert loaded.needs_environment == ("A", "B", "C", "D")
    assert loaded.target.account == ""


def test_a_variable_that_is_empty_is_not_set() -> None:
    found = problem("", head=with_('target: "${env:A}"'), environ={"A": ""})
    assert found.message == "the environment variable A is not set"


@pytest.mark.parametrize(
    "text",
    [
        'title: "${env:S}"\n',
        'vars: {v: "${env:S}"}\ntitle: "on ${v}"\n',
        'contacts: {slack: "${env:S}"}\n',
        'runbook: [{id: r, title: R, command: "psql ${env:S}"}]\n',
        'rollback_plan: [{id: r, title: "${env:S}"}]\n',
        'checklist: [{section: S, items: [{id: i, title: I, sign_off: {ask: "${env:S}", roles: [on_call]}}]}]\n',
    ],
)
def test_a_value_from_the_environment_is_refused_where_it_would_be_shown(text: str) -> None:
    found = problem(text, environ={"S": SECRET})
    assert found.message == "a value from the environment may be secret, and would be shown here"
    assert SECRET not in str(found)


def test_an_override_of_a_secret_stays_secret() -> None:
    text = 'vars: {dsn: "${inner}", inner: "${env:S}"}\ntitle: "${dsn}"\n'
    assert "may be secret" in problem(text, environ={"S": "x"}, dsn="postgresql://u:p@h/d").message


@pytest.mark.parametrize("parameter", ["count", "ratio", "deep", "kind", "password", "names", "nothing"])
def test_no_message_ever_repeats_a_value_of_the_environment(parameter: str) -> None:
    value = "$é" if parameter == "password" else SECRET
    head = with_(f'target: x, {parameter}: "${{env:S}}"')
    with pytest.raises(PlanError) as caught:
        plan("count: 1\n", head=head, environ={"S": value})
    error: BaseException | None = caught.value
    while error is not None:
        assert value not in str(error)
        assert value not in repr(error)
        error = error.__cause__ or error.__context__


def test_a_plan_never_shows_what_it_was_given() -> None:
    text = with_('target: "${env:S}"', 'migration: {database: "${env:S}", bucket: b, tables: [{name: t}]}\n')
    loaded = load_text(text, "p.yaml", environ={"S": SECRET})
    assert loaded.probes["live"].params["target"] == SECRET
    assert loaded.migration is not None
    assert loaded.migration.database == SECRET
    assert SECRET not in repr(loaded)


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_vars_that_double_each_other_are_stopped() -> None:
    doubling = "".join(f'  v{n}: "${{v{n + 1}}}${{v{n + 1}}}"\n' for n in range(18)) + "  v18: xxxxxxxxxx\n"
    assert "becomes longer than 20,000 characters" in problems("vars:\n" + doubling)[0].message


def test_a_chain_of_vars_has_an_end() -> None:
    chain = "".join(f'  v{n}: "${{v{n + 1}}}"\n' for n in range(2000)) + "  v2000: x\n"
    assert "through more than 20 others" in problems("vars:\n" + chain)[0].message


def test_the_process_environment_is_read_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COCKPIT_TEST_TARGET", "here")
    (tmp_path / "p.yaml").write_text(with_('target: "${env:COCKPIT_TEST_TARGET}"'), encoding="utf-8")
    assert load_plan(tmp_path / "p.yaml").probes["live"].params == {"target": "here"}
    assert HEAD


def test_a_var_that_stands_for_another_is_public_as_that_one_is_and_secret_where_that_reads_the_environment() -> None:
    vars_ = "vars: {host: app.example.com, tls: '${host}', kept: '${env:KEPT:-x}', also: '${kept}'}\n"
    text = f"plan: v1\nname: p\n{vars_}probes: {{me: {{uses: aws.identity}}}}\n"
    load_text(text, "p.yaml", overrides={"tls": "db.example.com", "also": "db.example.org"}, environ={})
    assert hide("db.example.com") == "db.example.com"
    assert hide("db.example.org") == HIDDEN
