"""Messages of the queue."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from worker.message import MessageStatus
from worker.supabase.rows import OPEN_MESSAGES, QUEUE
from worker.supabase.tenant.tenant import Row, Tenant

_OPEN = frozenset({MessageStatus.PENDING, MessageStatus.SENDING, MessageStatus.IN_DOUBT})

#: Characters of ids or keys in one query: PostgREST has them in its URL, and gateways take 8 kB of that.
PER_QUERY = 4_000


async def page(
    tenant: Tenant,
    conditions: Mapping[str, Any],
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row]:
    """Read messages, the latest ``scheduled_for`` first. conditions: values by column; before: the last one's place."""
    query = tenant.select(OPEN_MESSAGES if conditions.get("status") in _OPEN else QUEUE)
    for column, value in conditions.items():
        query = query.eq(column, value)
    if before:
        at, message = before[0].isoformat(), before[1]
        # The first condition is what the index needs; the second leaves out what the page before had.
        query = query.lte("scheduled_for", at).or_(f'scheduled_for.lt."{at}",id.lt.{message}')
    return await tenant.rows(query.order("scheduled_for", desc=True).order("id", desc=True).limit(limit))


async def find(tenant: Tenant, message: UUID) -> Row | None:
    """Read a message."""
    return next(iter(await tenant.rows(tenant.select(QUEUE).eq("id", str(message)))), None)


async def explained(tenant: Tenant, message: UUID) -> Row | None:
    """Read a message and the reasons why it has not gone out."""
    found: Row | None = await tenant.call("whatsapp_api_message", p_message=str(message))
    return found


async def change_status(tenant: Tenant, message: UUID, status: str, *, of: Iterable[str]) -> Row | None:
    """Change the status of a message if it is one of those; None: it is not, or there is no such message."""
    query = tenant.update(QUEUE, {"status": status}).eq("id", str(message)).in_("status", of)
    return next(iter(await tenant.rows(query)), None)


async def insert(tenant: Tenant, rows: Sequence[Row]) -> list[Row]:
    """Queue messages, all with or all without an idempotency key; those whose key was not there yet."""
    once_by = "organization_id,idempotency_key" if "idempotency_key" in rows[0] else ""
    return await tenant.insert(QUEUE, rows, once_by=once_by)


async def by_ids(tenant: Tenant, messages: Sequence[UUID]) -> list[Row]:
    """Read these messages."""
    return await _having(tenant, "id", [str(message) for message in messages])


async def by_idempotency_keys(tenant: Tenant, keys: Sequence[str]) -> list[Row]:
    """Read the messages with these idempotency keys."""
    return await _having(tenant, "idempotency_key", keys)


async def stats(tenant: Tenant) -> Row:
    """Read the organisation's figures, as far as the caller may see its rows."""
    figures: Row = await tenant.call("whatsapp_stats")
    return figures


async def _having(tenant: Tenant, column: str, values: Sequence[str]) -> list[Row]:
    queries = (tenant.select(QUEUE).in_(column, part) for part in _parts(values))
    answers = await asyncio.gather(*map(tenant.rows, queries))
    return [row for answer in answers for row in answer]


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """Divide values so that each part fits into a URL."""
    part: list[str] = []
    length = 0
    for value in values:
        room = len(quote(f'"{value}"')) + len("%2C")
        if part and length + room > PER_QUERY:
            yield part
            part, length = [], 0
        part.append(value)
        length += room
    if part:
        yield part
