"""Claims whose holder died, whose answer was lost, or that nobody came back for."""

from uuid import UUID

from tests.kit.database import Db, Organisation, Run


def successor(db: Db, org: Organisation) -> Run:
    """Another worker that holds the account after the first one's lease has lapsed."""
    db.pass_time(21)
    return Run(db).connect(org.session)


def test_a_successor_adopts_a_claim_and_the_old_token_is_void(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    claim = run.claim_one()
    second = successor(db, org)
    (adopted,) = second.adopt(org.session)
    assert adopted["former_token"] == claim["token"] != adopted["token"]
    assert (adopted["secret"], adopted["incarnation"]) == (claim["secret"], claim["incarnation"])
    assert run.accept(claim) == 0
    assert org.status(message) == "sending"
    assert second.accept(adopted) == 1
    assert org.status(message) == "sent"


def test_adopting_again_after_a_lost_answer_gives_the_same_claims(db: Db, org: Organisation, run: Run) -> None:
    org.schedule()
    run.claim_one()
    second = successor(db, org)
    assert second.adopt(org.session) == second.adopt(org.session) != []


def test_an_adopted_claim_is_never_given_back_as_unsent(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.claim_one()
    second = successor(db, org)
    second.adopt(org.session)  # its answer is lost
    assert second.give_back(in_hand=[]) == 0
    assert org.status(message) == "sending"


def test_a_claim_that_is_adopted_twice_keeps_the_token_that_the_sender_knew(
    db: Db, org: Organisation, run: Run
) -> None:
    org.schedule()
    claim = run.claim_one()
    successor(db, org).adopt(org.session)
    (adopted,) = successor(db, org).adopt(org.session)
    assert adopted["former_token"] == claim["token"]


def test_a_claim_of_the_same_epoch_is_not_adopted(org: Organisation, run: Run) -> None:
    org.schedule()
    run.claim_one()
    assert run.adopt(org.session) == []


def test_a_worker_gives_back_the_claims_whose_answer_was_lost(org: Organisation, run: Run) -> None:
    second = org.add_session()
    run.connect(second)
    org.schedule()
    org.schedule(session_id=second)
    known, lost = run.claim()
    assert run.give_back(in_hand=[UUID(known["message_id"])]) == 1
    assert org.status(UUID(known["message_id"])) == "sending"
    assert org.status(UUID(lost["message_id"])) == "pending"
    assert run.claim_one()["message_id"] == lost["message_id"]
    assert run.accept(lost) == 0  # under its first token it is void


def test_a_message_past_its_time_fails_as_expired(db: Db, org: Organisation) -> None:
    message = org.schedule(expires_at="2999-01-01T00:00:00Z")
    late = org.schedule(scheduled_for="2020-01-01T00:00:00Z", expires_at="2020-01-02T00:00:00Z")
    assert db.call("whatsapp_reap")["expired"] == 1
    assert (org.status(message), org.status(late)) == ("pending", "failed")
    assert org.message(late)["error_code"] == "expired"


def test_a_claim_that_nobody_takes_over_ends_in_doubt(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.claim_one()
    db.pass_time(150 + 599)
    assert db.call("whatsapp_reap")["in_doubt"] == 0
    db.pass_time(2)
    assert db.call("whatsapp_reap")["in_doubt"] == 1
    assert (org.status(message), org.message(message)["error_code"]) == ("in_doubt", "worker-lost")


def test_a_claim_of_a_living_worker_is_not_reaped(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.claim_one()
    run.heartbeat(lease=7200)
    db.pass_time(3600)
    assert db.call("whatsapp_reap") == {"expired": 0, "in_doubt": 0}
    assert org.status(message) == "sending"
