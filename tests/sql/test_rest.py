"""The same rights as the CRM meets them: real PostgREST, real user tokens."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from localstack.client import Stack
from tests.kit.database import DENIED, Db, Organisation

REST = "/rest/v1"


@dataclass
class Office:
    """An organisation that is committed, so that PostgREST sees it, and its people's clients."""

    stack: Stack
    org: Organisation

    def ask(self, person: str, method: str, path: str, body: Any = None, prefer: str = "") -> httpx.Response:
        """person: a role in the organisation, or `service`. prefer: more of what PostgREST shall do."""
        key = self.stack.secret_key if person == "service" else self.stack.publishable_key
        headers = {"apikey": key, "Prefer": ",".join(filter(None, ("return=representation", prefer)))}
        if person != "service":
            claims = {"sub": str(self.org.people[person]), "role": "authenticated", "exp": int(time.time()) + 300}
            headers["Authorization"] = f"Bearer {self.stack.sign(claims)}"
        return httpx.request(method, f"{self.stack.url}{REST}/{path}", headers=headers, json=body, timeout=20)


@pytest.fixture(scope="module")
def office(stack: Stack) -> Iterator[Office]:
    with Db.connect(stack.database_url, autocommit=True) as db:
        org = Organisation(db)
        db.run(
            "update public.whatsapp_sessions set desired_state = 'disconnected', status = 'qr_pending',"
            " qr_code = 'data:image/png;base64,AAAA', pairing_code = 'ABCD-EFGH'"
        )
        yield Office(stack, org)
        db.run("delete from public.organizations where id = %s", org.id)
        db.run("delete from auth.users where id = any(%s)", list(org.people.values()))


def message(office: Office, **columns: object) -> dict[str, object]:
    row: dict[str, object] = {
        "organization_id": str(office.org.id),
        "session_id": str(office.org.session),
        "recipient_phone": "+491709876567",
        "message_content": "The kiln is hot",
    }
    return row | columns


def test_an_admin_schedules_edits_and_cancels(office: Office) -> None:
    made = office.ask("admin", "POST", "scheduled_whatsapp_messages", message(office))
    assert made.status_code == 201
    (row,) = made.json()
    assert (row["status"], UUID(row["sent_by"])) == ("pending", office.org.people["admin"])
    path = f"scheduled_whatsapp_messages?id=eq.{row['id']}"
    assert office.ask("admin", "PATCH", path, {"message_content": "It cools"}).status_code == 200
    assert office.ask("admin", "PATCH", path, {"status": "cancelled"}).json()[0]["status"] == "cancelled"
    again = office.ask("admin", "PATCH", path, {"status": "pending"})
    assert (again.status_code, again.json()["code"]) == (400, "23514")
    assert "Reload the message" in again.json()["hint"]


def test_a_result_cannot_be_written_over_the_api(office: Office) -> None:
    made = office.ask("admin", "POST", "scheduled_whatsapp_messages", message(office, status="sent"))
    assert (made.status_code, made.json()["code"]) == (403, DENIED)


def test_a_member_sees_the_account_but_not_the_keys_to_it(office: Office) -> None:
    assert office.ask("member", "GET", "whatsapp_sessions").json() == []
    (row,) = office.ask("member", "GET", "whatsapp_session_overview").json()
    assert row["status"] == "qr_pending"
    assert not {"qr_code", "pairing_code", "qr_expires_at"} & set(row)
    (seen,) = office.ask("admin", "GET", "whatsapp_sessions").json()
    assert seen["qr_code"].startswith("data:image/png")
