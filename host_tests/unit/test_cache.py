"""The authorization cache: bounds and order of leaving, gathered writes, restarts, bad files."""

import asyncio
import random
import unittest

import ramdisk
from fakes import FakeClock, FakeLog
from station.charging.authorization import IdTagInfo
from station.charging.cache import GATHER_MS, Cache
from station.storage import atomic

PATH = ramdisk.MOUNT + "/cache.json"
NOON = 1795345200
ACCEPTED = IdTagInfo("Accepted")


async def settle():
    for _ in range(10):
        await asyncio.sleep_ms(0)


class CacheTest(unittest.TestCase):
    def setUp(self):
        self.flash = ramdisk.mount()
        self.log = FakeLog()
        self.settings = {"AuthorizationCacheEnabled": True, "AuthorizationCacheMaxLength": 3}
        self.clock = FakeClock(NOON)
        self.slept = []
        self.minute = None
        self.cache = self.start()

    def tearDown(self):
        ramdisk.unmount()

    def start(self):
        return Cache(PATH, self.settings, self.clock, self.log, self.sleep_ms)

    async def sleep_ms(self, duration):
        self.slept.append(duration)
        await self.minute.wait()
        self.minute.clear()

    def kept(self, cache=None):
        cache = cache or self.cache
        return "".join([key for key in "ABCDEFGH" if cache.get(key)])

    def test_get_what_was_put_whatever_the_case(self):
        info = IdTagInfo("Accepted", NOON, "GROUP")
        self.cache.put("abCD", info)
        self.assertIs(self.cache.get("ABcd"), info)
        self.assertIsNone(self.cache.get("ABCE"))
        self.cache.put("ABCD", ACCEPTED)
        self.assertEqual(len(self.cache), 1)
        self.assertIs(self.cache.get("abcd"), ACCEPTED)

    def test_the_least_recently_used_leaves_first(self):
        for key in "ABC":
            self.cache.put(key, ACCEPTED)
        self.cache.get("A")
        self.cache.put("B", ACCEPTED)
        self.cache.put("D", ACCEPTED)
        self.assertEqual(self.kept(), "ABD")

    def test_what_lets_nobody_charge_leaves_before(self):
        self.cache.put("A", ACCEPTED)
        self.cache.put("B", IdTagInfo("Accepted", NOON + 10))
        self.cache.put("C", IdTagInfo("Blocked"))
        self.cache.put("D", IdTagInfo("Invalid"))  # stays, being new
        self.assertEqual(self.kept(), "ABD")
        self.cache.put("E", ACCEPTED)
        self.assertEqual(self.kept(), "ABE")
        self.clock.advance(10)
        self.cache.put("F", ACCEPTED)
        self.assertEqual(self.kept(), "AEF")

    def test_a_smaller_limit_holds_from_the_next_card_on(self):
        for key in "ABC":
            self.cache.put(key, ACCEPTED)
        self.settings["AuthorizationCacheMaxLength"] = 1
        self.cache.put("D", ACCEPTED)
        self.assertEqual(self.kept(), "D")

    def test_switched_off_it_knows_nothing_and_believes_nothing_outdated_later(self):
        self.cache.put("A", ACCEPTED)
        self.cache.put("B", ACCEPTED)
        self.settings["AuthorizationCacheEnabled"] = False
        self.assertIsNone(self.cache.get("A"))
        self.cache.put("A", IdTagInfo("Blocked"))
        self.cache.put("C", ACCEPTED)
        self.settings["AuthorizationCacheEnabled"] = True
        self.assertEqual(self.kept(), "B")

    def test_content_and_order_survive_a_restart(self):
        info = IdTagInfo("Accepted", NOON + 5, "GROUP")
        self.cache.put("A", info)
        self.cache.put("B", ACCEPTED)
        self.cache.put("C", ACCEPTED)
        self.cache.get("A")
        self.assertTrue(self.cache.flush())
        cache = self.start()
        again = cache.get("A")
        self.assertEqual((again.status, again.expiry, again.parent_id_tag), ("Accepted", NOON + 5, "GROUP"))
        cache = self.start()
        cache.put("D", ACCEPTED)
        self.assertEqual(self.kept(cache), "ACD")

    def test_a_smaller_limit_holds_after_a_restart(self):
        for key in "ABC":
            self.cache.put(key, ACCEPTED)
        self.cache.flush()
        self.settings["AuthorizationCacheMaxLength"] = 2
        self.assertEqual(self.kept(self.start()), "BC")

    def test_clear_is_on_flash_at_once(self):
        self.cache.put("A", ACCEPTED)
        self.cache.flush()
        self.assertTrue(self.cache.clear())
        self.assertEqual(len(self.cache), 0)
        self.assertEqual(len(self.start()), 0)

    def test_clear_that_cannot_be_written_says_so_and_is_tried_again(self):
        self.cache.put("A", ACCEPTED)
        self.cache.flush()
        self.flash.fail(1)
        self.assertFalse(self.cache.clear())
        self.assertIn(PATH, self.log.at("error")[0])
        self.assertEqual(len(self.cache), 0)

        async def a_minute_later():
            self.minute = asyncio.Event()
            self.minute.set()
            task = asyncio.create_task(self.cache.run())
            await settle()
            task.cancel()

        asyncio.run(a_minute_later())
        self.assertEqual(len(self.start()), 0)

    def test_writes_are_gathered_and_a_failed_one_is_tried_again(self):
        async def test():
            self.minute = asyncio.Event()
            task = asyncio.create_task(self.cache.run())
            await settle()
            programs = [self.flash.programs]
            self.assertEqual(self.slept, [])  # nothing to write, nothing to wait for

            self.cache.put("A", ACCEPTED)
            self.cache.put("B", ACCEPTED)
            await settle()
            programs.append(self.flash.programs)
            self.minute.set()
            await settle()
            programs.append(self.flash.programs)
            self.assertEqual(self.kept(self.start()), "AB")

            self.cache.put("A", IdTagInfo("Accepted"))  # the same
            self.cache.get("B")
            await settle()
            self.assertEqual(self.slept, [GATHER_MS])

            self.cache.put("C", ACCEPTED)
            await settle()
            self.flash.fail(1)
            self.minute.set()
            await settle()
            self.assertEqual(len(self.log.at("error")), 1)
            self.minute.set()
            await settle()
            self.assertEqual(self.kept(self.start()), "ABC")
            self.assertEqual(self.slept, [GATHER_MS] * 3)

            self.cache.put("D", ACCEPTED)
            await settle()
            self.cache.clear()
            programs.append(self.flash.programs)
            self.minute.set()
            await settle()
            programs.append(self.flash.programs)
            task.cancel()
            return programs

        before, gathered, written, cleared, after = asyncio.run(test())
        self.assertEqual(before, gathered)
        self.assertGreater(written, gathered)
        self.assertEqual(cleared, after)

    def test_a_bad_file_costs_only_what_is_bad(self):
        good = ["A", "Accepted", 0, None]
        for bad in (7, [], ["B"], [1, "Accepted", 0, None], ["B", "Fine", 0, None], ["B", "Accepted", "x", None]):
            del self.log.lines[:]
            atomic.replace_json(PATH, [bad, good])
            self.assertEqual(self.kept(self.start()), "A")
            self.assertEqual(len(self.log.at("error")), 1)
        del self.log.lines[:]
        atomic.replace_json(PATH, {"A": 1})
        self.assertEqual(len(self.start()), 0)
        self.assertIn(PATH, self.log.at("error")[0])

    def test_against_a_model_with_restarts(self):
        seed = random.getrandbits(30)
        print("seed", seed)
        random.seed(seed)
        self.settings["AuthorizationCacheMaxLength"] = 5
        model = []  # (key, status), the least recently used first
        for _ in range(1500):
            key = random.choice("ABCDEFGH")
            old = [entry for entry in model if entry[0] == key]
            choice = random.getrandbits(5)
            if choice == 0:
                self.cache.flush()
                self.cache = self.start()
            elif choice < 16:
                got = self.cache.get(key)
                self.assertEqual(got and got.status, old[0][1] if old else None)
                if old:
                    model.remove(old[0])
                    model.append(old[0])
            else:
                status = random.choice(("Accepted", "Accepted", "Blocked"))
                self.cache.put(key, IdTagInfo(status))
                if old:
                    model.remove(old[0])
                model.append((key, status))
                if len(model) > 5:
                    blocked = [entry for entry in model[:-1] if entry[1] != "Accepted"]
                    model.remove(blocked[0] if blocked else model[0])
            self.assertEqual(len(self.cache), len(model))
