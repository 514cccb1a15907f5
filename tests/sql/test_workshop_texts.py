"""Texts of a workshop's messages follow the templates: own and the system's, edited, switched off, deleted."""

from datetime import timedelta

import pytest

from tests.kit.workshops import START, Workshops


def test_a_template_of_ones_own_takes_the_place_of_the_systems_and_gives_it_back(workshops: Workshops) -> None:
    workshop = workshops.add()

    def is_now() -> tuple[object, object]:
        row = workshops.message(workshop, "morning")
        return row["template_id"], row["message_content"]

    system = is_now()
    own = workshops.template("morning", "Servus! {{title}}")
    assert is_now() == (own, "Servus! Raku")
    workshops.edit_template(own, content="Moin! {{title}}")
    assert is_now() == (own, "Moin! Raku")
    workshops.edit_template(own, is_active=False)
    assert is_now() == system
    workshops.edit_template(own, is_active=True)
    workshops.edit_template(own, name="evening")
    assert is_now() == system
    workshops.edit_template(own, name="morning")
    assert is_now() == (own, "Moin! Raku")
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run("delete from public.whatsapp_message_templates where id = %s", own)
    assert is_now() == system


def test_the_systems_template_rewords_every_organisation_without_its_own(workshops: Workshops) -> None:
    other = Workshops(workshops.db, type(workshops.org)(workshops.db))
    here, there = workshops.add(), other.add()
    other.template("morning", "Servus!")
    with workshops.db.speaking_as("authenticated", workshops.org.people["super_admin"]):
        workshops.db.run(
            "update public.whatsapp_message_templates set content = 'Hey {{title}}'"
            " where organization_id is null and name = 'morning'"
        )
    assert workshops.message(here, "morning")["message_content"] == "Hey Raku"
    assert other.message(there, "morning")["message_content"] == "Servus!"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://x.org/a.PNG?size=1", "image"),
        ("https://x.org/picture", "image"),
        ("https://x.org/a.mp4", "video"),
        ("https://x.org/a.ogg#t", "audio"),
        ("https://x.org/plan.pdf", "document"),
    ],
)
def test_a_templates_file_goes_along(workshops: Workshops, url: str, kind: str) -> None:
    workshops.template("morning", "Look", media_url=url)
    row = workshops.message(workshops.add(), "morning")
    assert (row["media_url"], row["media_kind"]) == (url, kind)


@pytest.mark.parametrize(
    ("content", "schedule", "problem"),
    [
        (
            "Hi {{trainer}} {{a}}",
            {},
            'Template "morning" asks for {{trainer}}, {{a}}, for which there is no value.',
        ),
        (None, {"template": "nowhere"}, 'There is no active template "nowhere".'),
    ],
)
def test_what_cannot_be_written_is_not_made_and_a_person_is_told(
    workshops: Workshops, content: str | None, schedule: dict[str, str], problem: str
) -> None:
    if content:
        workshops.template("morning", content)
    workshops.configure(message_schedule={"morning": {"at": "08:00"} | schedule, "thank_you": {"at": "22:00"}})
    workshop = workshops.add()
    assert set(workshops.times(workshop)) == {"thank_you"}
    assert workshops.why_not(workshop, "morning") == problem
    (alert,) = workshops.alerts()
    assert alert["message"] == f'Workshop "Raku": "morning" is not scheduled. {problem}'
    assert (alert["kind"], alert["details"]) == ("workshop-messages", {"workshop_id": str(workshop)})
    workshops.update(workshop, starts_at=START + timedelta(days=3))
    assert [a["raised_count"] for a in workshops.alerts()] == [1], "told once"
    workshops.configure(message_schedule={"morning": {"at": "08:00", "template": "thank_you"}})
    assert set(workshops.times(workshop)) == {"morning"}
    assert workshops.alerts() == [], "and the alert ends with its cause"


def test_a_pending_message_whose_template_becomes_useless_is_withdrawn_and_comes_back(
    workshops: Workshops,
) -> None:
    own = workshops.template("morning", "Servus!")
    workshop = workshops.add()
    workshops.edit_template(own, content="Servus {{nickname}}!")
    assert workshops.message(workshop, "morning") is None
    assert "{{nickname}}" in workshops.message(workshop, "morning", "cancelled")["error_message"]
    workshops.edit_template(own, content="Servus {{title}}!")
    rows = workshops.db.rows(
        "select status, message_content from public.scheduled_whatsapp_messages"
        " where workshop_id = %s and message_type = 'morning' order by status",
        workshop,
    )
    assert [(r["status"], r["message_content"]) for r in rows] == [
        ("cancelled", "Servus!"),
        ("pending", "Servus Raku!"),
    ]
