"""Accounts that are gone are known by name, so that hosts wipe what they hold of them."""

from uuid import uuid4

from tests.kit.database import Db, Organisation, Run


def deleted(db: Db, run: Run, *sessions: object) -> set[str]:
    return set(db.call("whatsapp_sessions_deleted", p_run=run.id, p_sessions=list(sessions)))


def test_a_deleted_account_is_told_and_one_that_was_never_there_is_not(
    db: Db, org: Organisation, run: Run
) -> None:
    other = org.add_session()
    db.run("delete from public.whatsapp_sessions where id = %s", other)
    assert deleted(db, run, other, org.session, uuid4()) == {str(other)}


def test_accounts_go_with_their_organisation(db: Db, org: Organisation, run: Run) -> None:
    db.run("delete from public.organizations where id = %s", org.id)
    assert deleted(db, run, org.session) == {str(org.session)}


def test_they_are_forgotten_after_a_year(db: Db, org: Organisation, run: Run) -> None:
    first, second = org.add_session(), org.add_session()
    db.run("delete from public.whatsapp_sessions where id = %s", first)
    db.pass_time(366 * 86_400)
    db.run("delete from public.whatsapp_sessions where id = %s", second)
    assert deleted(db, run, first, second) == {str(second)}
