"""``herald doctor``: checks everything that the worker needs, and says what to do about what is wrong.

Each look is a function that gives findings; ``examination`` runs them in order. What the database's own catalog
tells is found by one function there. Nothing here writes, and no finding holds a secret.
"""
