"""The part of `unittest.TestCase` that CPython, micropython-lib and this file share.

micropython-lib is in no package registry, so the unix port gets this; a board gets micropython-lib's.
"""


class SkipTest(Exception):
    pass


class _Raises:
    def __init__(self, expected):
        self.expected = expected
        self.exception = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            raise AssertionError("%r was not raised" % self.expected)
        if issubclass(kind, self.expected):
            self.exception = value
            return True
        return False


class TestCase:
    def setUp(self):
        pass

    def tearDown(self):
        pass

    def fail(self, msg=None):
        raise AssertionError(msg or "failed")

    def skipTest(self, reason):
        raise SkipTest(reason)

    def assertTrue(self, x, msg=None):
        if not x:
            self.fail(msg or "%r is not true" % (x,))

    def assertFalse(self, x, msg=None):
        if x:
            self.fail(msg or "%r is not false" % (x,))

    def assertEqual(self, x, y, msg=None):
        if not x == y:  # noqa: SIM201 - it is == that is asserted
            self.fail(msg or "%r != %r" % (x, y))

    def assertNotEqual(self, x, y, msg=None):
        if not x != y:  # noqa: SIM202
            self.fail(msg or "%r == %r" % (x, y))

    def assertIs(self, x, y, msg=None):
        if x is not y:
            self.fail(msg or "%r is not %r" % (x, y))

    def assertIsNone(self, x, msg=None):
        if x is not None:
            self.fail(msg or "%r is not None" % (x,))

    def assertIsNotNone(self, x, msg=None):
        if x is None:
            self.fail(msg or "is None")

    def assertIn(self, x, y, msg=None):
        if x not in y:
            self.fail(msg or "%r is not in %r" % (x, y))

    def assertNotIn(self, x, y, msg=None):
        if x in y:
            self.fail(msg or "%r is in %r" % (x, y))

    def assertIsInstance(self, x, kind, msg=None):
        if not isinstance(x, kind):
            self.fail(msg or "%r is no %r" % (x, kind))

    def assertGreater(self, x, y, msg=None):
        if not x > y:
            self.fail(msg or "%r <= %r" % (x, y))

    def assertGreaterEqual(self, x, y, msg=None):
        if not x >= y:
            self.fail(msg or "%r < %r" % (x, y))

    def assertLess(self, x, y, msg=None):
        if not x < y:
            self.fail(msg or "%r >= %r" % (x, y))

    def assertLessEqual(self, x, y, msg=None):
        if not x <= y:
            self.fail(msg or "%r > %r" % (x, y))

    def assertAlmostEqual(self, x, y, places=7, msg=None):
        if round(abs(x - y), places) != 0:
            self.fail(msg or "%r is not almost %r" % (x, y))

    def assertRaises(self, expected, func=None, *args, **kwargs):
        context = _Raises(expected)
        if func is None:
            return context
        with context:
            func(*args, **kwargs)
        return None
