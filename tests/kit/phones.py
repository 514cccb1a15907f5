"""Phone numbers of tests."""

from itertools import count

_digits = count(1)


def new_phone() -> str:
    """A German mobile number (digits only, country code first) that no other test of this run has."""
    return f"49160{next(_digits):07d}"
