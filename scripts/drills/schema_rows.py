"""Rows for schemathesis' calls, in addition to those of every world of the API."""

import asyncio
from uuid import uuid4

from tests.kit.api_world import RECIPIENT, ApiWorld
from tests.kit.world import Row

#: Messages that only cancelling is about, and messages that failed.
CANCELLABLE, FAILED = 40, 8

#: Somebody who is not on WhatsApp.
NOBODY = "491522222299"

Known = dict[str, list[str]]


async def make_rows(place: ApiWorld) -> Known:
    """Ids of rows that exist, by the hooks' name for them."""
    world = place.world
    text: Row = {"session_id": place.session, "message_content": "In a few years"}
    waiting = [
        {**text, "recipient_phone": f"+{RECIPIENT}", "scheduled_for": "2036-01-01T00:00:00Z"}
        for _ in range(CANCELLABLE)
    ]
    showing = await world.add_account("Shows a QR")
    plain = await world.row(
        "insert into public.whatsapp_message_templates (organization_id, name, content)"
        " values (%s, %s, 'We are live') returning id",
        world.organization,
        f"plain_{uuid4().hex[:8]}",
    )
    assert plain
    failed, cancellable, _ = await asyncio.gather(
        world.schedule([{**text, "recipient_phone": f"+{NOBODY}"} for _ in range(FAILED)]),
        world.schedule(waiting),
        world.shown_qr(showing),
    )
    await world.until_settled(failed, ("failed",), 60)
    return {
        "sessions": [place.session],
        "spare_sessions": [place.spare_session],
        "showing_sessions": [showing],
        "commands": [place.command],
        "groups": [str(place.group["id"])],
        "jids": [place.group["group_jid"]],
        "contacts": [place.contact],
        "templates": [*[str(plain["id"])] * 4, place.template],  # the latter needs a value, often not given
        "messages": place.messages,
        "cancellable": cancellable,
        "retryable": failed,
        "phones": [f"+{RECIPIENT}"],
    }
