"""What an engine's refusal of a send means, in one table.

The numbers are WhatsApp's, as whatsmeow names them (send.go: Nack…; request.go: IQError) and as Baileys documents
them (decode-wa-message.ts: NACK_REASONS).
"""

from collections.abc import Callable

from worker.outcome import Indeterminate, Outcome, Rejected, Unavailable
from worker.transport.engine_process import EngineRefusal

#: Wait so long before a session is used again that is not connected, seconds.
RECONNECTING = 2.0

#: Wait so long after WhatsApp said "too fast", seconds.
SLOW_DOWN = 60.0


def _permanent(code: str, reason: str) -> Outcome:
    return Rejected(code=code, reason=reason)


def _passing(code: str, reason: str) -> Outcome:
    return Rejected(code=code, reason=reason, retry=True)


#: WhatsApp's number → what came of the send.
NACKS: dict[str, Outcome] = {
    "400": _permanent("wa-bad-request", "WhatsApp did not understand the message."),
    "401": _permanent("wa-not-authorized", "The account may not do that."),
    "403": _permanent("wa-not-a-member", "The account is not in this group."),
    "404": _permanent("wa-no-such-chat", "This chat does not exist."),
    "406": _permanent("wa-not-acceptable", "WhatsApp does not accept this message."),
    "410": _permanent("wa-gone", "This chat does not exist any more."),
    "420": _permanent("wa-announce-only", "Only admins may write in this group."),
    "421": _passing("wa-stale-group", "The group changed meanwhile."),
    "429": Unavailable(reason="wa-rate-limited", retry_after=SLOW_DOWN),
    "463": _permanent("wa-cold-contact", "WhatsApp lets this account write only to people who wrote before."),
    "475": _permanent("wa-new-chats-capped", "The account has started as many new chats as WhatsApp allows."),
    "479": _passing("wa-stale-devices", "The recipient's devices changed meanwhile."),
    "487": _permanent("wa-bad-request", "WhatsApp could not parse the message."),
    "491": _permanent("wa-bad-request", "WhatsApp could not read the message."),
    "500": _passing("wa-server-error", "WhatsApp had an internal error."),
    "503": Unavailable(reason="wa-unavailable", retry_after=RECONNECTING),
}

#: The engine's code → what came of the send, given the refusal.
_CODES: dict[str, Callable[[EngineRefusal], Outcome]] = {
    "not-open": lambda _: Unavailable(reason="not-open", retry_after=RECONNECTING),
    "not-connected": lambda _: Unavailable(reason="not-connected", retry_after=RECONNECTING),
    "rejected": lambda refusal: NACKS.get(
        refusal.detail, _passing(f"wa-nack-{refusal.detail}"[:40], "WhatsApp refused the message.")
    ),
    "invalid": lambda refusal: (
        _permanent("wa-not-on-whatsapp", "This number is not on WhatsApp.")
        if refusal.detail == "not on WhatsApp"
        else _permanent("wa-invalid-message", f"This can't be sent: {refusal.detail}.")
    ),
    "unsent": lambda refusal: _passing("wa-not-sent", f"Failed before it was sent ({refusal.detail})."),
    "unknown": lambda refusal: Indeterminate(
        reason=refusal.detail or "no acknowledgement", wa_message_id=refusal.wa_message_id
    ),
}


def outcome_of(refusal: EngineRefusal) -> Outcome:
    """Read a refusal; what the protocol does not name may have left."""
    known = _CODES.get(refusal.code)
    return known(refusal) if known else Indeterminate(reason=f"engine: {refusal.code}")
