"""What a workshop's messages depend on changes, and so do they, in the same transaction."""

from datetime import timedelta

import pytest

from tests.kit.workshops import START, Workshops, utc

DAYS = timedelta(days=3)
MORNING = utc("2030-06-15T06:00")


def test_a_moved_start_moves_times_and_texts(workshops: Workshops) -> None:
    workshop = workshops.add()
    before = workshops.messages(workshop)
    workshops.update(workshop, starts_at=START + DAYS + timedelta(hours=1))
    after = workshops.messages(workshop)
    assert {k: row["id"] for k, row in after.items()} == {k: row["id"] for k, row in before.items()}
    assert after["morning"]["scheduled_for"] == MORNING + DAYS, "a local time stays"
    for kind in ("6hr_before", "thank_you"):
        for moment in ("scheduled_for", "expires_at"):
            assert after[kind][moment] == before[kind][moment] + DAYS + timedelta(hours=1)
    assert after["morning"]["message_content"] == "Good morning! Raku is today at 20:00."


def test_another_zone_moves_local_times(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, timezone="Asia/Kolkata")
    assert workshops.message(workshop, "morning")["scheduled_for"] == utc("2030-06-15T02:30")
    assert "at 22:30" in workshops.message(workshop, "morning")["message_content"]


@pytest.mark.parametrize("nonsense", ["Europe/Atlantis", "", "CEST in summer"])
def test_a_zone_that_is_none_gives_way_to_the_settings(workshops: Workshops, nonsense: str) -> None:
    workshops.configure(timezone="Asia/Kolkata")
    workshop = workshops.add(timezone=nonsense)
    assert workshops.message(workshop, "morning")["scheduled_for"] == utc("2030-06-15T02:30")
    workshops.configure(timezone="Europe/Berlin")
    assert workshops.message(workshop, "morning")["scheduled_for"] == MORNING
    assert workshops.told(workshop)["timezone"] == "Europe/Berlin"


def test_a_title_rewords_what_waits_and_an_unrelated_edit_nothing(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, title="Raku II")
    assert workshops.texts(workshop)["we_are_live"] == "We are live! Raku II begins now."
    ids = "select id, xmin::text from public.scheduled_whatsapp_messages where workshop_id = %s order by id"
    rows = workshops.db.rows(ids, workshop)
    workshops.update(workshop, updated_at=START)
    assert workshops.db.rows(ids, workshop) == rows


def test_a_move_into_the_past_sends_what_may_be_late_and_fails_the_rest(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, starts_at=workshops.db.now() - timedelta(minutes=20))
    pending, failed = workshops.messages(workshop), workshops.messages(workshop, "failed")
    assert set(failed) == {"6hr_before", "1hr_before"} | ({"morning"} & set(failed))
    assert {row["error_code"] for row in failed.values()} == {"expired"}
    assert pending["we_are_live"]["scheduled_for"] < workshops.db.now() < pending["we_are_live"]["expires_at"]


def test_what_expired_gets_another_chance_with_another_time(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.at(START + timedelta(days=2))
    workshops.db.call("whatsapp_reap")
    assert set(workshops.messages(workshop, "failed")) == {
        *("morning", "6hr_before", "1hr_before", "we_are_live", "thank_you")
    }
    workshops.update(workshop, starts_at=START + DAYS)
    assert workshops.message(workshop, "morning")["scheduled_for"] == MORNING + DAYS
    assert workshops.message(workshop, "morning")["error_code"] is None


def test_what_was_too_late_when_linked_is_made_once_there_is_time(workshops: Workshops) -> None:
    workshops.at(START)
    workshop = workshops.add()
    assert workshops.message(workshop, "morning") is None
    workshops.update(workshop, starts_at=START + DAYS)
    assert workshops.message(workshop, "morning")["scheduled_for"] == MORNING + DAYS


def test_a_schedule_that_changes_moves_makes_and_withdraws(workshops: Workshops) -> None:
    workshop = workshops.add()
    kept = workshops.message(workshop, "morning")["id"]
    workshops.template("packing", "Bring an apron to {{title}}.")
    workshops.configure(
        message_schedule={
            "morning": {"at": "09:00", "late": "10 minutes"},
            "packing": {"offset": "-2 days"},
            "we_are_live": {"offset": "0 minutes", "enabled": False},
            "thank_you": {"at": "10:00", "day": 1, "template": "packing"},
        }
    )
    assert workshops.times(workshop) == {
        "packing": utc("2030-06-13T17:00"),
        "morning": utc("2030-06-15T07:00"),
        "thank_you": utc("2030-06-16T08:00"),
    }
    assert (row := workshops.message(workshop, "morning"))["id"] == kept
    assert row["expires_at"] - row["scheduled_for"] == timedelta(minutes=10)
    assert workshops.texts(workshop)["thank_you"] == "Bring an apron to Raku."
    withdrawn = workshops.messages(workshop, "cancelled")
    assert set(withdrawn) == {"6hr_before", "1hr_before", "we_are_live"}
    assert set(workshops.told(workshop)["messages"]) == {"morning", "packing", "thank_you"}


def test_what_was_withdrawn_comes_back_as_a_new_message(workshops: Workshops) -> None:
    workshop = workshops.add()
    first = workshops.message(workshop, "morning")
    workshops.settle(workshops.messages(workshop)["thank_you"]["id"], "sent")
    workshops.configure(auto_schedule_messages=False)
    assert workshops.times(workshop) == {}
    assert workshops.told(workshop)["why_not"] == "Automatic messages are switched off in the settings."
    workshops.configure(auto_schedule_messages=True)
    again = workshops.message(workshop, "morning")
    assert (again["scheduled_for"], again["id"] != first["id"]) == (MORNING, True)
    assert "thank_you" not in workshops.times(workshop), "it was sent for this link"
    assert "why_not" not in workshops.told(workshop)


def test_another_organisations_settings_change_nothing(workshops: Workshops) -> None:
    other = Workshops(workshops.db, type(workshops.org)(workshops.db))
    workshop = workshops.add()
    before = workshops.messages(workshop)
    other.configure(auto_schedule_messages=False, timezone="Asia/Kolkata")
    other.template("morning", "Theirs")
    assert workshops.messages(workshop) == before


# == people ==


def test_a_persons_text_and_time_stay_until_the_plan_itself_changes(workshops: Workshops) -> None:
    workshop = workshops.add()
    noon = utc("2030-06-15T08:00")
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run(
            "update public.scheduled_whatsapp_messages set message_content = 'By hand', scheduled_for = %s"
            " where id = %s",
            *(noon, workshops.message(workshop, "morning")["id"]),
        )

    def is_now() -> tuple[object, object]:
        row = workshops.message(workshop, "morning")
        return row["message_content"], row["scheduled_for"]

    workshops.update(workshop, title="Raku II")
    workshops.template("morning", "Another {{nickname}}")
    assert is_now() == ("By hand", noon)
    workshops.update(workshop, starts_at=START + DAYS)
    assert is_now() == ("By hand", MORNING + DAYS), "the time follows the workshop, the text is the person's"


# == what goes wrong ==


@pytest.mark.parametrize("broken", ["workshop_facts", "workshop_variables"])
def test_an_adapter_that_fails_does_not_stop_the_crm_and_is_told(workshops: Workshops, broken: str) -> None:
    workshop = workshops.add()
    body = workshops.db.value(
        "select pg_get_functiondef(p.oid) from pg_proc as p where p.proname = %s"
        " and p.pronamespace = 'herald'::regnamespace",
        broken,
    )
    failing = body.split("AS $function$")[0].replace("LANGUAGE sql", "LANGUAGE plpgsql")
    workshops.db.connection.execute(failing + "as $$ begin raise exception 'no such column'; end $$")
    workshops.update(workshop, starts_at=START + DAYS)
    assert workshops.told(workshop) == {"problem": "Its messages could not be scheduled: no such column"}
    assert "no such column" in workshops.alerts()[0]["message"]
    workshops.db.connection.execute(body)
    workshops.update(workshop, starts_at=START + DAYS)
    assert workshops.times(workshop)["morning"] == MORNING + DAYS, "the next write mends it"
    assert workshops.alerts() == []


def test_a_workshop_without_a_date_has_nothing_to_send_until_it_has_one(workshops: Workshops) -> None:
    db, workshop = workshops.db, workshops.add()
    db.run("alter table public.workshops alter column starts_at drop not null")
    workshops.update(workshop, starts_at=None)
    assert workshops.times(workshop) == {}
    assert workshops.told(workshop)["why_not"] == "The workshop has no date or is cancelled."
    assert workshops.alerts() == []
    workshops.update(workshop, starts_at=START)
    assert workshops.times(workshop)["morning"] == MORNING


def test_a_crms_own_triggers_and_columns_are_no_trouble(workshops: Workshops) -> None:
    """Its trigger changes the row on every write, also on Herald's own."""
    workshops.db.connection.execute(
        """
        alter table public.workshops add column changes integer not null default 0, add column notes text;
        create function public.count_changes() returns trigger language plpgsql as
        $$ begin new.changes := old.changes + 1; return new; end $$;
        create trigger a_count before update on public.workshops
        for each row execute function public.count_changes();
        create or replace function herald.workshop_variables(p_workshop uuid) returns jsonb language sql stable as
        $$ select jsonb_build_object('notes', w.notes, 'changes', w.changes)
          from public.workshops as w where w.id = p_workshop $$;
        """
    )
    workshops.template("morning", "Bring: {{notes}}")
    workshop = workshops.add(notes="clay")
    workshops.update(workshop, notes="an apron")
    assert workshops.texts(workshop)["morning"] == "Bring: an apron"
    assert workshops.db.value("select changes from public.workshops where id = %s", workshop) <= 3
