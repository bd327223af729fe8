"""Random walks of two connectors through cables, cards, faults, broken devices and power cuts: what must always hold.

A failing walk prints its seed and the actions that led to the failure.
"""

import asyncio
import random
import unittest

import ramdisk
from charging_fakes import NO_DIODE, A, B, Bench, C, D, E, F
from station.charging import records
from station.charging.authorization import IdTagInfo
from station.charging.charge_point import ChargePoint

PATH = ramdisk.MOUNT + "/availability.json"
WALKS = 60
ACTIONS = 150


class FakeAuthorization:
    async def authorize(self, id_tag):
        await asyncio.sleep_ms(0)
        return IdTagInfo("Blocked" if id_tag == "BAD" else "Accepted", 0, "GROUP" if id_tag in ("X", "Y") else None)


class Walk:
    """One walk: `act` does something at random, `settle` lets the station follow and checks what must hold."""

    def __init__(self, seed):
        random.seed(seed)
        self.bench = Bench(
            2,
            lock=seed % 3 != 0,
            StopTransactionOnEVSideDisconnect=seed % 2 == 0,
            UnlockConnectorOnEVSideDisconnect=seed // 2 % 2 == 0,
            StopTransactionOnInvalidId=seed // 4 % 2 == 0,
            MaxEnergyOnInvalidId=seed % 5 * 100,
            MeterValueSampleInterval=5,
            StopTxnSampledData="Energy.Active.Import.Register",
            blocks=32,
        )
        self.energy = [1000, 2000]
        self.over = set()  # outlets that have given more than MaxEnergyOnInvalidId, as was read in the last step
        self.done = []
        self.build()

    def build(self):
        bench = self.bench
        self.point = ChargePoint(
            [outlet.connector for outlet in bench.outlets],
            FakeAuthorization(),
            bench.settings,
            bench.clock,
            bench.ledger,
            bench.log,
            PATH,
        )
        for outlet, energy in zip(bench.outlets, self.energy):
            outlet.meter.energy = energy

    # --- what happens

    async def act(self):
        outlet = random.choice(self.bench.outlets)
        name = random.choice(self.MOVES)
        self.done.append((name, outlet.connector.connector_id))
        result = getattr(self, name)(outlet)
        if result is not None:
            await result

    MOVES = (
        "cable",
        "cable",
        "cable",
        "cable",
        "odd_pilot",
        "flicker",
        "card",
        "card",
        "card",
        "remote",
        "verdict",
        "remote_stop",
        "fault",
        "no_fault",
        "no_fault",
        "lock",
        "contactor",
        "meter",
        "availability",
        "time",
        "time",
        "refuse",
        "power_cut",
    )

    def cable(self, outlet):
        outlet.pilot.state = random.choice((A, B, C, C, C))

    def odd_pilot(self, outlet):
        outlet.pilot.state = random.choice((D, E, F, NO_DIODE))

    def flicker(self, outlet):
        outlet.pilot.script = [random.choice((A, B, C, E)) for _ in range(8)]
        outlet.pilot.at = 0

    def card(self, outlet):
        return self.point.present(random.choice(("X", "Y", "Z", "BAD")), random.choice(((1,), (2,), (1, 2))))

    async def remote(self, outlet):
        self.point.remote_start(random.choice(("X", "R")), random.choice((None, 1, 2)))
        task = asyncio.create_task(self.point.serve_remote())
        for _ in range(5):
            await asyncio.sleep_ms(0)
        task.cancel()
        await asyncio.sleep_ms(0)

    def verdict(self, outlet):
        transaction = outlet.connector.transaction
        if transaction and transaction.transaction_id is None:
            self.point.judged(transaction.number, transaction.number + 1000, random.choice((True, True, False)))

    def remote_stop(self, outlet):
        transaction = outlet.connector.transaction
        if transaction and transaction.transaction_id is not None:
            assert self.point.remote_stop(transaction.transaction_id)

    def fault(self, outlet):
        outlet.inputs.alarms = [random.choice(("GroundFailure", "EmergencyStop", "HighTemperature"))]

    def no_fault(self, outlet):
        outlet.inputs.alarms = []

    def lock(self, outlet):
        if outlet.lock:
            outlet.lock.jammed = not outlet.lock.jammed
            if not outlet.lock.jammed:
                outlet.lock.locked = outlet.lock.told

    def contactor(self, outlet):
        contactor = outlet.contactor
        contactor.welded = contactor.commanded and random.choice((True, False))
        contactor.stuck = random.choice((True, False, False))

    def meter(self, outlet):
        outlet.meter.failures = random.choice((0, 0, 1, 2, 5))

    def availability(self, outlet):
        self.point.change_availability(random.choice((0, 1, 2)), random.choice((True, True, False)))

    def time(self, outlet):
        self.bench.advance(random.choice((1, 3, 10, 70)))

    def refuse(self, outlet):
        """The flash refuses the next record."""
        append = self.bench.journal.append

        def refuse(kind, payload):
            self.bench.journal.append = append
            raise OSError(5)

        self.bench.journal.append = refuse

    def power_cut(self, outlet):
        if random.randrange(4):
            return
        states = [outlet.pilot.state for outlet in self.bench.outlets]
        self.energy = [outlet.meter.energy for outlet in self.bench.outlets]
        self.bench.restart(self.bench.clock.now())
        self.build()
        self.point.load()
        for new, state in zip(self.bench.outlets, states):
            new.pilot.state = state
        self.bench.replay()
        self.check_books(True)

    # --- what must hold

    async def settle(self, steps):
        for _ in range(steps):
            for outlet in self.bench.outlets:
                for _ in range(5):
                    outlet.interlock.step(None)
                    self.check_contact(outlet)
                if outlet.contactor.is_closed() and outlet.pilot.state == C:
                    outlet.meter.energy += random.randrange(20)
                await outlet.connector.step()
                self.check_connector(outlet)
            self.point.match_held()

    def check_contact(self, outlet):
        if not outlet.contactor.commanded:
            return
        assert outlet.interlock.state == C, "closed in state %d" % outlet.interlock.state
        assert not outlet.inputs.alarms, "closed with a fault"
        assert outlet.lock is None or outlet.lock.locked, "closed with the cable free"
        assert outlet.connector.transaction, "closed without a transaction"

    def check_connector(self, outlet):
        connector = outlet.connector
        closed = outlet.contactor.commanded
        assert outlet.interlock.wanted or not closed
        assert (connector.status == "Charging") == (closed and not connector._faults.any()), connector.status
        if connector.status in ("Available", "Unavailable"):
            assert not closed
        if not connector.transaction:
            assert outlet.pilot.offered == 0, "current on offer without a transaction"
            if outlet.lock and not connector.grant_held and connector._kept_for is None:
                assert not outlet.lock.told, "a cable is caught"
        over = False
        if connector.transaction and not connector.transaction.accepted and closed:
            used = connector.measurement[0] - connector.transaction.meter_start
            over = used >= self.bench.settings["MaxEnergyOnInvalidId"]
            assert not (over and outlet in self.over), "%d Wh for a card that was not accepted" % used
        (self.over.add if over else self.over.discard)(outlet)

    def check_books(self, all_ended=False):
        """Each START has at most one STOP, after it, of no less energy; those without one run."""
        running = {}
        for seq, kind, payload in self.bench.journal.records(self.bench.journal.oldest):
            if kind == records.START:
                start = records.unpack_start(payload)
                assert start[4] not in [row[0] for row in running.values()], "two on one connector"
                running[seq] = (start[4], start[2])
            elif kind == records.STOP:
                stop = records.unpack_stop(payload)
                connector_id, meter_start = running.pop(stop[0])
                assert stop[4] == connector_id
                assert stop[2] >= meter_start, "%d Wh after %d" % (stop[2], meter_start)
        if all_ended:
            assert not running, running
        else:
            mine = sorted([o.connector.transaction.number for o in self.bench.outlets if o.connector.transaction])
            assert sorted(running) == mine, (running, mine)

    async def heal(self):
        """Everything becomes sound, the cars leave: then each connector is Available and free again."""
        self.done.append(("heal", 0))
        self.point.change_availability(0, True)
        for outlet in self.bench.outlets:
            outlet.inputs.alarms = []
            outlet.contactor.welded = outlet.contactor.stuck = False
            outlet.meter.failures = 0
            outlet.pilot.script = None
            outlet.pilot.state = A
            if outlet.lock:
                outlet.lock.jammed = False
                outlet.lock.locked = outlet.lock.told
            if outlet.connector.transaction:
                outlet.connector.stop("Other")
        for _ in range(20):
            await self.settle(2)
            self.bench.advance(10)
        self.check_books(True)
        for outlet in self.bench.outlets:
            assert outlet.connector.status == "Available", (outlet.connector.status, outlet.connector.error)
            assert outlet.connector.is_free()

    async def walk(self):
        self.point.load()
        for i in range(ACTIONS):
            await self.act()
            await self.settle(random.choice((1, 1, 2, 6)))
            if i % 10 == 0:
                self.check_books()
        await self.heal()


class WalkTest(unittest.TestCase):
    def setUp(self):
        ramdisk.mount()

    def tearDown(self):
        ramdisk.unmount()

    def test_whatever_happens(self):
        for seed in range(WALKS):
            walk = Walk(seed)
            try:
                asyncio.run(walk.walk())
            except Exception:
                print("seed %d, after" % seed)
                for row in walk.done[-25:]:
                    print("   ", *row)
                print("log:", *walk.bench.log.lines[-8:])
                raise
