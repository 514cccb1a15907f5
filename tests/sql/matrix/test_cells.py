"""Every speaker × verb × whose row, of every table and view."""

import pytest

from tests.sql.matrix.access import Outcome, Verb
from tests.sql.matrix.expected import TABLES, VIEWS, Table
from tests.sql.matrix.ground import Ground
from tests.sql.matrix.recipes import RECIPES, Json
from tests.sql.matrix.speakers import Place, Speaker, Standing, standing


class Cells:
    """The cells of one table about one place's rows. A row serves until somebody changes or removes it."""

    def __init__(self, ground: Ground, name: str, place: Place) -> None:
        self.ground = ground
        self.name = name
        self.place = place
        self.table: Table = TABLES[name]
        self.relation = ground.catalog.relations[name]
        self._row: Json | None = None

    def wrong(self, speaker: Speaker, verb: Verb) -> str | None:
        """What is wrong with one cell."""
        stands = standing(speaker, self.place)
        expected = self.table.access_to(self.place).expected(verb, stands)
        judge = self._inserts if verb is Verb.INSERT else self._reaches
        found = judge(speaker, verb, stands, expected)
        return found and f"{speaker}: {verb} of {self.place}: {found}"

    def _inserts(self, speaker: Speaker, verb: Verb, stands: Standing, expected: Outcome) -> str | None:
        self._row = None if self.relation.one_per_organization else self._row
        self.ground.make_room(self.name, self.place)
        body = self.ground.rows.draft(self.name, self.ground.organizations.get(self.place))
        if stands is not Standing.SERVICE and self.table.insert not in ("", "*"):
            body = {column: value for column, value in body.items() if column in self.table.insert.split()}
        before = self.ground.rows.count(self.name)
        answer = self.ground.speak(speaker, verb, self.name, {}, body)
        outcome = Outcome.of(answer, stands, self.name)
        if outcome != expected:
            return f"{outcome}, expected: {expected}"
        if expected is not Outcome.DONE:
            return None if self.ground.rows.count(self.name) == before else "refused, but a row was added"
        (returned,) = answer.json()
        made = self.ground.rows.find(self.name, self._key(returned))
        # Triggers after the insert may add to it; what was asked for stands there, the organisation included.
        true = made and all(made[column] == returned[column] for column in body)
        owned = self.name == "organizations" or returned["organization_id"] == body["organization_id"]
        return None if true and owned else f"answered {returned}, but there is {made}"

    def _reaches(self, speaker: Speaker, verb: Verb, stands: Standing, expected: Outcome) -> str | None:
        row = self._row = self._row or self.ground.row(self.name, self.place)
        change = RECIPES[self.name].change if verb is Verb.UPDATE else None
        answer = self.ground.speak(speaker, verb, self.name, self._key(row), change)
        outcome = Outcome.of(answer, stands, self.name)
        now = self.ground.rows.find(self.name, self._key(row))
        if now != row:
            self._row = None
        if outcome != expected:
            return f"{outcome}, expected: {expected}"
        returned = answer.json()[0] if expected is Outcome.DONE else None
        if expected is Outcome.DONE and verb is Verb.DELETE:
            return None if now is None and returned == row else "answered as done, but the row is still there"
        if expected is Outcome.DONE and verb is Verb.UPDATE:
            assert change
            assert returned
            changed = now and all(row[column] != now[column] == returned[column] for column in change)
            return None if changed else f"answered {returned}, but there is {now}"
        return None if now == row and returned in (None, row) else f"answered {returned}, but there is {now}"

    def _key(self, row: Json) -> Json:
        return {column: row[column] for column in self.relation.key}


@pytest.mark.parametrize("name", TABLES)
def test_a_tables_rows_are_reached_by_whom_they_concern_and_nobody_else(ground: Ground, name: str) -> None:
    wrong = []
    for place in ground.places(name):
        cells = Cells(ground, name, place)
        wrong += [found for verb in Verb for speaker in Speaker if (found := cells.wrong(speaker, verb))]
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", VIEWS)
def test_a_views_rows_are_seen_by_whom_they_concern_and_nobody_writes_them(ground: Ground, name: str) -> None:
    view, wrong = VIEWS[name], []
    column = ground.catalog.relations[name].organization_column
    for place in (Place.HOME, Place.AWAY):
        ground.row(view.of, place, **view.values)
        organization = ground.organizations[place]
        for speaker in Speaker:
            stands = standing(speaker, place)
            for verb in Verb:
                expected = view.expected(verb, stands)
                body = {column: organization} if verb in (Verb.INSERT, Verb.UPDATE) else None
                where = {} if verb is Verb.INSERT else {column: organization}
                answer = ground.speak(speaker, verb, name, where, body)
                outcome = Outcome.of(answer, stands, name)
                if outcome != expected:
                    wrong.append(f"{speaker}: {verb} of {place}: {outcome}, expected: {expected}")
                elif outcome is Outcome.DONE and {row[column] for row in answer.json()} != {organization}:
                    wrong.append(f"{speaker}: {verb} of {place}: {answer.text}")
    assert not wrong, f"{name}:\n" + "\n".join(wrong)
