"""A row of one organisation neither goes over to another nor names a row of another."""

import httpx
import pytest

from tests.sql.matrix.access import Outcome, Verb
from tests.sql.matrix.catalog import ForeignKey
from tests.sql.matrix.expected import TABLES, UNBOUND
from tests.sql.matrix.ground import Ground
from tests.sql.matrix.recipes import RECIPES, Json
from tests.sql.matrix.speakers import Place, Speaker, standing

OWNED = [name for name in TABLES if name != "organizations"]


def refused(answer: httpx.Response) -> bool:
    """By the foreign key, or by a trigger where an organisation may also name rows of the system."""
    return not answer.is_success and answer.json()["code"] in ("23503", "23514")


@pytest.mark.parametrize("name", OWNED)
def test_nobody_moves_a_row_to_another_organisation(ground: Ground, name: str) -> None:
    wrong, table = [], TABLES[name]
    for home, away in ((Place.HOME, Place.AWAY), (Place.AWAY, Place.HOME)):
        row = ground.row(name, home)
        key = {column: row[column] for column in ground.catalog.relations[name].key}
        for speaker in set(Speaker) - {Speaker.SERVICE}:
            here = standing(speaker, home)
            expected = table.access.expected(Verb.UPDATE, here) if table.update == "*" else Outcome.NO_GRANT
            if expected is Outcome.DONE:
                expected = Outcome.IMMOVABLE
            move = {"organization_id": ground.organizations[away]}
            outcome = Outcome.of(ground.speak(speaker, Verb.UPDATE, name, key, move), here, name)
            if outcome != expected or ground.rows.find(name, key) != row:
                wrong.append(f"{speaker} moves {home}: {outcome}, expected: {expected}")
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", OWNED)
def test_an_upsert_takes_over_nobody_elses_row(ground: Ground, name: str) -> None:
    table, row = TABLES[name], ground.row(name, Place.AWAY)
    key = {column: row[column] for column in ground.catalog.relations[name].key}
    body = (row if table.insert == "*" else key) | RECIPES[name].change
    body["organization_id"] = ground.organizations[Place.HOME]
    answer = ground.ask(Speaker.ADMIN, "POST", name, json=body, headers={"Prefer": "resolution=merge-duplicates"})
    expected = Outcome.ROW_POLICY if table.update == "*" else Outcome.NO_GRANT
    assert Outcome.of(answer, standing(Speaker.ADMIN, Place.AWAY), name) == expected
    assert ground.rows.find(name, key) == row


@pytest.mark.parametrize("name", OWNED)
def test_a_row_names_rows_of_its_own_organisation_only(ground: Ground, name: str) -> None:
    wrong = []
    for key in ground.catalog.relations[name].foreign_keys:
        if key.target in ("auth.users", "organizations") or f"{name}.{key.columns[-1]}" in UNBOUND:
            continue
        wrong += [f"{key.name}: {found}" for found in References(ground, name, key).wrong()]
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


class References:
    """One foreign key, tried with rows of both organisations."""

    def __init__(self, ground: Ground, name: str, key: ForeignKey) -> None:
        self.ground = ground
        self.name = name
        self.key = key
        self.own = [column for column in key.columns if column != "organization_id"]

    def wrong(self) -> list[str]:
        table = TABLES[self.name]
        found = [self._insert(Speaker.SERVICE)]
        if table.insert == "*" or {*self.own} <= {*table.insert.split()}:
            found.append(self._insert(Speaker.ADMIN))
        if table.update == "*" or {*self.own} <= {*table.update.split()}:
            found.append(self._update(Speaker.ADMIN))
        return [each for each in found if each]

    def _insert(self, speaker: Speaker) -> str | None:
        """With a row of the own organisation it is done, with another's it is refused."""
        for place in (Place.HOME, Place.AWAY):
            self.ground.make_room(self.name, Place.HOME)
            body = self._draft(self._reference(place))
            said = TABLES[self.name].insert
            if speaker is not Speaker.SERVICE and said != "*":
                body = {column: value for column, value in body.items() if column in said.split()}
            answer = self.ground.speak(speaker, Verb.INSERT, self.name, {}, body)
            if place is Place.HOME and answer.status_code != 201:
                return f"{speaker} can't even name a row of the own organisation: {answer.text}"
            if place is Place.AWAY and not refused(answer):
                return f"{speaker} adds a row that names {place}: {answer.status_code} {answer.text}"
        return None

    def _update(self, speaker: Speaker) -> str | None:
        row = self.ground.row(self.name, Place.HOME)
        where = {column: row[column] for column in self.ground.catalog.relations[self.name].key}
        body = self._reference(Place.AWAY)
        answer = self.ground.speak(speaker, Verb.UPDATE, self.name, where, body)
        if refused(answer) and self.ground.rows.find(self.name, where) == row:
            return None
        return f"{speaker} makes a row name {Place.AWAY}: {answer.status_code} {answer.text}"

    def _reference(self, place: Place) -> Json:
        """The values with which a row names a new row of this place."""
        named = self.ground.rows.make(self.key.target, self.ground.organizations[place])
        pairs = zip(self.key.columns, self.key.target_columns, strict=True)
        reference = {own: named[target] for own, target in pairs if own != "organization_id"}
        if place is Place.HOME and "session_id" in self.ground.catalog.relations[self.name].columns:
            reference |= {"session_id": named["session_id"]} if "session_id" in named else {}  # of one account
        return reference

    def _draft(self, reference: Json) -> Json:
        """A row of the own organisation that holds the reference in place of what excludes it."""
        draft = self.ground.rows.draft(self.name, self.ground.organizations[Place.HOME], **reference)
        for one_of in RECIPES[self.name].one_of:
            for other in one_of - reference.keys() if one_of & reference.keys() else ():
                draft.pop(other, None)
        return draft
