"""What the database refuses, as problems: its own words where they are for people, and never a row's content."""

from worker.api.http.problem import Problem, without_numbers
from worker.supabase.rest import TOO_MANY, Refused, Rest

_TOKEN_REFUSED = frozenset({"PGRST301", "PGRST302", "PGRST303"})
_INSUFFICIENT_PRIVILEGE = "42501"
_FOREIGN_KEY, _UNIQUE, _CHECK, _NOT_NULL = "23503", "23505", "23514", "23502"

#: How long a sentence of the database may be, characters.
_LONGEST = 400


async def problem_from(refused: Refused, rest: Rest) -> Problem | None:
    """Turn a refusal into a problem; None: it is a fault of ours, or of the database."""
    if refused.code in _TOKEN_REFUSED or refused.status == 401:
        return Problem(401, "token-invalid", "Supabase refused the user's token.", "Sign in again, or refresh it.")
    if refused.code == _INSUFFICIENT_PRIVILEGE:
        return Problem(
            403,
            "not-allowed",
            "The caller may not do this here.",
            "Owners and admins change the rows of their own organisation.",
        )
    if refused.code == TOO_MANY:
        return Problem(429, "too-many-requests", refused.text[:_LONGEST], refused.hint, retry_after=5)
    if refused.code in (_FOREIGN_KEY, _UNIQUE, _CHECK, _NOT_NULL):
        words = await rest.call("whatsapp_explain", p_error=refused.text)
        detail = str(words or ("" if "constraint" in refused.text else refused.text))
        status, code = {
            _FOREIGN_KEY: (404, "not-found"),
            _UNIQUE: (409, "exists-already"),
            _CHECK: (409, "refused-by-rule"),
            _NOT_NULL: (409, "refused-by-rule"),
        }[refused.code]
        return Problem(
            status,
            code,
            without_numbers(detail[:_LONGEST]) or "A rule of the database refuses this.",
            without_numbers(refused.hint[:_LONGEST]) if refused.hint else None,
        )
    return None
