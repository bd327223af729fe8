"""update/transaction.py: all components or none, whatever one of them does."""

import asyncio
import unittest

from device import FAILED, IDLE
from flashes import PowerCut
from station.update import transaction
from station.update.slots import Slots
from transactions import NEW, OLD, ORDER, TransactionCase


class TestOutcome(TransactionCase, unittest.TestCase):
    def test_all_become_new(self):
        for order in (ORDER, ("router", "controller"), ("application",), ("controller", "router", "application")):
            self.new_station()
            self.live(self.install(order))
            self.all_are(NEW, order)
            self.assertEqual(self.transaction.outcome, (True, ""))
            self.assertEqual((self.transaction.sequence_number, self.transaction.told()), (7, "installed"))
            self.transaction.forget()
            self.start(self.flash.after())
            self.assertEqual((self.transaction.outcome, self.transaction.is_open), (None, False))
            self.assertEqual(self.transaction.told(), "installed", "until the next begins")

    def test_whatever_one_does_all_stay_old(self):
        reasons = {
            "lies": "it runs another image",
            "falls back": "its image did not start",
            "mute": "it is mute",
            "sick": "self-test",
            "deaf": "not now",
        }
        for flaw, reason in reasons.items():
            for name in ("router", "controller"):
                for order in (ORDER, ("controller", "router"), ("application", "controller", "router")):
                    self.new_station(**{name: flaw})
                    self.devices[name].mute_for = 200  # longer than the board is patient
                    self.live(self.install(order))
                    self.all_are(OLD, order)
                    self.assertEqual(self.transaction.outcome[0], False)
                    self.assertIn(reason, self.transaction.outcome[1], (flaw, name, order))

    def test_they_are_rolled_back_in_reverse_order(self):
        self.new_station(controller="sick")
        order = []
        for name, device in self.devices.items():
            device.on_change = lambda name=name, device=device: order.append((name, device.version))
        self.live(self.install(("router", "controller")))
        self.assertEqual(order[-2:], [("controller", OLD), ("router", OLD)])

    def test_what_was_not_activated_is_discarded(self):
        self.new_station(router="falls back")
        self.live(self.install(("router", "controller")))
        self.assertEqual(self.devices["controller"].log, ["begin", "verify", "discard"])
        self.assertEqual(self.devices["controller"].kept["phase"], IDLE)

    def test_a_router_that_cuts_the_station_off_is_rolled_back(self):
        def cut_off():
            self.is_online = self.devices["router"].version == OLD

        self.devices["router"].on_change = cut_off
        self.live(self.install(("router", "controller")))
        self.all_are(OLD, ("router", "controller"))
        self.assertEqual(self.transaction.outcome, (False, "no backend, there was one"))
        self.assertTrue(self.is_online)

    def test_without_a_backend_before_none_is_asked_for(self):
        self.is_online = False
        self.live(self.install(("router",)))
        self.all_are(NEW, ("router",))

    def test_one_that_went_back_behind_the_commit_is_activated_again_or_all_go_back(self):
        for comes_again in (True, False):
            self.new_station()
            router = self.devices["router"]
            seen = []

            def fall(router=router, comes_again=comes_again, seen=seen):
                if self.transaction._phase == transaction.COMMITTED and not seen:
                    seen.append(True)
                    staged = router.kept["runs"] if comes_again else None
                    router.kept.update(runs=router.kept["former"], staged=staged, phase=IDLE)

            status = router.status

            def watched(status=status, fall=fall):
                fall()
                return status()

            router.status = watched
            self.live(self.install(ORDER))
            self.assertTrue(seen)
            self.all_are(NEW if comes_again else OLD, ORDER)
            self.assertEqual(self.transaction.outcome[0], comes_again)

    def test_a_component_that_is_gone_from_the_provisioning(self):
        self.new_station(router="mute")
        self.devices["router"].mute_for = 10_000

        async def begin():
            task = asyncio.create_task(self.install(("router",)))
            while not self.transaction.is_open:
                await self.sleep_ms(0)
            task.cancel()

        asyncio.run(begin())
        self.assertTrue(self.transaction.is_open)
        del self.devices["router"]
        self.start(self.flash.after())
        self.assertFalse(self.transaction.is_open)
        self.assertIn("not in the provisioning", str(self.log.at("error")))

    def test_an_earlier_one_fails_behind_a_power_cut(self):
        """What was activated before the cut is rolled back, too."""
        router, controller = self.devices["router"], self.devices["controller"]

        def activated():
            if controller.version == NEW:
                controller.on_change = None
                router.kept.update(runs=router.kept["former"], phase=FAILED)
                raise PowerCut

        controller.on_change = activated
        self.live(self.install(("router", "controller")))
        self.assertIsNone(controller.on_change)
        self.all_are(OLD, ("router", "controller"))

    def test_what_is_committed_is_not_undone_for_want_of_a_backend(self):
        """The power goes between the confirmation of the application and the record of it."""
        confirm = Slots.confirm

        def last(slots):
            confirm(slots)
            self.is_online = False
            raise PowerCut

        Slots.confirm = last
        try:
            self.live(self.install(ORDER))
        finally:
            Slots.confirm = confirm
        self.assertFalse(self.is_online)
        self.all_are(NEW, ORDER)
        self.assertEqual(self.transaction.outcome, (True, ""))

    def test_nothing_is_done_while_the_board_is_about_to_restart(self):
        asked = []
        self.transaction._restart = lambda: asked.append(1)

        async def install():
            task = asyncio.create_task(self.install(("application", "router")))
            while not asked:
                await self.sleep_ms(0)
            for _ in range(100):
                await asyncio.sleep_ms(250)
            self.assertFalse(task.done())
            task.cancel()

        asyncio.run(install())
        self.assertEqual(self.devices["router"].log, ["begin", "verify"])

    def test_two_who_proceed_at_once(self):
        """The probation of an application goes on with it, and so does the task of updates."""

        async def both():
            task = asyncio.create_task(self.install(("router", "controller")))
            while not self.transaction.is_open:
                await self.sleep_ms(0)
            await self.transaction.proceed()
            self.assertEqual(self.transaction.outcome, (True, ""))
            await task

        ended = []
        self.transaction.on_end = lambda: ended.append(1)
        asyncio.run(both())
        self.assertEqual(ended, [1])
        self.assertEqual(self.devices["router"].log, ["begin", "verify", "activate", "confirm"])

    def test_a_fault_in_any_letters(self):
        self.devices["router"].flaw = "sick"
        status = self.devices["router"].status
        fault = "\u00fcbel " * 40

        def unlucky():
            found = status()
            found["fault"] = found["fault"] and fault
            return found

        self.devices["router"].status = unlucky
        self.live(self.install(("router",)))
        self.start(self.flash.after())
        self.assertEqual(self.transaction.told(), ("rolled back: router: " + "?bel " * 40)[: 13 + 120])

    def test_a_log_is_not_flooded(self):
        self.new_station(controller="mute")
        self.devices["controller"].mute_for = 400
        self.live(self.install(("controller",)))
        self.assertLess(len(self.log.lines), 20)

    def test_its_state_is_told(self):
        self.assertEqual(self.transaction.told(), "")
        self.new_station(controller="sick")
        self.live(self.install(ORDER))
        self.assertIn("rolled back: controller: its self-test failed", self.transaction.told())
