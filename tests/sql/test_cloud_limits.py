"""Meta's own limits on numbers of the Cloud API: window, pace of a pair, tier, rate, and many in flight."""

import random
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import cloud_account, drain, ids, numbers, why, wrote

PHONE = "+491709876567"
DAY = timedelta(hours=24)


@pytest.fixture
def number(org: Organisation, run: Run) -> UUID:
    return cloud_account(org, run)


@pytest.fixture
def template(org: Organisation) -> UUID:
    return org.db.insert(
        "public.whatsapp_message_templates", organization_id=org.id, name="news", content="The kiln is hot"
    )


def test_without_a_template_only_those_who_wrote_within_24_hours_are_written_to(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    answer = org.schedule(session_id=number)
    assert run.claim() == []
    assert why(db, answer) == {"window": None}
    news = org.schedule(session_id=number, template_id=template, message_content="")
    db.pass_time(1)
    assert drain(run) == [str(news)]
    person = wrote(org, number, PHONE, db.now() - DAY)
    db.pass_time(1)
    assert run.claim() == []
    db.run("update public.whatsapp_conversations set last_inbound_at = %s", db.now() - DAY + timedelta(seconds=3))
    db.pass_time(1)
    assert drain(run) == [str(answer)]
    by_contact = org.schedule(session_id=number, recipient_phone=None, contact_id=person)
    assert drain(run) == [str(by_contact)]


def test_who_wrote_to_another_number_has_not_written_to_this_one(
    db: Db, org: Organisation, run: Run, number: UUID
) -> None:
    wrote(org, cloud_account(org, run), PHONE)
    assert list(why(db, org.schedule(session_id=number))) == ["window"]


def test_a_person_gets_45_at_once_and_then_one_in_6_seconds(
    db: Db, org: Organisation, run: Run, number: UUID
) -> None:
    wrote(org, number, PHONE)
    other = "+491701234568"
    for _ in range(60):
        org.schedule(session_id=number, priority=9)
    assert len(drain(run)) == 45
    held = org.schedule(session_id=number, priority=10)
    until = why(db, held)["pair-limit"]
    assert until == db.now() + timedelta(seconds=6)
    db.insert(
        "public.whatsapp_conversations",
        organization_id=org.id,
        session_id=number,
        contact_id=db.insert("public.whatsapp_contacts", organization_id=org.id, phone=other),
        last_inbound_at=db.now(),
    )
    free = org.schedule(session_id=number, recipient_phone=other)
    db.pass_time(1)
    assert drain(run) == [str(free)]
    db.pass_time(4)
    assert drain(run) == []
    db.pass_time(1)
    assert drain(run) == [str(held)]
    for _ in range(3):
        db.pass_time(6)
        assert len(drain(run)) == 1


@pytest.mark.parametrize("seed", range(2))
def test_no_24_hours_see_more_people_than_the_tier_over_all_numbers_of_a_business(
    db: Db, org: Organisation, run: Run, template: UUID, seed: int
) -> None:
    rng, people = random.Random(seed), numbers(400)
    ours = [cloud_account(org, run, "4711", rate_limit_tier="250") for _ in range(2)]
    foreign = cloud_account(org, run, rate_limit_tier="250")
    written: list[tuple[datetime, str]] = []
    db.run(
        "insert into herald.cloud_recipients select '4711', '+4918' || lpad(n::text, 8, '0'), %s"
        " from generate_series(1, 240) as n",
        db.now(),
    )
    written = [(db.now(), f"+4918{n:08}") for n in range(1, 241)]
    for phone in rng.choices(people, k=120):
        org.schedule(session_id=rng.choice(ours), recipient_phone=phone, template_id=template, message_content="")
    for _ in range(30):
        db.pass_time(rng.choice([2, 60, 20_000]))
        now = db.now()
        for claim in run.claim(rng.randint(1, 12)):
            run.accept(claim, f"3EB0{uuid4().hex}")
            written.append((now, claim["to"]))
            assert len({phone for at, phone in written if at > now - DAY}) <= 250
    assert len(written) > 250
    message = org.schedule(session_id=foreign, template_id=template, message_content="", priority=10)
    assert str(message) in ids(run.claim())


def test_a_message_over_the_tier_waits_until_there_is_room_and_known_people_are_still_written_to(
    db: Db, org: Organisation, run: Run, template: UUID
) -> None:
    number = cloud_account(org, run, "4711", rate_limit_tier="250")
    db.run(
        "insert into herald.cloud_recipients select '4711', '+4917' || lpad(n::text, 8, '0'),"
        " %s - make_interval(mins => n) from generate_series(1, 250) as n",
        db.now(),
    )
    late = org.schedule(session_id=number, template_id=template, message_content="", priority=9)
    known = org.schedule(
        session_id=number, recipient_phone="+491700000007", template_id=template, message_content=""
    )
    assert drain(run) == [str(known)]
    assert why(db, late) == {"tier-limit": db.now() + DAY - timedelta(minutes=250)}
    db.pass_time((DAY - timedelta(minutes=250)).total_seconds() - 1)
    assert drain(run) == []
    db.pass_time(1)
    assert drain(run) == [str(late)]


def test_a_number_sends_80_a_second_and_20_at_once(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    for phone in numbers(200):
        org.schedule(session_id=number, recipient_phone=phone, template_id=template, message_content="")
    first = run.claim(limit=50)
    assert len(first) == 20 == len({claim["message_id"] for claim in first})
    assert run.claim() == []
    for claim in first[:7]:
        run.accept(claim, f"3EB0{uuid4().hex}")
    second = run.claim()
    assert len(second) == 7
    for claim in [*first[7:], *second]:
        run.accept(claim, f"3EB0{uuid4().hex}")
    assert len(drain(run)) == 80 - 27
    waiting = db.rows("select id from public.scheduled_whatsapp_messages where status = 'pending'")
    assert len(waiting) == 120
    db.pass_time(1.25)
    assert len(drain(run)) == 80


def test_a_call_takes_no_more_of_a_number_than_it_asked_for(
    org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    for phone in numbers(9):
        org.schedule(session_id=number, recipient_phone=phone, template_id=template, message_content="")
    assert [len(run.claim(limit=n)) for n in (1, 3, 50)] == [1, 3, 5]


def test_a_number_with_one_in_flight_asks_for_no_look_in_vain(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    org.schedule(session_id=number, template_id=template, message_content="")
    org.schedule(session_id=number)  # held back: nobody has written
    assert len(run.claim()) == 1
    for _ in range(3):
        answer = run.exchange()
        assert answer["claims"] == []
        assert 0 < answer["next_due"] <= 1
        db.pass_time(1)


def test_what_was_surely_not_sent_costs_neither_the_person_nor_the_tier(
    db: Db, org: Organisation, run: Run, template: UUID
) -> None:
    number = cloud_account(org, run, "4711", rate_limit_tier="250")
    db.run(
        "insert into herald.cloud_recipients select '4711', '+4917' || lpad(n::text, 8, '0'), %s"
        " from generate_series(1, 249) as n",
        db.now(),
    )
    news: dict[str, object] = {"session_id": number, "template_id": template, "message_content": ""}
    org.schedule(recipient_phone="+491800000001", priority=9, **news)
    held = org.schedule(recipient_phone="+491800000002", **news)
    for _ in range(60):  # more than a person may get in quick succession
        claim = run.claim_one()
        assert claim["to"] == "+491800000001"
        run.settle(claim, "unavailable", reason="Meta is away.")
    db.run("update public.scheduled_whatsapp_messages set status = 'cancelled' where priority = 9")
    assert why(db, held) == {"next": None}
    assert drain(run) == [str(held)]
    last = org.schedule(recipient_phone="+491800000003", **news)
    assert list(why(db, last)) == ["tier-limit"]


def test_a_person_whom_the_tier_knew_stays_known_when_a_message_was_not_sent(
    db: Db, org: Organisation, run: Run, template: UUID
) -> None:
    number = cloud_account(org, run, "4711", rate_limit_tier="250")
    news: dict[str, object] = {"session_id": number, "template_id": template, "message_content": ""}
    org.schedule(**news)
    assert len(drain(run)) == 1
    db.pass_time(3600)
    org.schedule(**news)
    run.settle(run.claim_one(), "unavailable", reason="Meta is away.")
    known = db.row("select * from herald.cloud_recipients")
    assert (known["last_at"], known["earlier_at"]) == (db.now() - timedelta(hours=1), None)


@pytest.mark.parametrize("held_back", [1_000, 2_500])
def test_a_claim_looks_at_a_thousand_of_those_that_are_held_back_and_the_next_one_further(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID, held_back: int
) -> None:
    for _ in range(held_back):
        org.schedule(session_id=number, priority=9)  # nobody has written: only a template may go
    free = org.schedule(session_id=number, template_id=template, message_content="", priority=1)
    for calls in range(1, 10):
        answer = run.exchange()
        if answer["claims"]:
            break
        assert 0 < answer["next_due"] <= 0.02
        looked = db.value("select looked_past from herald.session_leases where session_id = %s", number)
        assert looked == calls * 1000
    assert ids(answer["claims"]) == {str(free)}
    assert calls == held_back // 1000 + 1
    run.accept(answer["claims"][0], f"3EB0{uuid4().hex}")
    for _ in range(10):
        answer = run.exchange()
        assert answer["claims"] == []
        if answer["next_due"] > 0.02:
            break
    assert 0.5 < answer["next_due"] <= 1


def test_messages_of_one_claim_count_for_each_other(db: Db, org: Organisation, run: Run, number: UUID) -> None:
    wrote(org, number, PHONE)
    for _ in range(60):
        org.schedule(session_id=number)
    claims = [claim for _ in range(5) for claim in run.claim(limit=50)]
    assert len(claims) == 20  # in flight at once
    for _ in range(3):
        for claim in claims:
            run.accept(claim, f"3EB0{uuid4().hex}")
        claims = run.claim(limit=50)
    assert db.value("select count(*) from public.scheduled_whatsapp_messages where status = 'sent'") == 45


def test_a_claim_needs_no_live_store_where_the_provider_has_none(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    db.run("update herald.session_leases set incarnation = null where session_id = %s", number)
    org.schedule(session_id=number, template_id=template, message_content="")
    claim = run.claim_one()
    assert (claim["provider"], claim["secret"], claim["incarnation"]) == ("cloud", None, None)
    run.accept(claim, "wamid.1")


def test_what_was_passed_over_goes_once_nothing_holds_it_back(
    db: Db, org: Organisation, run: Run, number: UUID, template: UUID
) -> None:
    for _ in range(1_100):
        org.schedule(session_id=number, priority=9)
    for _ in range(2):  # looks at all of them
        assert run.exchange()["claims"] == []
    db.pass_time(1)
    held = db.row(
        "select id from public.scheduled_whatsapp_messages order by scheduled_for, id offset 500 limit 1"
    )
    db.run(
        "update public.scheduled_whatsapp_messages set template_id = %s where id = %s",
        template,
        held["id"],
    )
    assert [ids(run.exchange()["claims"]) for _ in range(2)].count({str(held["id"])}) == 1


def test_a_call_takes_no_more_of_several_numbers_than_it_asked_for(
    org: Organisation, run: Run, template: UUID
) -> None:
    for _ in range(3):
        number = cloud_account(org, run)
        for phone in numbers(9):
            org.schedule(session_id=number, recipient_phone=phone, template_id=template, message_content="")
    assert [len(run.claim(limit=n)) for n in (4, 5, 50)] == [4, 5, 18]
