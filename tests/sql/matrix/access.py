"""Access classes, and what every answer and every refusal looks like."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

import httpx

from tests.kit.database import DENIED
from tests.sql.matrix.speakers import Standing

HERALD: Set[Standing] = {Standing.SERVICE}
ADMINS: Set[Standing] = {Standing.ADMIN, Standing.OWNER, Standing.SUPER, Standing.SERVICE}
INVOLVED: Set[Standing] = ADMINS | {Standing.MEMBER}  #: not who a private account is hidden from
MEMBERS: Set[Standing] = INVOLVED | {Standing.BYSTANDER}
SIGNED_IN: Set[Standing] = MEMBERS | {Standing.OUTSIDER}
NOBODY: Set[Standing] = set()


class Verb(StrEnum):
    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Outcome(StrEnum):
    """What came of a request. Refusals by privilege are 401 for a visitor and 403 for everybody else."""

    DONE = "done"
    NOTHING = "no row reached"  #: 200 and an empty list: the row policy hides the row
    NO_GRANT = "no privilege"  #: 42501, permission denied
    ROW_POLICY = "refused by row policy"  #: 42501, violates row-level security policy
    IMMOVABLE = "it stays where it is"  #: 23514, a row can't change its organisation
    NOT_WRITABLE = "a view that can't be written"  #: 55000, whoever asks

    @classmethod
    def of(cls, answer: httpx.Response, standing: Standing, subject: str) -> "Outcome | str":
        """One of these, or the answer in words. subject: the table, view or function that was asked."""
        body = answer.json() if answer.content else None
        if answer.is_success and isinstance(body, list):
            return cls.DONE if body else cls.NOTHING
        said = body if isinstance(body, dict) else {}
        refused = (
            answer.status_code == (401 if standing is Standing.VISITOR else 403) and said.get("code") == DENIED
        )
        if refused and said["message"].startswith("permission denied") and said["message"].endswith(f" {subject}"):
            return cls.NO_GRANT
        words = "row-level security policy"
        if refused and words in said["message"] and said["message"].endswith(f' for table "{subject}"'):
            return cls.ROW_POLICY
        if said.get("code") == "23514" and said["message"].endswith("can't move to another organisation."):
            return cls.IMMOVABLE
        if said.get("code") == "55000" and f'view "{subject}"' in said["message"]:
            return cls.NOT_WRITABLE
        return f"{answer.status_code} {answer.text}"


def role_of(standing: Standing) -> str:
    """The database role under which somebody's statements run."""
    named = {Standing.VISITOR: "anon", Standing.SERVICE: "service_role"}
    return named.get(standing, "authenticated")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read, add, change and remove a table's rows, by where they stand to the row's organisation.

    A role that nobody speaks with successfully has no privilege either: so the refusal follows from the sets.
    """

    select: Set[Standing]
    insert: Set[Standing]
    update: Set[Standing]
    delete: Set[Standing]

    def permitted(self, verb: Verb) -> Set[Standing]:
        allowed: Set[Standing] = getattr(self, verb.value)
        return allowed

    def granted(self, verb: Verb, role: str) -> bool:
        return role in {role_of(standing) for standing in self.permitted(verb)}

    def expected(self, verb: Verb, standing: Standing) -> Outcome:
        if standing in self.permitted(verb):
            return Outcome.DONE
        if not self.granted(verb, role_of(standing)):
            return Outcome.NO_GRANT
        return Outcome.ROW_POLICY if verb is Verb.INSERT else Outcome.NOTHING


ADMIN_ONLY = Access(ADMINS, ADMINS, ADMINS, ADMINS)
ORG_READS_ADMIN_WRITES = Access(MEMBERS, ADMINS, ADMINS, ADMINS)
ORG_READS_HERALD_WRITES = Access(MEMBERS, HERALD, HERALD, HERALD)
ADMIN_READS_HERALD_WRITES = Access(ADMINS, HERALD, HERALD, HERALD)
APPEND_ONLY = Access(ADMINS, HERALD, NOBODY, NOBODY)
