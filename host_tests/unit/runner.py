"""Runs one unit test module inside MicroPython and prints a JSON line for each test.

    micropython runner.py MODULE.py [PATH …]

PATHs are put before `sys.path`. Uses `unittest`: micropython-lib's on a board, the small one in `lib/` here.
"""

import io
import json
import sys

for path in reversed(sys.argv[2:]):
    sys.path.insert(0, path)

import unittest  # noqa: E402


def run_case(case, name):
    """Run one test method; return (outcome, text)."""
    test = case()
    try:
        test.setUp()
        try:
            getattr(test, name)()
        finally:
            test.tearDown()
    except unittest.SkipTest as skip:
        return "skipped", str(skip)
    except (Exception, KeyboardInterrupt) as error:
        out = io.StringIO()
        sys.print_exception(error, out)
        return "failed", out.getvalue()
    return "passed", ""


def main(path, skipped=()):
    """`skipped`: names, `Case` or `Case.test`, that are left out."""
    folder, _, name = path.rpartition("/")
    sys.path.insert(0, folder)
    module = __import__(name[: -len(".py")])
    for case_name in dir(module):
        case = getattr(module, case_name)
        if not (isinstance(case, type) and issubclass(case, unittest.TestCase)):
            continue
        for test_name in dir(case):
            name = case_name + "." + test_name
            if test_name.startswith("test") and case_name not in skipped and name not in skipped:
                outcome, text = run_case(case, test_name)
                print(json.dumps({"test": name, "outcome": outcome, "text": text}))


if __name__ == "__main__":
    main(sys.argv[1])
