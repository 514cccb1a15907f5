"""The claims that an earlier holder of a web session left: settled by evidence, never sent again without it."""

from worker.errors import HeraldError, LostLease
from worker.message import Claim
from worker.outcome import Indeterminate, Outcome, Unavailable
from worker.ports import Outbox
from worker.providers.web.ports import Traces, Unsent
from worker.sending.ledger import Ledger
from worker.session import Held
from worker.vault.live_store import LiveStore

_HOST_LOST = Indeterminate(
    code="herald-host-lost", reason="The host that was sending this is lost; it may have gone out."
)
_NOT_SENT = Unavailable(code="herald-stopped", reason="The worker stopped before this was sent.")


class Adoption:
    """The claims that the earlier holders left, for one acquisition of a session."""

    def __init__(self, held: Held, outbox: Outbox, ledger: Ledger, store: LiveStore, traces: Traces) -> None:
        self._held, self._outbox, self._ledger = held, outbox, ledger
        self._store, self._traces = store, traces
        self._done = False

    async def run(self) -> None:
        """Settle them by the journal, else by the store's trace of their secrets; once. Raises LostLease."""
        if self._done:
            return
        self._done = True
        claims, unreadable = await self._outbox.adopt(self._held)
        self._ledger.add(unreadable)
        for claim in claims:
            self._ledger.took(claim)
            if not self._ledger.knows_sent(claim):
                self._ledger.outcome(claim, await self._judge(claim))

    async def _judge(self, claim: Claim) -> Outcome:
        if claim.trace is None or claim.trace.incarnation != self._store.incarnation:
            return _HOST_LOST
        try:
            found = await self._traces.lookup(self._held.session_id, claim.trace.secret)
        except LostLease:
            raise
        except HeraldError as error:
            return Indeterminate(code="herald-no-trace", reason=f"Its trace could not be read: {error}")
        if isinstance(found, Unsent):
            return _NOT_SENT
        return Indeterminate(
            code="herald-stopped",
            wa_message_id=found.wa_message_id,
            reason="The worker stopped while this was sent; waiting for a receipt.",
        )
