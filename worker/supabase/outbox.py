"""The outbox over PostgREST."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from worker.events import Receipt
from worker.message import Claim, MessageKind, WebTrace
from worker.outcome import Accepted, Indeterminate, Outcome, Rejected, Settlement, Unavailable
from worker.ports import Round
from worker.session import Held, ProviderName
from worker.supabase.client import Database

log = structlog.get_logger()

#: Seconds for one attempt at a call of the queue. If a half-open network swallows an answer, all other calls wait
#: this long, and the full rate must be back 10 s after a cut. On a healthy project a claim of 50 takes 10 ms.
QUEUE_SECONDS = 6.0

_UNREADABLE = Rejected(
    code="unreadable",
    reason="This version of Herald can't read the message. Upgrade the worker and retry, or schedule it again.",
)
_UNREADABLE_ADOPTED = Indeterminate(
    code="unreadable",
    reason="An earlier worker was sending this, and this version of Herald can't read it; it may have gone out.",
)


def claim_from(row: dict[str, Any]) -> Claim:
    """Read one claim as herald.claim_bodies has it. Raises what Python raises for a row that is not so."""
    if not isinstance(row["to"], str) or not isinstance(row["text"], str):
        raise TypeError("a claim without address or text")
    return Claim(
        message_id=UUID(row["message_id"]),
        token=UUID(row["token"]),
        organization_id=UUID(row["organization_id"]),
        session_id=UUID(row["session_id"]),
        provider=ProviderName(row["provider"]),
        until=datetime.fromisoformat(row["until"]),
        to=row["to"],
        kind=MessageKind(row["kind"]),
        text=row["text"],
        media_url=row["media_url"],
        attempt=row["attempt"],
        trace=_trace_from(row) if row["incarnation"] else None,
    )


def _trace_from(row: dict[str, Any]) -> WebTrace:
    former = row.get("former_token")
    return WebTrace(
        secret=base64.b64decode(row["secret"]),
        incarnation=UUID(row["incarnation"]),
        former_token=UUID(former) if former else None,
    )


def claims_from(rows: Iterable[Any], otherwise: Outcome) -> tuple[list[Claim], list[Settlement]]:
    """Read claims. One that can't be read is settled with the other outcome; it fails no other."""
    claims: list[Claim] = []
    unreadable: list[Settlement] = []
    for row in rows:
        try:
            claims.append(claim_from(row))
        except Exception as error:
            try:
                message, token = UUID(row["message_id"]), UUID(row["token"])
            except Exception:
                log.exception("claim_without_token")  # whatsapp_reap puts it in doubt
                continue
            log.warning("claim_unreadable", message_id=str(message), kind=type(error).__name__)
            unreadable.append(Settlement(message_id=message, token=token, outcome=otherwise))
    return claims, unreadable


def storable(text: str) -> str:
    """Leave out what no text of Postgres can hold: NUL, and halves of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def settlement_row(settlement: Settlement) -> dict[str, Any]:
    """Write one settlement as whatsapp_settle reads it."""
    row: dict[str, Any] = {"message_id": str(settlement.message_id), "token": str(settlement.token)}
    match settlement.outcome:
        case Accepted(wa_message_id=wa_id, at=at):
            return row | {"outcome": "accepted", "wa_message_id": wa_id, "at": at.isoformat()}
        case Rejected(code=code, reason=reason, retry=retry):
            return row | {"outcome": "rejected", "code": code, "reason": storable(reason), "retry": retry}
        case Unavailable(code=code, reason=reason, retry_after=seconds, pause=pause, new_chats_pause=new_chats):
            row |= {"outcome": "unavailable", "code": code, "reason": storable(reason)}
            return row | {"retry_after": seconds, "pause": pause, "new_chats_pause": new_chats}
        case Indeterminate(code=code, reason=reason, wa_message_id=wa_id):
            row |= {"outcome": "indeterminate", "code": code, "reason": storable(reason)}
            return row | {"wa_message_id": wa_id}


class SupabaseOutbox:
    """Implements worker.ports.Outbox for one run of the worker."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database = database
        self._run = str(run)
        self._apart = False  #: the last exchange failed

    async def settle_and_claim(self, settlements: Sequence[Settlement], limit: int) -> Round:
        """See Outbox. Not repeated here: a lost answer would hide claims; the dispatcher returns those first.

        After an exchange that failed, for whatever reason, the next one goes message by message and account by account:
        if a row made it fail, that one alone fails now, and says why.
        """
        apart, self._apart = self._apart, True
        answer = await self._database.call(
            "whatsapp_settle_and_claim_apart" if apart else "whatsapp_settle_and_claim",
            {"p_run": self._run, "p_results": [settlement_row(s) for s in settlements], "p_limit": limit},
            attempts=1,
            seconds=QUEUE_SECONDS,
        )
        self._apart = False
        claims, unreadable = claims_from(answer["claims"], _UNREADABLE)
        return Round(
            settled=frozenset(UUID(i) for i in answer["settled"]),
            claims=tuple(claims),
            unreadable=tuple(unreadable),
            next_due=answer["next_due"],
        )

    async def return_unknown(self, in_hand: Iterable[UUID]) -> int:
        """See Outbox."""
        arguments = {"p_run": self._run, "p_in_hand": [str(i) for i in in_hand]}
        return int(await self._database.call("whatsapp_claims_return", arguments, seconds=QUEUE_SECONDS))

    async def extend(self, message_ids: Sequence[UUID]) -> frozenset[UUID]:
        """See Outbox."""
        arguments = {"p_run": self._run, "p_messages": [str(i) for i in message_ids]}
        return frozenset(
            UUID(i) for i in await self._database.call("whatsapp_claims_extend", arguments, seconds=QUEUE_SECONDS)
        )

    async def adopt(self, held: Held) -> tuple[list[Claim], list[Settlement]]:
        """See Outbox. A repeat gives the same claims under the same tokens."""
        arguments = {"p_run": self._run, "p_session": str(held.session_id), "p_epoch": held.epoch}
        rows = await self._database.call("whatsapp_claims_adopt", arguments, seconds=QUEUE_SECONDS)
        return claims_from(rows, _UNREADABLE_ADOPTED)

    async def receipts(self, receipts: Sequence[Receipt]) -> None:
        """See Outbox."""
        rows = [
            {
                "session_id": str(r.session_id),
                "wa_message_id": wa_id,
                "recipient": r.participant or r.chat,
                **({"lid": r.lid} if r.lid else {}),
                "kind": r.type,
                "at": r.at.isoformat(),
            }
            for r in receipts
            for wa_id in r.wa_message_ids
        ]
        arguments = {"p_run": self._run, "p_receipts": rows}
        await self._database.call("whatsapp_receipts", arguments, seconds=QUEUE_SECONDS)

    async def reap(self) -> tuple[int, int]:
        """See Outbox."""
        answer = await self._database.call("whatsapp_reap", {})
        return answer["expired"], answer["in_doubt"]

    async def housekeep(self) -> Mapping[str, str]:
        """See Outbox."""
        answer = await self._database.call("whatsapp_housekeeping", {})
        return dict(answer["errors"])
