"""What can go wrong, and who can fix it: every error that Herald raises on purpose, outside the engine program.

HeraldError
├── SettingsError         the operator: a setting is missing or wrong; the text says which and how
├── InUse                 nobody, if a predecessor is still stopping; else the operator: two share a setting
├── SessionError          the org admin: this account needs a person (scan again, unban, new number)
│   └── CredentialsError  sealed with a key that we don't have, or changed since
├── ProviderError         nobody yet: WhatsApp refused a request or is away; the text says what to do
├── MediaError            whoever wrote the message: its media can't be fetched, or are not what they must be
├── EngineError           nobody: the engine process died or broke the protocol; it is started again
│   ├── EngineRefused     nobody: the engine answered a call with an error code; the provider reads it
│   └── CrashLoop         the operator, if it lasts: engines die of this session; it waits, the others go on
├── CommandRefused        the operator: what a herald command asked for can't be done; the text says why
├── DatabaseRefused       the caller: the database refuses the query; sqlstate.py says what its code means
├── StoreError            nobody yet: Supabase is away or refused a call; the call is tried again
│   ├── KeyRefused        nobody, if Supabase refuses the secret key in passing; else the operator, after a minute
│   ├── Unstorable        nobody: the database can't take what was given, however often; it is left out
│   └── TooLarge          the caller: the answer has too many bytes; ask for fewer rows
└── LostLease             nobody: another worker has it now; stop at once

The API answers with a Problem (worker/api/http/problem.py), which is an answer and no error.
"""


class HeraldError(Exception):
    """Base of everything that Herald raises on purpose."""


class SettingsError(HeraldError):
    """A setting is missing or wrong; the text names it and its remedy, and never its value."""


class InUse(HeraldError):  # noqa: N818 - it reads as the sentence that it is
    """Another process has the port or the state folder; to be tried again."""


class SessionError(HeraldError):
    """An account that needs a person."""


class CredentialsError(SessionError):
    """Sealed session state that can't be opened: unknown key, other owner, or changed bytes."""


class ProviderError(HeraldError):
    """The provider refused or is away."""


class MediaError(HeraldError):
    """A message's media could not be fetched; retry: the host may serve it later."""

    def __init__(self, text: str, *, retry: bool = False) -> None:
        super().__init__(text)
        self.retry = retry


class EngineError(HeraldError):
    """The engine process died, or answered what the protocol does not allow."""


class EngineRefused(EngineError):  # noqa: N818 - an answer, not a fault of the engine
    """The engine answered a call with an error of the protocol.

    code, detail: worker.engine.protocol.  wa_message_id: of a send that may have left.
    """

    def __init__(self, code: str, detail: str = "", wa_message_id: str | None = None) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail
        self.wa_message_id = wa_message_id


class CrashLoop(EngineError):  # noqa: N818 - it reads as the sentence that it is
    """A session has to wait, because engines die whenever it opens."""

    def __init__(self, deaths: int, seconds: float) -> None:
        super().__init__(f"its engine died {deaths} times while it opened; tried again in {seconds:.0f} s")
        self.deaths = deaths
        self.seconds = seconds


class CommandRefused(HeraldError):  # noqa: N818 - an answer, not a fault
    """What an operator's command asked for can't be done."""


class DatabaseRefused(HeraldError):  # noqa: N818 - an answer, not a fault
    """The database refused a query.

    status: HTTP's.  code: an SQLSTATE or PGRST…, or empty.  text, hint: the database's words; they may quote rows.
    """

    def __init__(self, status: int, code: str, text: str, hint: str | None) -> None:
        super().__init__(f"the database refused with {code or status}")
        self.status = status
        self.code = code
        self.text = text
        self.hint = hint


class StoreError(HeraldError):
    """Supabase did not answer, or refused a call."""


class KeyRefused(StoreError):  # noqa: N818 - it reads as the sentence that it is
    """Supabase refuses the secret key; perhaps in passing, as it does now and then."""


class Unstorable(StoreError):  # noqa: N818 - it reads as the sentence that it is
    """The database can't take what was given: no text, too large, against a rule."""


class TooLarge(StoreError):  # noqa: N818 - it reads as the sentence that it is
    """The database's answer has more bytes than the worker takes."""


class LostLease(HeraldError):  # noqa: N818 - it reads as the sentence that it is
    """Another worker holds the session, or our process id was taken over."""
