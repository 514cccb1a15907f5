"""What an engine's refusal of a send means, in one table.

The numbers are WhatsApp's, as whatsmeow names them (send.go: Nack…; request.go: IQError) and as Baileys documents
them (decode-wa-message.ts: NACK_REASONS). Every row has a code that stays, a text for the person who reads the
message's row, whether the message may have left (only Indeterminate says so), and whether it is tried again:

- Rejected: surely not sent; with ``retry`` an attempt is counted, so that a message that always fails so ends;
- Unavailable: surely not sent, not the message's fault: tried again at no cost, after the account's pause if any;
- Indeterminate: written ahead, unconfirmed: never sent again without evidence.
"""

from dataclasses import replace

from worker.engine.protocol import Code, Detail
from worker.errors import EngineRefused
from worker.outcome import Indeterminate, Outcome, Rejected, Unavailable
from worker.providers.web.ports import Unsent, Written
from worker.session import Ending

#: How long a message waits for a session that is not connected, seconds.
RECONNECTING = 2.0

#: How long an account sends nothing after WhatsApp said that it sends too fast, seconds.
SLOW_DOWN = 120.0

#: How long an account writes only to people it has a chat with after WhatsApp said so, seconds. WhatsApp tells the end
#: of such a restriction to the phone, not with the refusal; one message is tried again then.
NEW_CHATS = 6 * 3600.0


def _permanent(code: str, reason: str) -> Outcome:
    return Rejected(code=code, reason=reason)


def _passing(code: str, reason: str) -> Outcome:
    return Rejected(code=code, reason=reason, retry=True)


def _later(code: str, reason: str, seconds: float = RECONNECTING) -> Outcome:
    return Unavailable(code=code, reason=reason, retry_after=seconds)


def _restricted(code: str, reason: str) -> Outcome:
    return Unavailable(code=code, reason=reason, retry_after=NEW_CHATS, new_chats_pause=NEW_CHATS)


def _doubt(code: str, what: str) -> Indeterminate:
    return Indeterminate(code=code, reason=f"{what} while this was being sent; it may have gone out.")


NOT_OPEN = _later("not-open", "The account is not connected; this goes out when it is.")
NOT_MIGRATED = _permanent(
    "herald-not-migrated", "The worker and the database do not match. Push the migrations, then retry."
)

MOVING = _later("herald-moving", "The account moves to another process; this goes out in a moment.", 1.0)

#: WhatsApp's number → the outcome of the send.
NACKS: dict[str, Outcome] = {
    "400": _permanent("wa-bad-request", "WhatsApp did not understand the message."),
    "401": _permanent("wa-not-authorized", "The account may not do that."),
    "403": _permanent("wa-not-a-member", "The account is not in this group. Add it to the group, then retry."),
    "404": _permanent("wa-no-such-chat", "This chat does not exist."),
    "406": _permanent("wa-not-acceptable", "WhatsApp does not accept this message."),
    "410": _permanent("wa-gone", "This chat does not exist any more."),
    "420": _permanent(
        "wa-announce-only", "Only admins may write in this group. Make the account one, then retry."
    ),
    "421": _passing("wa-stale-group", "The group changed meanwhile."),
    "429": Unavailable(
        code="wa-rate-limited",
        reason="WhatsApp says this account sends too fast; Herald has slowed it down.",
        retry_after=SLOW_DOWN,
        pause=SLOW_DOWN,
    ),
    "463": _restricted(
        "wa-cold-contact", "WhatsApp does not let this account write to people it has no chat with now."
    ),
    "475": _restricted(
        "wa-new-chats-capped", "The account has started as many new chats as WhatsApp allows for now."
    ),
    "479": _passing("wa-stale-devices", "The recipient's devices changed meanwhile."),
    "487": _permanent("wa-bad-request", "WhatsApp could not parse the message."),
    "491": _permanent("wa-bad-request", "WhatsApp could not read the message."),
    "500": _passing("wa-server-error", "WhatsApp had an internal error."),
    "503": _later("wa-unavailable", "WhatsApp is unavailable for a moment."),
}

#: The engine's code and detail → the outcome of the send; a detail of "" stands for every other.
TABLE: dict[tuple[str, str], Outcome] = {
    **{(Code.REJECTED, number): outcome for number, outcome in NACKS.items()},
    (Code.REJECTED, ""): _passing(
        "wa-refused", "WhatsApp refused the message for a reason that Herald does not know."
    ),
    (Code.NOT_OPEN, ""): NOT_OPEN,
    (Code.NOT_CONNECTED, ""): _later("not-connected", "The account is reconnecting; this goes out when it has."),
    (Code.NOT_CONNECTED, Detail.NOT_LINKED): _later(
        "not-linked", "No phone is linked. Press connect and scan the QR code."
    ),
    (Code.NOT_CONNECTED, Detail.SEND_HUNG): _passing("wa-no-answer", "WhatsApp did not answer for very long."),
    (Code.NOT_CONNECTED, Detail.LEASE_ENDED): _later(
        "herald-lease-ended", "Another worker takes the account over."
    ),
    (Code.INVALID, Detail.NOT_ON_WHATSAPP): _permanent("wa-not-on-whatsapp", "This number is not on WhatsApp."),
    (Code.INVALID, ""): _permanent(
        "wa-invalid-message", "This can't be sent: its address or content is not valid."
    ),
    (Code.UNSENT, Detail.NO_ANSWER): _passing(
        "wa-no-answer", "WhatsApp did not answer in time; nothing was sent."
    ),
    (Code.UNSENT, Detail.NO_LID): _passing(
        "wa-no-lid", "The number is on WhatsApp, but WhatsApp gave no address for it; it is tried again."
    ),
    (Code.UNSENT, Detail.NO_KEYS): _passing("wa-no-keys", "WhatsApp gave no keys for the recipient's devices."),
    (Code.UNSENT, Detail.QUERY): _passing(
        "wa-query-failed", "WhatsApp could not say which devices the recipients have."
    ),
    (Code.UNSENT, Detail.UPLOAD): _passing("wa-upload-failed", "The media could not be uploaded to WhatsApp."),
    (Code.UNSENT, ""): _passing("wa-not-sent", "It failed before it was sent."),
    (Code.UNKNOWN, Detail.NO_ANSWER): _doubt("wa-no-answer", "WhatsApp gave no answer"),
    (Code.UNKNOWN, Detail.SEND_HUNG): _doubt("wa-send-hung", "WhatsApp gave no answer for very long"),
    (Code.UNKNOWN, Detail.CLOSED): _doubt("herald-handed-over", "Herald closed the connection"),
    (Code.UNKNOWN, Detail.LEASE_ENDED): _doubt("herald-lease-ended", "Another worker took the account over"),
    (Code.UNKNOWN, Ending.LOGGED_OUT): _doubt("wa-logged-out", "The phone unlinked this device"),
    (Code.UNKNOWN, Ending.REPLACED): _doubt("wa-stream-replaced", "Another program took over this linked device"),
    (Code.UNKNOWN, Detail.LOST): _doubt("wa-connection-lost", "The connection was lost"),
    (Code.UNKNOWN, Detail.NO_RECONNECTION): _doubt("wa-connection-lost", "The connection was lost"),
    (Code.UNKNOWN, ""): _doubt("wa-unconfirmed", "Something broke"),
}

_ENGINE_UNSENT = _later("herald-engine-ended", "One of Herald's processes ended before this was sent.")
_ENGINE_CRASHED = _passing("herald-engine-crashed", "One of Herald's processes broke before this was sent.")
_ENGINE_DOUBT = _doubt("herald-engine-ended", "One of Herald's processes ended")


def outcome_of(refusal: EngineRefused) -> Outcome:
    """Read a refusal; what the protocol does not name may have left."""
    code, detail = refusal.code, refusal.detail
    for key in ((code, detail), (code, detail.partition(" ")[0]), (code, ""), (Code.UNKNOWN, "")):
        if (found := TABLE.get(key)) is not None:
            break
    assert found
    if isinstance(found, Indeterminate):
        return replace(found, wa_message_id=refusal.wa_message_id)
    if code == Code.REJECTED and detail not in NACKS:
        return _passing(f"wa-nack-{detail}"[:40], f"WhatsApp refused the message (its code: {detail[:20]}).")
    return found


def after_death(trace: Unsent | Written | None, *, by_itself: bool = False) -> Outcome:
    """Judge a send whose engine died by what its store says; None: the store can't be read.

    by_itself: it crashed or hung, maybe because of this message, so an attempt is counted.
    """
    match trace:
        case Unsent():
            return _ENGINE_CRASHED if by_itself else _ENGINE_UNSENT
        case Written(wa_message_id=wa_id):
            return replace(_ENGINE_DOUBT, wa_message_id=wa_id)
        case None:
            return _ENGINE_DOUBT
