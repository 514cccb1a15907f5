"""What the control API shows, as JSON objects."""

from __future__ import annotations

from typing import Any

from simulator.device import Device, User
from simulator.own_phone import OwnPhone


def linked(device: Device) -> dict[str, Any]:
    """A client that has just been linked."""
    return {"jid": str(device.phone_jid), "device": device.id}


def account(user: User, phone: OwnPhone) -> dict[str, Any]:
    """An account, its phone, and the clients linked to it."""
    return {
        "phone": user.phone,
        "name": user.name,
        "jid": str(user.phone_jid),
        "lid": str(user.lid),
        "own_phone": {
            "online": phone.online,
            "last_seen": phone.last_seen,
            "confirms_sends": phone.confirms_sends,
            "unread": len(phone.inbox),
            "waiting": phone.waiting,
        },
        "devices": [
            {
                "device": device.id,
                "jid": str(device.phone_jid),
                "connected": device.connection is not None,
                "unacknowledged": len(device.outgoing),
                "prekeys": len(device.prekeys),
            }
            for device in user.clients
        ],
    }
