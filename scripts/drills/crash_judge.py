"""The crash drill's verdict: by what recipients received. Our own tables only say what we claim of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.drills.crash_plan import History, Kind

#: We say that it went out.
SENT = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the drill. recipients: for each who decrypts it, their devices as the ledger names them."""

    text: str
    session: str
    recipients: tuple[tuple[str, ...], ...]

    def times(self, received: Mapping[tuple[str, str], int]) -> list[list[int]]:
        """How often each device of each recipient has got it. received: (device, text) → how often."""
        return [[received.get((device, self.text), 0) for device in devices] for devices in self.recipients]


@dataclass(slots=True)
class Verdict:
    """Ids of messages, by verdict."""

    lost: set[str] = field(default_factory=set)  #: no device of a recipient has got it, and nothing shows that
    twice: set[str] = field(default_factory=set)  #: a device of a recipient has got it more than once
    unended: set[str] = field(default_factory=set)  #: neither sent, nor failed or in doubt with a reason
    failed: set[str] = field(default_factory=set)  #: with a reason
    in_doubt: set[str] = field(default_factory=set)  #: with a reason
    unconfirmed: set[str] = field(default_factory=set)  #: `sent`, and every recipient has got it
    arrived_all_the_same: set[str] = field(default_factory=set)  #: in doubt, and every recipient has got it

    @property
    def bad(self) -> set[str]:
        """Those that break the promise."""
        return self.lost | self.twice | self.unended


def judge(
    messages: Mapping[str, Message], rows: Sequence[Mapping[str, Any]], received: Mapping[tuple[str, str], int]
) -> Verdict:
    """Compare. messages: by id.  rows: of the queue.  received: (device, text) → how often."""
    verdict = Verdict()
    by_id = {str(row["id"]): row for row in rows}
    for message_id, message in messages.items():
        row = by_id.get(message_id, {"status": "gone", "error_message": None})
        times = message.times(received)
        arrived = all(max(devices) > 0 for devices in times)
        shown = row["status"] in ("failed", "in_doubt") and row["error_message"]
        if max(map(max, times)) > 1:
            verdict.twice.add(message_id)
        if row["status"] not in SENT and not shown:
            verdict.unended.add(message_id)
        if not arrived and not shown:
            verdict.lost.add(message_id)
        if shown:
            (verdict.failed if row["status"] == "failed" else verdict.in_doubt).add(message_id)
        if row["status"] == "sent" and arrived:
            verdict.unconfirmed.add(message_id)
        if row["status"] == "in_doubt" and arrived:
            verdict.arrived_all_the_same.add(message_id)
    return verdict


def by_kind(history: History, verdict: Verdict) -> dict[str, dict[str, float | int | None]]:
    """Per kind of kill what was done and what it cost; "no kill" has what no kill had in flight."""
    reached = Counter(struck.order.kind for struck in history.struck)
    missed = Counter(struck.order.kind for struck in history.unreached)
    table: dict[str, dict[str, float | int | None]] = {}
    blamed = {message: history.last_over(message) for message in verdict.bad | verdict.in_doubt}
    for kind in (*Kind, None):
        back = sorted(s.back for s in history.struck if s.order.kind is kind and s.back is not None)
        if kind and not reached[kind] and not missed[kind]:
            continue
        table[kind or "no kill"] = {
            "armed": reached[kind] + missed[kind] if kind else 0,
            "reached": reached[kind] if kind else 0,
            "lost": sum(blamed[message] is kind for message in verdict.lost),
            "twice": sum(blamed[message] is kind for message in verdict.twice),
            "in_doubt": sum(blamed[message] is kind for message in verdict.in_doubt),
            "back_median": round(back[len(back) // 2], 1) if back else None,
            "back_worst": round(back[-1], 1) if back else None,
        }
    return table
