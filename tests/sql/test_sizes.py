"""Nothing that a tenant writes is unbounded: texts, JSON, lists and times, by column and by function of the API."""

from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row
from tests.sql.test_refusals import refused

#: Columns that a CRM's user may write in which something can grow without end, or lie out of time.
WRITABLE: LiteralString = """
select c.relname as table, a.attname as column, t.typname as type
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and t.typname not in ('uuid', 'bool', 'int2', 'int4', 'int8', 'time')
  and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
    or has_column_privilege('authenticated', c.oid, a.attnum, 'update'))
order by 1, 2
"""
CHECKS: LiteralString = """
select pg_get_expr(k.conbin, k.conrelid) as says from pg_constraint as k
join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = any(k.conkey)
where k.contype = 'c' and k.conrelid = ('public.' || quote_ident(%s))::regclass and a.attname = %s
"""
#: Functions that a CRM's user may call, with the names and types of what they take.
CALLABLE: LiteralString = """
select p.proname as name, p.proargnames[1:p.pronargs] as names,
  array(select format_type(t, null) from unnest(p.proargtypes) as t) as types
from pg_proc as p
where p.pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')
order by 1
"""

LONG = "x" * 400_000
LONGEST = "x" * 1_100_000  #: only a file inside its address may be longer than LONG
OUT_OF_TIME = ["infinity", "-infinity", "20260-01-01 00:00Z", "0044-03-15 00:00Z BC", "0026-01-01 00:00Z"]
PROBES: dict[str, list[Any]] = {
    "text": [LONG, "a" + " " * 400_000, "https://" + LONG, "data:image/png;base64," + LONGEST],
    "jsonb": [{"a": LONG}, {str(n): 1 for n in range(30_000)}, [LONG]],
    "_text": [["x"] * 20_000, [LONG], [["a", "b"], ["c", "d"]], ["a", None]],
    "timestamptz": OUT_OF_TIME,
}


def test_every_column_that_a_tenant_writes_has_its_bound(db: Db) -> None:
    """If this fails: give the column a CHECK with words, or add its type to PROBES."""
    found = db.rows(WRITABLE)
    assert len(found) > 60
    assert [f"{row['table']}.{row['column']}: {probe}" for row in found for probe in accepted(db, row)] == []


def accepted(db: Db, column: Row) -> list[str]:
    """The probes that no CHECK of the column refuses."""
    rules = db.rows(CHECKS, column["table"], column["column"])
    asked = sql.SQL("select {} as refused from jsonb_populate_record(null::{}, %s)").format(
        sql.SQL(" or ").join([sql.SQL("({}) is false").format(sql.SQL(rule["says"])) for rule in rules])
        if rules
        else sql.SQL("false"),
        sql.Identifier("public", column["table"]),
    )
    passed = []
    for probe in PROBES[column["type"]]:
        found = db.connection.execute(asked, [Jsonb({column["column"]: probe})]).fetchone()
        if not (found and found["refused"]):
            passed.append(str(probe)[:40])
    return passed


def test_every_function_that_a_tenant_calls_takes_no_more_than_it_can_bear(db: Db, org: Organisation) -> None:
    """What is too large, or out of time, is refused in words or comes to nothing; the answer stays small."""
    big: dict[str, list[Any]] = {
        "text": [LONGEST],
        "jsonb": [Jsonb({"a": "x" * 3_000_000}), Jsonb([{"phone": "x" * 3_000_000}])],
        "timestamp with time zone": OUT_OF_TIME,
        "uuid": [],
    }
    ground = ground_for(db, org)
    called = 0
    for function in db.rows(CALLABLE):
        for name, kind in zip(function["names"] or [], function["types"], strict=True):
            for probe in big[kind]:
                arguments = {n: ground.get(n) for n in function["names"]} | {name: probe}
                assert_bearable(db, org, function["name"], arguments)
                called += 1
    assert called > 10


def ground_for(db: Db, org: Organisation) -> dict[str, Any]:
    """What makes each call a sensible one but for the value that is tried."""
    workshop = db.insert("public.workshops", organization_id=org.id, title="Raku", starts_at="2030-01-01 10:00Z")
    return {
        "p_organization": org.id,
        "p_event": workshop,
        "p_recipients": Jsonb(["+491701234567"]),
        "p_template": "event_update",
        "p_variables": Jsonb({"name": "Asha"}),
        "p_message": uuid4(),
        "p_phone": "+491701234567",
        "p_name": "event_update",
        "p_error": "x",
    }


def assert_bearable(db: Db, org: Organisation, function: str, arguments: dict[str, Any]) -> None:
    statement = sql.SQL("select to_jsonb(f) as answer from public.{}({}) as f").format(
        sql.Identifier(function),
        sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(n), sql.Placeholder()) for n in arguments),
    )
    refused = None
    try:
        with db.speaking_as("authenticated", org.people["admin"]):
            rows = db.connection.execute(statement, list(arguments.values())).fetchall()
            assert len(str(rows)) < 10_000, function
    except psycopg.Error as error:
        refused = error.diag
    assert refused is None or (refused.message_detail or "").startswith("herald:"), (function, refused)


def test_a_tags_array_of_arrays_is_no_list(db: Db, org: Organisation) -> None:
    statement: LiteralString = "update public.whatsapp_groups set tags = %s::text[] where id = %s"
    assert db.refusal(statement, "{}", org.group) is None
    assert db.refusal(statement, "{a,b}", org.group) is None
    assert db.refusal(statement, "{{a,b},{c,d}}", org.group) == "23514"


def test_fifty_types_of_message_are_a_schedule_and_fifty_one_are_not(db: Db, org: Organisation) -> None:
    def schedule(types: int) -> Jsonb:
        return Jsonb({f"type_{n}": {"offset": "-1 hour", "enabled": False} for n in range(types)})

    statement: LiteralString = (
        "update public.workshop_automation_config set message_schedule = %s where organization_id = %s"
    )
    assert db.refusal(statement, schedule(50), org.id) is None
    assert db.refusal(statement, schedule(51), org.id) == "23514"
    assert db.refusal(statement, schedule(20_000), org.id) == "23514"


def test_a_list_of_recipients_that_is_too_large_is_refused_before_it_is_read(db: Db, org: Organisation) -> None:
    given = ground_for(db, org)
    call: LiteralString = "select public.whatsapp_queue_recipients(%s, %s, 'event_update')"
    with db.speaking_as("authenticated", org.people["admin"]):
        told = refused(db, call, given["p_event"], Jsonb([{"phone": "+491701234567", "name": "x" * 2_100_000}]))
    assert told.message_detail == "herald:recipients-too-large"


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ('{"a": {"b": [1, 2, {"c": "deep enough"}]}}', True),
        ('{"a": ' + "[" * 40 + "1" + "]" * 40 + "}", False),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", False),
        ('{"a": 1e300}', True),
        ('{"a": 1e5000}', False),
        ('{"a": {"b": [-1e131000]}}', False),
        ('{"a": "' + "x" * 66_000 + '"}', False),
    ],
)
def test_json_that_no_program_could_read_is_refused(db: Db, org: Organisation, values: str, taken: bool) -> None:
    """Python gives up at 1,000 levels and at numbers of 4,300 digits, and with it the whole answer."""
    contact: LiteralString = (
        "insert into public.whatsapp_contacts (organization_id, phone, attributes) values (%s, %s, %s)"
    )
    if len(values) < 16_000 or not taken:
        assert (db.refusal(contact, org.id, "+491701234567", values) is None) is taken
    message: LiteralString = (
        "insert into public.scheduled_whatsapp_messages (organization_id, recipient_phone, message_content,"
        " template_variables) values (%s, '+491701234567', 'Hello', %s)"
    )
    assert (db.refusal(message, org.id, values) is None) is taken
    org.schedule()
    change: LiteralString = (
        "update public.scheduled_whatsapp_messages set template_variables = %s where session_id = %s"
    )
    assert (db.refusal(change, values, org.session) is None) is taken


# == rendering ==


def text_of(db: Db, content: str, values: dict[str, str]) -> str | None:
    found: str | None = db.value("select herald.render(%s, %s)", content, Jsonb(values))
    return found


def test_a_text_is_rendered_up_to_what_a_message_may_have(db: Db) -> None:
    assert text_of(db, "{{a}}", {"a": "x" * 65_536}) == "x" * 65_536
    assert text_of(db, "{{a}}", {"a": "x" * 65_537}) is None
    assert text_of(db, "{{a}}b", {"a": "x" * 65_536}) is None
    assert text_of(db, "{{a}}{{b}}", {"a": "x" * 65_530}) == "x" * 65_530 + "{{b}}"
    assert text_of(db, "", {}) == ""


def test_many_large_values_are_given_up_at_once(db: Db) -> None:
    """819 placeholders with 100 kB each took 8 s; what is longer than a message may be is not made at all."""
    db.run("set local statement_timeout = 500")
    assert text_of(db, "{{a}}" * 819, {"a": "x" * 1_000_000}) is None
    assert text_of(db, "{{a}}" * 819, {"a": "x" * 80}) == "x" * 80 * 819


def test_a_template_that_grows_too_long_is_refused_in_words(db: Db, org: Organisation) -> None:
    template = db.insert(
        "public.whatsapp_message_templates", organization_id=org.id, name="many", content="{{a}}" * 819
    )
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction():
        org.schedule(message_content="", template_id=template, template_variables=Jsonb({"a": "x" * 1000}))
    assert caught.value.diag.message_detail == "herald:message-too-long"
    assert "shorter values" in (caught.value.diag.message_hint or "")


def test_an_attendees_long_name_does_not_fail_the_others(db: Db, org: Organisation) -> None:
    """A CRM's own table of attendees may have names of any length."""
    db.run("alter table public.workshop_attendees drop constraint workshop_attendees_name_check")
    workshop = db.insert("public.workshops", organization_id=org.id, title="Raku", starts_at="2036-01-01 10:00Z")
    for phone, name in (("+491701111111", "x" * 100_000), ("+491702222222", "Mira")):
        row = {"organization_id": org.id, "workshop_id": workshop, "phone": phone, "name": name}
        db.insert("public.workshop_attendees", **row)
    task: UUID = db.value(
        "select id from public.whatsapp_automation_tasks where workshop_id = %s limit 1", workshop
    )
    db.run("update public.whatsapp_automation_tasks set status = 'executing' where id = %s", task)
    row = db.row(
        "select status, error_message, queued_count from public.whatsapp_automation_tasks where id = %s", task
    )
    assert (row["status"], row["queued_count"], row["error_message"]) == ("done", 2, None)
