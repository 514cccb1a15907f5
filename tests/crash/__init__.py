"""Programs die here at bad moments, and real recipients count what arrives.

What these tests catch was tried by mutation: a LiveSession that sends a claim again whose secret the store has
written makes a message arrive twice (2 tests fail); one that adopts nothing leaves messages in sending (3 fail);
an engine that does not let sends finish when its daemon dies leaves one in doubt that never arrives (1 fails).
One that does not look at its deadline (test_a_session_closes_when_its_lease_ends), or goes on after it was stopped
past it (test_an_engine_that_was_stopped_past_its_lease_ends_at_once); a stop that does not wait for each account's
own send (test_handover, both stops); a store without a device that says "never sent" (test_an_end_in_mid_send_…).
In test_failpoints: a LiveSession that gives back what the store has written, and an engine that does not put the
secret into the message, fail at AFTER_WIRE (it arrives twice) and at BEFORE_WIRE.
"""
