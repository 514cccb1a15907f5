"""Who calls which function, and that nothing private is served."""

import pytest

from tests.sql.matrix.access import HERALD, Outcome, role_of
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
                right = answer.is_success
            elif role_of(stands) not in function.roles:
                right = Outcome.of(answer, stands, name) is Outcome.NO_GRANT
            else:
                right = not answer.is_success and answer.json().get("code") == rpc.refused
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


@pytest.mark.parametrize("speaker", [Speaker.ANON, Speaker.ADMIN, Speaker.SUPER_ADMIN, Speaker.SERVICE])
def test_the_private_schema_is_not_served(ground: Ground, speaker: Speaker) -> None:
    wrong = []
    for table in ground.catalog.private_tables:
        answer = ground.ask(speaker, "GET", table, headers={"Accept-Profile": "herald"})
        if (answer.status_code, answer.json()["code"]) != (406, "PGRST106"):
            wrong.append(f"{table}: {answer.status_code} {answer.text}")
    served = {function.name for function in ground.catalog.functions if function.schema == "public"}
    for function in ground.catalog.functions:
        if function.schema == "herald":
            body = dict.fromkeys(function.arguments)
            in_schema = ground.call(speaker, function.name, body, headers={"Content-Profile": "herald"})
            if (in_schema.status_code, in_schema.json()["code"]) != (406, "PGRST106"):
                wrong.append(f"herald.{function.name}: {in_schema.status_code} {in_schema.text}")
            if function.name not in served:
                plain = ground.call(speaker, function.name, body)
                if (plain.status_code, plain.json()["code"]) != (404, "PGRST202"):
                    wrong.append(f"{function.name}: {plain.status_code} {plain.text}")
    assert not wrong, "\n".join(wrong)
