"""In CI a skipped test is a failure, unless tests/skips.txt lists it with its reason."""

import os
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("skips.txt")


def listed() -> dict[str, str]:
    """Test ids (as pytest prints them) that may be skipped, and why: ``id | reason`` a line."""
    entries: dict[str, str] = {}
    for line in LIST.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            test, _, reason = line.partition("|")
            if not reason.strip():
                raise pytest.UsageError(f"tests/skips.txt: {test.strip()} has no reason")
            entries[test.strip()] = reason.strip()
    return entries


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    """Turn an unlisted skip into a failure when CI is set."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") and item.nodeid not in listed():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped and is not in tests/skips.txt: {report.longrepr}"
    return report
