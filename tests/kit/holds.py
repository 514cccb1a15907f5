"""What the tests of the queue's rules share: asking why a message waits, and Cloud API accounts."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row, Run

LONG = 90 * 86400.0  #: a lease that outlasts every test that moves the clock by days


def why(db: Db, message: UUID) -> dict[str, datetime | None]:
    """Each rule that holds the message back → until when."""
    rows = db.rows("select * from public.why_not_sent(%s)", message)
    assert all(row["explanation"] for row in rows)
    return {row["rule"]: row["until"] for row in rows}


def configure(org: Organisation, **columns: object) -> None:
    """Set what the organisation decides about its messages."""
    for name, value in columns.items():
        org.db.connection.execute(
            f"update public.workshop_automation_config set {name} = %s where organization_id = %s".encode(),
            (Jsonb(value) if isinstance(value, dict) else value, org.id),
        )


def alter(org: Organisation, **columns: object) -> None:
    """Set something of the organisation's first account."""
    for name, value in columns.items():
        org.db.connection.execute(
            f"update public.whatsapp_sessions set {name} = %s where id = %s".encode(),
            (value, org.session),
        )


def quiet(start: datetime, end: datetime, *exempt: str) -> dict[str, object]:
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "exempt": list(exempt)}


def drain(run: Run, most: int = 1000) -> list[str]:
    """Send all that may go now; the messages in the order in which they went."""
    sent: list[str] = []
    while len(sent) < most and (claims := run.claim()):
        for claim in claims:
            run.accept(claim, f"3EB0{uuid4().hex}")
            sent.append(claim["message_id"])
    return sent


def contact(org: Organisation, phone: str = "+491709876567", **columns: object) -> UUID:
    return org.db.insert("public.whatsapp_contacts", organization_id=org.id, phone=phone, **columns)


def cloud_account(org: Organisation, run: Run, business: str | None = None, **columns: object) -> UUID:
    """A number on the Cloud API that the run serves."""
    db, now = org.db, org.db.now()
    session = org.add_session(
        provider="cloud", status="connected", connected_at=now, whatsapp_id="1", daily_limit=100_000
    )
    db.insert(
        "public.whatsapp_cloud_accounts",
        organization_id=org.id,
        session_id=session,
        phone_number_id=str(uuid4().int % 10**18),
        business_account_id=business or str(uuid4().int % 10**18),
        **({"rate_limit_tier": "unlimited"} | columns),
    )
    db.run(
        "insert into herald.session_leases (session_id, worker_id, run_id, expires_at, ready, incarnation)"
        " values (%s, %s, %s, %s, true, gen_random_uuid())",
        session,
        run.worker,
        run.id,
        now + timedelta(seconds=LONG),
    )
    run.epochs[session] = 1
    return session


def wrote(org: Organisation, session: UUID, phone: str, at: datetime | None = None) -> UUID:
    """A person who wrote to the account at this moment; their contact."""
    person = contact(org, phone)
    org.db.insert(
        "public.whatsapp_conversations",
        organization_id=org.id,
        session_id=session,
        contact_id=person,
        last_inbound_at=at or org.db.now(),
    )
    return person


def numbers(count: int) -> list[str]:
    return [f"+4917{n:08}" for n in range(count)]


def ids(claims: list[Row]) -> set[str]:
    return {claim["message_id"] for claim in claims}
