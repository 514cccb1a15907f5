"""What a valid row needs beyond what the catalog tells (types, keys, what may not be null), and a change to it.

A value that must differ from row to row is made of `n`, a number that no other row has.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """change: what an update writes; columns that a CRM user may write, if there are any.

    names: columns that name a row of this table without a foreign key.
    parents: columns that may be null and shall name a row all the same.
    one_of: columns of which only one may have a value; several such sets.
    """

    change: Json
    values: Callable[[int], Json] = lambda _: {}
    names: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    one_of: tuple[Set[str], ...] = ()


def phone(n: int) -> str:
    return f"+4917{n:08}"


RECIPES: Mapping[str, Recipe] = {
    "organizations": Recipe({"name": "Glaze & Sons"}),
    "profiles": Recipe({"full_name": "Asha"}),
    "workshops": Recipe({"title": "Glazing"}),
    "workshop_attendees": Recipe({"name": "Binh"}, lambda n: {"phone": phone(n)}),
    "notification_queue": Recipe({"priority": 9}, lambda n: {"recipient_phone": phone(n)}),
    "workshop_automation_config": Recipe({"timezone": "Asia/Kolkata"}),
    "whatsapp_message_templates": Recipe({"content": "Hi {{name}}"}, lambda n: {"name": f"matrix_{n}"}),
    "whatsapp_webhook_endpoints": Recipe({"enabled": False}, lambda n: {"url": f"https://pottery.example/{n}"}),
    "whatsapp_sessions": Recipe({"daily_limit": 7}, lambda _: {"display_name": "Front desk"}),
    "whatsapp_session_users": Recipe({"updated_at": "2030-01-01T10:00:00+00:00"}),
    "whatsapp_cloud_accounts": Recipe(
        {"quality_rating": "GREEN"}, lambda n: {"phone_number_id": f"{n}", "business_account_id": "1"}
    ),
    "whatsapp_commands": Recipe({"result": {"groups": 3}}, lambda _: {"kind": "refresh_groups"}),
    "whatsapp_groups": Recipe({"region": "north"}, lambda n: {"group_jid": f"{n}@g.us"}),
    "whatsapp_contacts": Recipe({"persona": "potter"}, lambda n: {"phone": phone(n)}),
    "whatsapp_group_members": Recipe({"is_admin": True}),
    "whatsapp_conversations": Recipe(
        {"unread_count": 3}, parents=("contact_id",), one_of=({"contact_id", "group_id"},)
    ),
    "whatsapp_messages": Recipe({"content": "Is it hot?"}, lambda _: {"direction": "inbound"}),
    "scheduled_whatsapp_messages": Recipe(
        {"priority": 9},
        lambda n: {"recipient_phone": phone(n), "message_content": "The kiln is hot"},
        one_of=({"recipient_phone", "contact_id", "group_id"}, {"message_content", "template_id"}),
    ),
    "whatsapp_delivery_logs": Recipe(
        {"read_at": "2030-01-01T10:00:00+00:00"}, names={"session_id": "whatsapp_sessions"}
    ),
    "whatsapp_campaigns": Recipe({"name": "Open day"}),
    "whatsapp_campaign_sessions": Recipe({"priority": 9}),
    "whatsapp_automation_tasks": Recipe({"metadata": {"room": "Cellar"}}, lambda _: {"task_type": "send_update"}),
    "whatsapp_alerts": Recipe(
        {"acknowledged_at": "2030-01-01T10:00:00+00:00"},
        lambda n: {"kind": f"matrix-{n}"},
        parents=("session_id",),
    ),
    "whatsapp_audit_logs": Recipe({"event_data": {"by": "hand"}}, lambda _: {"event_type": "matrix.told"}),
    "whatsapp_webhook_events": Recipe({"attempts": 1}),
}
