"""What the codes of Postgres and PostgREST mean: the one table, and the errors of ours that follow from it.

SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html; ``PGRST…``: https://docs.postgrest.org
(Errors); ``HR…``: raised by our own functions.
"""

from collections.abc import Mapping
from enum import Enum, auto

from worker.errors import (
    CredentialsError,
    DatabaseRefused,
    HeraldError,
    LostLease,
    SettingsError,
    StoreError,
    Unstorable,
)


class Meaning(Enum):
    """What a refusal of the database means, whoever asked."""

    AWAY = auto()  #: out of reach, busy or restarting: the same call succeeds later
    WORKER_REPLACED = auto()  #: another worker has started under this WORKER_ID
    SESSION_LOST = auto()  #: the lease of the session is another worker's
    CREDENTIALS_CHANGED = auto()  #: the sealed session state is not what was read
    NOT_MIGRATED = auto()  #: a function or table is missing
    TOKEN_REFUSED = auto()  #: the key, or the user's token, is not taken
    NOT_ALLOWED = auto()  #: the role may not do this
    TOO_MANY = auto()  #: too much is waiting already
    NO_SUCH_ROW = auto()  #: a foreign key names a row that is not there
    EXISTS = auto()  #: a unique key is taken
    AGAINST_RULE = auto()  #: a CHECK, NOT NULL or rule of ours refuses the row
    BAD_VALUE = auto()  #: malformed
    TOO_LARGE = (
        auto()
    )  #: too large to store or to work on; what another worker or tenant sent may have been the cause
    UNKNOWN = auto()


#: By code, or by how a code begins; the longest match counts.
MEANINGS: Mapping[str, Meaning] = {
    "HR001": Meaning.WORKER_REPLACED,
    "HR002": Meaning.SESSION_LOST,
    "HR003": Meaning.CREDENTIALS_CHANGED,
    "PGRST000": Meaning.AWAY,  # PostgREST can't reach its database
    "PGRST001": Meaning.AWAY,
    "PGRST002": Meaning.AWAY,  # its schema cache is not loaded yet
    "PGRST003": Meaning.AWAY,  # no connection of its pool became free
    "PGRST106": Meaning.NOT_MIGRATED,  # schema
    "PGRST202": Meaning.NOT_MIGRATED,  # function
    "42883": Meaning.NOT_MIGRATED,  # function, called by a function
    "PGRST301": Meaning.TOKEN_REFUSED,  # can't be read, or has expired
    "PGRST302": Meaning.TOKEN_REFUSED,  # there is none
    "PGRST303": Meaning.TOKEN_REFUSED,  # its claims are not right
    "42501": Meaning.NOT_ALLOWED,
    "08": Meaning.AWAY,  # connection
    "40": Meaning.AWAY,  # serialization, deadlock
    "53": Meaning.AWAY,  # disk, memory, connections
    "53400": Meaning.TOO_MANY,  # raised by our rules
    "55": Meaning.AWAY,  # in use, not ready
    "57": Meaning.AWAY,  # shut down, cancelled, timed out
    "58": Meaning.AWAY,  # the machine below Postgres
    "22": Meaning.BAD_VALUE,
    "23": Meaning.AGAINST_RULE,
    "23503": Meaning.NO_SUCH_ROW,
    "23505": Meaning.EXISTS,
    "54": Meaning.TOO_LARGE,  # for an index, a row or a statement
}

#: Statuses that a gateway answers by itself, without a code of the database.
STATUSES: Mapping[int, Meaning] = {
    401: Meaning.TOKEN_REFUSED,
    408: Meaning.AWAY,
    425: Meaning.AWAY,
    429: Meaning.AWAY,
}

_LONGEST = max(map(len, MEANINGS))


def meaning_of(status: int, code: str) -> Meaning:
    """Tell what an HTTP status and a code (empty: none came) mean."""
    for length in range(min(len(code), _LONGEST), 0, -1):
        if meaning := MEANINGS.get(code[:length]):
            return meaning
    if code:
        return Meaning.UNKNOWN
    return Meaning.AWAY if status >= 500 else STATUSES.get(status, Meaning.UNKNOWN)


#: Refusals that are about what was given: the same call never succeeds.
_OF_THE_DATA = frozenset(
    {Meaning.BAD_VALUE, Meaning.TOO_LARGE, Meaning.AGAINST_RULE, Meaning.NO_SUCH_ROW, Meaning.EXISTS}
)


def worker_error(refused: DatabaseRefused, function: str) -> HeraldError:
    """Say what a refusal of one of the worker's own calls, made with the secret key, means for the worker."""
    match meaning_of(refused.status, refused.code):
        case Meaning.WORKER_REPLACED:
            return LostLease("another worker has started with this WORKER_ID; give each worker its own")
        case Meaning.SESSION_LOST:
            return LostLease("the session is held by another worker now")
        case Meaning.CREDENTIALS_CHANGED:
            return CredentialsError("the stored session state has changed since it was read")
        case Meaning.NOT_MIGRATED:
            return SettingsError(
                f"SUPABASE_URL: the database is not migrated ({function} is missing); run `supabase db push`"
            )
        case Meaning.NOT_ALLOWED:
            return SettingsError("SUPABASE_SERVICE_KEY: not a secret key; use the sb_secret_… or service_role key")
        case Meaning.TOKEN_REFUSED:
            return SettingsError("SUPABASE_SERVICE_KEY: refused by Supabase; copy the secret key of this project")
        case meaning if meaning in _OF_THE_DATA:
            return Unstorable(f"{function} failed with {refused.code}")
    return StoreError(f"{function} failed with {refused.code or refused.status}")
