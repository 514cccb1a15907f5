"""Is a claim right? Nothing that a rule holds back, in the right order, and all that nothing holds back."""

from datetime import datetime

from tests.kit.database import Row
from tests.sql.model import rules
from tests.sql.model.ground import SESSIONS, at
from tests.sql.model.rules import Ledger, Look


def judge_claim(look: Look, ledger: Ledger, run: str, limit: int, claims: list[Row]) -> None:
    """What this run was given, by what was there the moment before. Writes it into the ledger."""
    moment = at(look["now"])
    assert moment
    assert len(claims) <= limit
    chosen: dict[str, list[Row]] = {}
    for claim in claims:
        message = look["messages"][claim["message_id"]]
        chosen.setdefault(message["session_id"], []).append(message)
        assert claim["former_token"] is None
        judge_message(look, ledger, run, message, moment)
    for session, messages in chosen.items():
        account = look["sessions"][session]
        for message in messages:
            assert not {"account-limit", "group-limit"} & set(rules.holds(look, ledger, message))
            ledger.add(message, moment, account["min_gap_ms"])
        assert rules.in_flight(look, session) + len(messages) <= rules.SLOTS[account["provider"]]
    if limit >= len(SESSIONS):
        for session in look["leases"]:
            judge_rest(look, ledger, run, session, chosen.get(session, []))


def judge_message(look: Look, ledger: Ledger, run: str, message: Row, moment: datetime) -> None:
    session = message["session_id"]
    assert message["status"] == "pending"
    assert rules.is_served_by(look, session, run), "claimed by one who does not serve the account"
    held = list(rules.holds(look, ledger, message))
    assert not held, f"claimed although {held}"
    if look["sessions"][session]["provider"] == "web":
        assert ledger.paced_until.get(session, moment) <= moment, "claimed before the pace allows"


def judge_rest(look: Look, ledger: Ledger, run: str, session: str, chosen: list[Row]) -> None:
    """What was not claimed had to wait."""
    lease, provider, moment = look["leases"][session], look["sessions"][session]["provider"], at(look["now"])
    assert moment
    left = [
        message
        for message in look["messages"].values()
        if message["session_id"] == session and message["status"] == "pending" and message not in chosen
    ]
    ready = [message for message in left if not list(rules.holds(look, ledger, message, slack=True))]
    if chosen and provider == "web":
        assert all(rules.order(chosen[0]) < rules.order(message) for message in ready), "out of turn"
    rests = any(rules.later(lease[name], moment) for name in ("next_send_at", "look_again_at"))
    busy = rules.in_flight(look, session) >= rules.SLOTS[provider]
    if not chosen and not rests and not busy and rules.is_served_by(look, session, run):
        assert not ready, f"{ready[0]['id']} could have gone out"
