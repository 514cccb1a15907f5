"""What follows from a message in the inbox: the conversation's summary, an opt-out by words, an answer."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.kit.database import Db, Organisation, Row
from tests.kit.people import PHONE, contact, contact_row, new_phone


@pytest.fixture
def person(org: Organisation) -> UUID:
    return contact(org)


@pytest.fixture
def talk(db: Db, org: Organisation, person: UUID) -> UUID:
    """The conversation of the account with the person."""
    found = db.value("select herald.conversation(%s, %s, null)", org.session, person)
    assert isinstance(found, UUID)
    return found


def say(org: Organisation, conversation: UUID, content: str, **columns: object) -> UUID:
    """A message that came in this moment."""
    row: dict[str, object] = {"direction": "inbound", "wa_message_id": str(uuid4()), "sent_at": org.db.now()}
    return org.db.insert(
        "public.whatsapp_messages",
        organization_id=org.id,
        session_id=org.session,
        conversation_id=conversation,
        content=content,
        **(row | columns),
    )


def summary(db: Db, conversation: UUID) -> Row:
    return db.row(
        "select last_message, last_message_at, last_inbound_at, unread_count from public.whatsapp_conversations"
        " where id = %s",
        conversation,
    )


def sent(org: Organisation, **columns: object) -> UUID:
    gone: dict[str, object] = {"status": "sent", "sent_at": org.db.now(), "wa_message_id": str(uuid4())}
    return org.schedule(**(gone | columns))


# == conversations ==


def test_a_conversation_is_made_once(db: Db, org: Organisation) -> None:
    lead = uuid4()
    person = contact(org, lead_id=lead)
    query: LiteralString = "select herald.conversation(%s, %s, %s)"
    made = {db.value(query, org.session, person, None) for _ in range(2)}
    groups = {db.value(query, org.session, None, org.group) for _ in range(2)}
    assert len(made) == len(groups) == 1
    assert made != groups
    assert db.value("select lead_id from public.whatsapp_conversations where id = %s", made.pop()) == lead


def test_a_conversation_stays_within_its_organisation(db: Db, org: Organisation) -> None:
    stranger = contact(Organisation(db))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        db.run("select herald.conversation(%s, %s, null)", org.session, stranger)


def test_a_message_is_its_conversations_news(db: Db, org: Organisation, talk: UUID) -> None:
    say(org, talk, "Is the kiln hot?")
    now = db.now()
    assert summary(db, talk) == {
        "last_message": "Is the kiln hot?",
        "last_message_at": now,
        "last_inbound_at": now,
        "unread_count": 1,
    }


def test_what_the_account_says_is_news_but_not_unread(db: Db, org: Organisation, talk: UUID) -> None:
    say(org, talk, "Yes", direction="outbound", status="sent")
    row = summary(db, talk)
    assert (row["last_message"], row["last_inbound_at"], row["unread_count"]) == ("Yes", None, 0)


def test_an_older_message_that_comes_late_is_no_news(db: Db, org: Organisation, talk: UUID) -> None:
    say(org, talk, "new")
    say(org, talk, "old", sent_at=db.now() - timedelta(hours=1))
    row = summary(db, talk)
    assert (row["last_message"], row["last_message_at"], row["last_inbound_at"]) == ("new", db.now(), db.now())
    assert row["unread_count"] == 2


def test_a_message_without_text_is_named_by_its_kind(db: Db, org: Organisation, talk: UUID) -> None:
    say(org, talk, "", kind="image")
    assert summary(db, talk)["last_message"] == "[image]"


def test_a_long_message_is_cut_in_the_summary(db: Db, org: Organisation, talk: UUID) -> None:
    say(org, talk, "x" * 600)
    assert summary(db, talk)["last_message"] == "x" * 500


def test_a_message_that_comes_twice_counts_once(db: Db, org: Organisation, talk: UUID) -> None:
    for _ in range(2):
        db.run(
            "insert into public.whatsapp_messages (organization_id, session_id, conversation_id, direction,"
            " wa_message_id, content, sent_at) values (%s, %s, %s, 'inbound', '3EB0', 'once', herald.clock())"
            " on conflict on constraint inbox_message_comes_once do nothing",
            org.id,
            org.session,
            talk,
        )
    assert summary(db, talk)["unread_count"] == 1


# == opting out by words ==


@pytest.mark.parametrize("words", ["STOP", " stop! ", "*Stop*", "unsubscribe.", "No  more,  please"])
def test_the_organisations_words_opt_out(db: Db, org: Organisation, person: UUID, talk: UUID, words: str) -> None:
    db.run(
        "update public.workshop_automation_config set opt_out_words = '{stop,unsubscribe,no more please}'"
        " where organization_id = %s",
        org.id,
    )
    waiting = org.schedule()
    say(org, talk, words)
    assert contact_row(org, person)["opted_out_at"] == db.now()
    assert contact_row(org, person)["opt_out_source"].startswith("whatsapp:")
    assert org.message(waiting)["error_code"] == "suppressed"


@pytest.mark.parametrize("words", ["don't stop", "stop it", "start", "", "!!!"])
def test_other_words_do_not(org: Organisation, person: UUID, talk: UUID, words: str) -> None:
    say(org, talk, words)
    assert contact_row(org, person)["opted_out_at"] is None


def test_the_accounts_own_words_opt_nobody_out(org: Organisation, person: UUID, talk: UUID) -> None:
    say(org, talk, "stop", direction="outbound", status="sent")
    assert contact_row(org, person)["opted_out_at"] is None


def test_a_word_in_a_group_is_said_to_the_group(db: Db, org: Organisation, person: UUID) -> None:
    group = db.value("select herald.conversation(%s, null, %s)", org.session, org.group)
    say(org, group, "stop", sender_contact_id=person, sender=f"{PHONE[1:]}@s.whatsapp.net")
    assert contact_row(org, person)["opted_out_at"] is None


def test_words_from_before_an_opt_in_are_history(db: Db, org: Organisation, person: UUID, talk: UUID) -> None:
    db.run("update public.whatsapp_contacts set opted_in_at = herald.clock() where id = %s", person)
    say(org, talk, "stop", sent_at=db.now() - timedelta(days=1))
    assert contact_row(org, person)["opted_out_at"] is None


# == answers ==


def test_an_answer_is_credited_to_the_last_message(db: Db, org: Organisation, person: UUID, talk: UUID) -> None:
    first = sent(org, sent_at=db.now() - timedelta(hours=2))
    last = sent(org, recipient_phone=None, contact_id=person, sent_at=db.now() - timedelta(hours=1))
    say(org, talk, "Thanks")
    answered = db.now()
    db.pass_time(60)
    say(org, talk, "Really")
    assert org.message(last)["responded_at"] == answered
    assert org.message(first)["responded_at"] is None


def test_an_answer_after_three_days_is_none(db: Db, org: Organisation, talk: UUID) -> None:
    message = sent(org)
    db.pass_time(3 * 86400 + 1)
    say(org, talk, "Thanks")
    assert org.message(message)["responded_at"] is None


@pytest.mark.parametrize(
    "other",
    [{"group": True}, {"recipient_phone": new_phone()}, {"status": "failed", "error_code": "x"}],
    ids=["to the group", "to somebody else", "that failed"],
)
def test_nothing_else_is_answered(org: Organisation, talk: UUID, other: dict[str, object]) -> None:
    message = sent(org, **({"group_id": org.group} if "group" in other else other))
    say(org, talk, "Thanks")
    assert org.message(message)["responded_at"] is None


def test_an_answer_to_another_account_is_not_this_ones(org: Organisation, talk: UUID) -> None:
    message = sent(org, session_id=org.add_session())
    say(org, talk, "Thanks")
    assert org.message(message)["responded_at"] is None
