"""Who calls which function, and that nothing private is served."""

from typing import Any

import pytest

from tests.kit.database import DENIED
from tests.sql.matrix.access import HERALD, SIGNED_IN, Outcome, role_of
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.expected import HELPERS, HERALD_FUNCTIONS, RPCS
from tests.sql.matrix.ground import Ground
from tests.sql.matrix.speakers import Place, Speaker, standing


def test_nobody_but_herald_calls_its_functions(ground: Ground) -> None:
    wrong = []
    for function in ground.catalog.functions:
        if function.schema != "public" or function.name not in HERALD_FUNCTIONS:
            continue
        if not function.roles <= {"service_role"} or (not function.trigger and not function.roles):
            wrong.append(f"{function.name} is granted to {sorted(function.roles)}")
        for speaker in Speaker:
            stands = standing(speaker, Place.HOME)
            if stands in HERALD or function.trigger:
                continue  # a call of Herald's would have effects; its privilege is looked at above
            answer = ground.call(speaker, function.name, dict.fromkeys(function.arguments))
            outcome = Outcome.of(answer, stands, function.name)
            if outcome is not Outcome.NO_GRANT:
                wrong.append(f"{speaker} calls {function.name}: {outcome}")
    assert not wrong, "\n".join(wrong)


def blank(answer: Any) -> bool:
    """Does it tell nothing: no rows, no figures?"""
    match answer:
        case dict():
            return all(blank(value) for value in answer.values())
        case list():
            return all(blank(value) for value in answer)
    return not answer


@pytest.mark.parametrize("name", RPCS)
def test_people_call_a_function_about_their_own_organisation_only(ground: Ground, name: str) -> None:
    rpc, wrong = RPCS[name], []
    (function,) = [f for f in ground.catalog.functions if (f.schema, f.name) == ("public", name)]
    assert function.roles == {role_of(stands) for stands in rpc.callers}
    for place in (Place.HOME, Place.AWAY):
        for speaker in Speaker:
            stands = standing(speaker, place)
            answer = ground.call(speaker, name, rpc.arguments(ground, place))
            if stands in rpc.callers:
                # What everybody may call is about no organisation, and may have nothing to tell.
                right = answer.is_success and (rpc.callers >= SIGNED_IN or not blank(answer.json()))
            elif role_of(stands) not in function.roles:
                right = Outcome.of(answer, stands, name) is Outcome.NO_GRANT
            elif rpc.refuses:
                right = (answer.status_code, answer.json()["code"]) == (403, DENIED)
            else:
                right = answer.is_success and blank(answer.json())
            if not right:
                wrong.append(f"{speaker} about {place}: {answer.status_code} {answer.text}")
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


def test_people_run_these_private_functions_and_no_others(catalog: Catalog) -> None:
    private = [function for function in catalog.functions if function.schema == "herald"]
    assert [function.name for function in private if "anon" in function.roles] == []
    granted = {function.name for function in private if "authenticated" in function.roles}
    assert granted == HELPERS, (
        f"granted and not in HELPERS (tests/sql/matrix/expected.py): {sorted(granted - HELPERS)},"
        f" in HELPERS and not granted: {sorted(HELPERS - granted)}"
    )


@pytest.mark.parametrize("speaker", Speaker)
def test_the_private_schema_is_not_served(ground: Ground, speaker: Speaker) -> None:
    answer = ground.ask(speaker, "GET", "workers", headers={"Accept-Profile": "herald"})
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")


def test_not_even_herald_reaches_what_is_private_over_the_api(ground: Ground) -> None:
    wrong = []
    for table in ground.catalog.private_tables:
        plain = ground.ask(Speaker.SERVICE, "GET", table)
        named = ground.ask(Speaker.SERVICE, "GET", table, headers={"Accept-Profile": "herald"})
        found = [(answer.status_code, answer.json()["code"]) for answer in (plain, named)]
        if found != [(404, "42P01"), (406, "PGRST106")]:
            wrong.append(f"{table}: {found}")
    served = {function.name for function in ground.catalog.functions if function.schema == "public"}
    for function in ground.catalog.functions:
        if function.schema == "herald" and function.name not in served:
            body = dict.fromkeys(function.arguments)
            plain = ground.call(Speaker.SERVICE, function.name, body)
            named = ground.call(Speaker.SERVICE, function.name, body, headers={"Content-Profile": "herald"})
            found = [(answer.status_code, answer.json()["code"]) for answer in (plain, named)]
            if found != [(404, "PGRST202"), (406, "PGRST106")]:
                wrong.append(f"{function.name}: {found}")
    assert not wrong, "\n".join(wrong)
