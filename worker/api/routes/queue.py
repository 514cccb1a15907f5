"""The queue as a whole: figures, and a call that makes a worker look at it now."""

from pydantic import Field

from worker.api.http.routing import Access, Answer, Call, Routes
from worker.supabase.tenant import messages

routes = Routes("Queue")


class Period(Answer):
    """What was scheduled for some days, up to now."""

    sent: int
    delivered: int
    read: int
    failed: int
    average_queue_seconds: float | None


class QueueFigures(Answer):
    """What is open."""

    pending: int
    due: int
    sending: int


class AccountFigures(Answer):
    """Accounts that the caller may see."""

    total: int
    connected: int


class ContactFigures(Answer):
    """People."""

    total: int
    opted_out: int


class Stats(Answer):
    """Figures for a dashboard. Days are UTC days."""

    today: Period
    last_7_days: Period
    queue: QueueFigures
    in_doubt: int
    accounts: AccountFigures
    groups: int
    contacts: ContactFigures


class Drained(Answer):
    """That the dispatcher looks at the queue now."""

    woken: bool = Field(description="always true: this worker looks at once")
    due: int = Field(description="messages whose time has come, up to 10,000; those held back by a rule too")


@routes.get("/api/stats", access=Access.MEMBER)
async def get_stats(call: Call) -> Stats:
    """Show the organisation's figures, as far as the caller may see its rows."""
    return Stats.model_validate(await messages.stats(call.tenant))


@routes.post("/api/queue/drain", access=Access.SERVER)
async def drain(call: Call) -> Drained:
    """Have this worker look at the queue now.

    What the cron fallback calls when due messages are not being claimed. A server counts its own organisation's
    messages, the operator all, or those of X-Org-Id.
    """
    call.parts.wake(0)
    due = await call.parts.calls.due(call.caller.organization)
    return Drained(woken=True, due=due)
