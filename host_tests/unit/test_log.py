"""The log: levels, a ring that holds whole lines, and lines that cannot be written as asked."""

import unittest

from station.clock import Clock
from station.log import DEBUG, LEVELS, MAX_LINE, WARNING, Log


def texts(ring):
    return [line.split(": ", 1)[1] for line in ring.lines()]


class LogTest(unittest.TestCase):
    def test_a_line_tells_level_area_and_text(self):
        ring = Log(1000)
        ring.info("link", "connected to %s in %d ms", "h", 12)
        ring.error("link", "100 % gone")
        self.assertEqual(list(ring.lines()), ["- INFO link: connected to h in 12 ms", "- ERROR link: 100 % gone"])

    def test_level(self):
        ring = Log(1000)
        for level in (WARNING, DEBUG):
            ring.level = level
            ring.error("a", "error")
            ring.warning("a", "warning")
            ring.info("a", "info")
            ring.debug("a", "debug")
        self.assertEqual(texts(ring), ["error", "warning", "error", "warning", "info", "debug"])

    def test_level_by_name(self):
        ring = Log(1000)
        for name in LEVELS:
            ring.set_level(name)
            ring.debug("a", name)
        self.assertEqual(texts(ring), ["DEBUG"])
        self.assertRaises(ValueError, ring.set_level, "TRACE")

    def test_time(self):
        now = [0]
        ring = Log(1000, Clock(1, lambda: now[0]))
        now[0] = 7000
        ring.info("a", "early")
        ring.clock.set(1795345200)
        ring.info("a", "later")
        self.assertEqual(list(ring.lines()), ["+7s INFO a: early", "2026-11-22T11:00:00Z INFO a: later"])

    def test_ring_keeps_the_newest_whole_lines_at_every_size(self):
        for limit in range(60, 150):
            ring = Log(limit)
            for number in range(40):
                ring.info("a", "%d %s", number, "ü" * (number % 7))
                kept = texts(ring)
                expected = ["%d %s" % (n, "ü" * (n % 7)) for n in range(number + 1)]
                self.assertTrue(len(kept) >= 1 and kept == expected[-len(kept) :], (limit, number, kept))

    def test_ring_is_used_up(self):
        ring = Log(1000)
        for _ in range(100):
            ring.info("a", "x" * 89)  # 100 bytes with the rest of the line
        self.assertGreaterEqual(len(texts(ring)), 9)

    def test_reading_goes_on_while_lines_are_written(self):
        ring = Log(200)
        for number in range(5):
            ring.info("a", "%d", number)
        lines = ring.lines()
        self.assertEqual(next(lines), "- INFO a: 0")
        for number in range(5, 100):
            ring.info("a", "%d", number)
        rest = [int(line.split()[-1]) for line in lines]
        self.assertEqual(rest[-1], 99)
        self.assertEqual(rest, list(range(rest[0], 100)))

    def test_an_endless_line_is_cut_between_characters(self):
        for lead in range(4):
            ring = Log(4096)
            ring.info("a", "x" * lead + "€" * 1000)
            line = next(ring.lines())
            self.assertTrue(line.endswith("€..."), line)
            self.assertTrue(MAX_LINE - 3 < len(line.encode()) <= MAX_LINE)

    def test_a_line_longer_than_the_ring_harms_nothing(self):
        ring = Log(40)
        ring.info("a", "x" * 50)
        ring.info("a", "after")
        self.assertEqual(list(ring.lines())[-1], "- INFO a: after")

    def test_a_line_break_in_what_a_peer_sent_makes_no_line(self):
        ring = Log(1000)
        ring.warning("a", "got %s", "x\r\n2026 ERROR forged")
        self.assertEqual(texts(ring), ["got x  2026 ERROR forged"])

    def test_arguments_that_do_not_fit_the_format(self):
        ring = Log(1000)
        ring.info("a", "%d", "text")
        ring.info("a", "%s", 1, 2)
        ring.info("a", "%s %s", 1)
        self.assertEqual(texts(ring), ["%d ('text',)", "%s (1, 2)", "%s %s (1,)"])

    def test_exception_with_its_traceback(self):
        ring = Log(4000)
        try:
            raise ValueError("boom")
        except ValueError as error:
            ring.exception("a", "task died", error)
        lines = texts(ring)
        self.assertEqual(lines[0], "task died")
        self.assertIn("Traceback", lines[1])
        self.assertIn("ValueError: boom", lines[-1])
        self.assertTrue(any(["test_exception_with_its_traceback" in line for line in lines]))

    def test_echo_and_its_end(self):
        echoed = []

        def echo(line):
            if len(echoed) == 2:
                raise OSError(32)
            echoed.append(line)

        ring = Log(1000, echo=echo)
        for number in range(4):
            ring.info("a", "%d", number)
        self.assertEqual(echoed, ["- INFO a: 0", "- INFO a: 1"])
        self.assertEqual(texts(ring), ["0", "1", "2", "3"])
