"""What all tests share: how many power cuts are made (`faults/test_powercut.py`), told at the end of the run."""

import pytest

CUTS = "power cuts"  # the property of a report that tells of them


def pytest_addoption(parser):
    group = parser.getgroup("power cuts")
    group.addoption("--cuts", default="48", help="points of each scenario to cut the power at: a number, or all")
    group.addoption("--cuts-seed", type=int, help="of the points at random, as an earlier run printed it")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """A line for each scenario, from whichever process ran it."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = [value for report in reports for name, value in getattr(report, "user_properties", ()) if name == CUTS]
    if told:
        terminalreporter.section("power cuts")
        for line in dict.fromkeys(told):
            terminalreporter.write_line(line)
