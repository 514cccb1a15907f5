"""Who may do what, over the real API: every speaker × table × verb × whose row, with nothing left out.

The cells come from the catalog; what they should say comes from `expected.py`, a line a table. A table, view or
function that the catalog has and `expected.py` doesn't fails `test_complete.py`, which says what to add:

expected.py   an access class a table, the columns that people write, who reads a view, who calls a function
recipes.py    what a valid row needs beyond what the catalog tells, and a change to it

speakers.py   who speaks, and where they stand to a row
access.py     access classes, and what a refusal looks like under each
catalog.py    tables, keys, foreign keys, grants, functions as Postgres has them
rows.py       valid rows, made from the catalog and the recipes
ground.py     two organisations and their people on a stack; asking PostgREST as one of them
"""
