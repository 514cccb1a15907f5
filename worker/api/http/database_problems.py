"""Turns the database's refusals into problems: its own words if they are for people, never a row's content."""

from collections.abc import Mapping

from worker.api.http.problem import Problem, without_numbers
from worker.errors import DatabaseRefused
from worker.supabase.api_calls import ApiCalls
from worker.supabase.sqlstate import Meaning, meaning_of

#: How long a sentence of the database may be, characters.
_LONGEST = 400

#: Status and code of what a constraint or a rule refuses.
_BY_RULE: Mapping[Meaning, tuple[int, str]] = {
    Meaning.NO_SUCH_ROW: (404, "not-found"),
    Meaning.EXISTS: (409, "exists-already"),
    Meaning.AGAINST_RULE: (409, "refused-by-rule"),
}


async def problem_from(refused: DatabaseRefused, calls: ApiCalls) -> Problem | None:
    """Turn a refusal into a problem; None: it is a fault of ours, or of the database."""
    match meaning_of(refused.status, refused.code):
        case Meaning.TOKEN_REFUSED:
            return Problem(
                401, "token-invalid", "Supabase refused the user's token.", "Sign in again, or refresh it."
            )
        case Meaning.NOT_ALLOWED:
            return Problem(
                403,
                "not-allowed",
                "The caller may not do this here.",
                "Owners and admins change the rows of their own organisation.",
            )
        case Meaning.TOO_MANY:
            return Problem(429, "too-many-requests", refused.text[:_LONGEST], refused.hint, retry_after=5)
        case meaning if meaning in _BY_RULE:
            # A constraint that a function of the database met: the words are not in its message.
            named = "constraint" in refused.text
            detail = (await calls.explain(refused.text) or "") if named else refused.text
            return Problem(
                *_BY_RULE[meaning],
                without_numbers(detail[:_LONGEST]) or "A rule of the database refuses this.",
                without_numbers(refused.hint[:_LONGEST]) if refused.hint else None,
            )
    return None
