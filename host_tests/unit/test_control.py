"""boards/unix/control.py, commands.py, watch.py: the control port over a real socket, before a fake firmware."""

import asyncio
import json
import time
import unittest

import board
import control
import machine
import outlet
import utime
from commands import COMMANDS, PART_CODES
from control import Control
from world import World

LIMIT_MS = 20_000


class FakeApp:
    def __init__(self):
        self.up = []
        self.callback = None
        self.failing = False

    def snapshot(self):
        if self.failing:
            raise RuntimeError("expected here: the fake firmware of test_control.py fails")
        rows = [{"id": 1, "status": "Available", "transaction": None}, {"id": 2, "status": "Charging"}]
        return {"connected": True, "registration": "Accepted", "connectors": rows}

    def watch(self, callback):
        self.callback = callback

    def network(self, up):
        self.up.append(up)


class TestControl(unittest.TestCase):
    def setUp(self):
        self.world = World(2, 3)
        machine.attach(self.world)
        self.app = FakeApp()
        self.control = Control(self.world, self.app)

    def play(self, scenario):
        """Run `await scenario(client)` with a connection to a served control port."""

        async def main():
            self.port = await self.control.listen(0)
            self.control.start()
            client = await self.connect()
            ended = []

            async def guarded():
                try:
                    await scenario(client)
                    ended.append(None)
                except Exception as error:
                    ended.append(error)

            playing = asyncio.create_task(guarded())
            started = utime.ticks_ms()
            # real time, since scenarios move the clock
            while not ended and utime.ticks_diff(utime.ticks_ms(), started) < LIMIT_MS:
                await asyncio.sleep_ms(1)
            playing.cancel()
            self.control.stop()
            await client.close()
            self.assertTrue(ended, "no end within %d ms" % LIMIT_MS)
            if ended[0]:
                raise ended[0]

        asyncio.run(main())

    async def connect(self):
        client = _Client()
        client.reader, client.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return client

    def ask(self, cmd, **arguments):
        """The answer to one command."""
        answers = []

        async def scenario(client):
            answers.append(await client.ask(cmd, **arguments))

        self.play(scenario)
        return answers[0]

    def refused(self, *words, **request):
        cmd = request.pop("cmd")
        answer = self.ask(cmd, **request)
        self.assertIs(answer["ok"], False)
        for word in words:
            self.assertIn(word, answer["error"])

    # --- the line protocol

    def test_ping_with_any_id(self):
        async def scenario(client):
            for number in (7, "seven", None, [1]):
                self.assertEqual(await client.raw({"id": number, "cmd": "ping"}), {"id": number, "ok": True})

        self.play(scenario)

    def test_nonsense_is_answered(self):
        async def scenario(client):
            for line in (b"hello", b"[1]", b"5", b'{"id": 1', b'"x"', b"{}", b'{"cmd": 5}', b'{"cmd": null}', b"\xff"):
                client.writer.write(line + b"\r\n")
                await client.writer.drain()
                answer = await client.line()
                self.assertIs(answer["ok"], False, line)
                self.assertTrue(answer["error"])
            self.assertTrue((await client.ask("ping"))["ok"])

        self.play(scenario)

    def test_many_lines_in_one_piece_and_one_in_many(self):
        async def scenario(client):
            client.writer.write(b"".join([b'{"id": %d, "cmd": "ping"}\n' % i for i in range(50)]))
            await client.writer.drain()
            for i in range(50):
                self.assertEqual(await client.line(), {"id": i, "ok": True})
            for byte in b'{"id": 99, "cmd": "ping"}\n':
                client.writer.write(bytes((byte,)))
                await client.writer.drain()
                await asyncio.sleep_ms(0)
            self.assertEqual((await client.line())["id"], 99)

        self.play(scenario)

    def test_a_line_too_long_ends_the_connection_and_no_other(self):
        async def scenario(client):
            other = await self.connect()
            client.writer.write(b"x" * (control.MAX_LINE + 2000))
            try:
                await client.writer.drain()
                answer = await client.line()
                self.assertIn("65536", answer["error"])
                self.assertEqual(await client.reader.readline(), b"")
            except OSError:
                pass  # the end of the connection can overtake the answer
            self.assertTrue((await other.ask("ping"))["ok"])
            await other.close()

        self.play(scenario)

    def test_too_many_clients(self):
        async def scenario(client):
            others = []
            for _ in range(control.MAX_CLIENTS - 1):
                others.append(await self.connect())
                await others[-1].ask("ping")
            late = await self.connect()
            self.assertIn("16", (await late.line())["error"])
            for other in others + [late]:
                await other.close()
            while len(self.control._clients) > 1:
                await asyncio.sleep_ms(1)
            self.assertTrue((await client.ask("ping"))["ok"])

        self.play(scenario)

    def test_a_failing_firmware_is_told_to_the_client(self):
        self.app.failing = True
        self.refused("fake firmware", cmd="state")

    def test_a_meter_is_turned(self):
        async def scenario(client):
            for change, expected in (({"set_wh": 5000}, 5000), ({"add_wh": -1}, 4999), ({"add_wh": 2}, 5001)):
                self.assertTrue((await client.ask("meter", connector=2, **change))["ok"])
                self.assertEqual(self.world.outlets[1].register_wh, expected)
            self.assertEqual(self.world.outlets[0].register_wh, 0)

        self.play(scenario)

    # --- what is refused, and how

    def test_unknown_command(self):
        self.refused("cmd must be one of", "'fly'", "unplug", cmd="fly")

    def test_missing_and_unknown_arguments(self):
        for cmd, (must, _) in COMMANDS.items():
            if must:
                self.refused(cmd, must[0], "missing", cmd=cmd)
        self.refused("argument", "connector, ev", "'color'", cmd="plug", connector=1, color="red")

    def test_wrong_values(self):
        for word, request in (
            ("connector must be an integer from 1 to 2, got 0", {"cmd": "plug", "connector": 0}),
            ("connector must be an integer from 1 to 2, got 3", {"cmd": "plug", "connector": 3}),
            ("from 0 to 2, got 3", {"cmd": "fault", "connector": 3, "code": "OtherError"}),
            ("got 1.5", {"cmd": "unplug", "connector": 1.5}),
            ("got True", {"cmd": "unplug", "connector": True}),
            ("got '1'", {"cmd": "ev_pause", "connector": "1"}),
            ("ev must be an object", {"cmd": "plug", "connector": 1, "ev": 5}),
            ("ramp_s", {"cmd": "plug", "connector": 1, "ev": {"speed": 1}}),
            ("ev.current_a must be a number from 0 to 80", {"cmd": "plug", "connector": 1, "ev": {"current_a": 81}}),
            ("ev.phases must be an integer from 1 to 3", {"cmd": "plug", "connector": 1, "ev": {"phases": 2.5}}),
            ("ev.ramp_s must be a number", {"cmd": "plug", "connector": 1, "ev": {"ramp_s": None}}),
            ("ev.ventilation must be true or false", {"cmd": "plug", "connector": 1, "ev": {"ventilation": 1}}),
            ("token must be a line of 1 to 64", {"cmd": "swipe", "token": ""}),
            ("token must be", {"cmd": "swipe", "token": "a\nb"}),
            ("connectors must be a list", {"cmd": "swipe", "token": "A", "connectors": 1}),
            ("one of the arguments token and uid", {"cmd": "swipe"}),
            ("one of the arguments token and uid", {"cmd": "swipe", "token": "A", "uid": "01020304"}),
            ("uid must be 4, 7 or 10 bytes in hexadecimal", {"cmd": "swipe", "uid": "0102030405"}),
            ("uid must be", {"cmd": "card_in", "uid": "0102030X"}),
            ("uid must be", {"cmd": "card_in", "uid": 1020304}),
            ("uid: card 01020304 is not in the field", {"cmd": "card_out", "uid": "01020304"}),
            ("card_in: argument uid is missing", {"cmd": "card_in"}),
            ("code must be one of", {"cmd": "fault", "connector": 1, "code": "NoError"}),
            ("on must be true or false", {"cmd": "fault", "connector": 1, "code": "OtherError", "on": 1}),
            ("up must be true or false", {"cmd": "ws", "up": "no"}),
            ("meter: expected one of add_wh, set_wh", {"cmd": "meter", "connector": 1}),
            ("expected one of add_wh, set_wh", {"cmd": "meter", "connector": 1, "add_wh": 1, "set_wh": 1}),
            ("set_wh must be an integer from 0 to", {"cmd": "meter", "connector": 1, "set_wh": -1}),
            ("add_wh must be an integer from -", {"cmd": "meter", "connector": 1, "add_wh": 0.5}),
            ("the register then must be an integer from 0", {"cmd": "meter", "connector": 1, "add_wh": -1}),
            ("s must be a number from 0", {"cmd": "advance", "s": -1}),
            ("part must be one of contactor, lock, meter, reader", {"cmd": "break", "part": "roof", "how": "ok"}),
            ("how must be one of ok, welded, stuck", {"cmd": "break", "part": "contactor", "how": "jammed"}),
            ("pole must be an integer from 1 to 1", {"cmd": "break", "part": "contactor", "how": "ok", "pole": 2}),
            ("a lock has no poles", {"cmd": "break", "part": "lock", "how": "ok", "connector": 1, "pole": 1}),
            ("argument connector is missing", {"cmd": "break", "part": "lock", "how": "jammed"}),
            ("connector 1 has no car", {"cmd": "unplug", "connector": 1}),
            ("connector 1 has no car", {"cmd": "ev_pause", "connector": 1}),
            ("connector 1 has no car", {"cmd": "ev_resume", "connector": 1}),
        ):
            self.refused(word, **request)
        self.assertEqual([row["ev"] for row in self.world.describe()], [None, None])

    # --- what commands do

    def test_plug_and_unplug(self):
        async def scenario(client):
            parameters = {"current_a": 13.5, "phases": 1, "auto_unplug_s": None}
            self.assertEqual(await client.ask("plug", connector=2, ev=parameters), {"id": 1, "ok": True})
            self.assertEqual(self.world.outlets[1].ev.phases, 1)
            self.assertIn("has a car", (await client.ask("plug", connector=2))["error"])
            self.assertTrue((await client.ask("unplug", connector=2))["ok"])
            self.assertIsNone(self.world.outlets[1].ev)

        self.play(scenario)

    def test_swipe(self):
        async def scenario(client):
            await client.ask("swipe", token="ANY")
            await client.ask("swipe", token="ONE", connectors=[1])
            await client.ask("swipe", token="BOTH", connectors=[2, 1])

        self.play(scenario)
        self.assertEqual(bytes(self.world.serial(0).rx), b"ANY\r\nBOTH\r\n")
        self.assertEqual(bytes(self.world.serial(11).rx), b"ONE\r\n")

    def test_contactless_cards(self):
        async def scenario(client):
            await client.ask("swipe", uid="01020304")
            await client.ask("card_in", uid="04a1b2c3d4e5F6", connectors=[2])
            self.assertFalse((await client.ask("card_in", uid="04A1B2C3D4E5F6", connectors=[2]))["ok"])
            self.assertFalse((await client.ask("swipe", uid="04A1B2C3D4E5F6", connectors=[2]))["ok"])
            cards = [[visit.card.uid for visit in chip.field._visits] for chip in self.world.chips]
            self.assertEqual(cards, [[b"\x01\x02\x03\x04"], [], [b"\x04\xa1\xb2\xc3\xd4\xe5\xf6"]])
            self.assertTrue((await client.ask("card_out", uid="04A1B2C3D4E5F6", connectors=[2]))["ok"])
            self.assertFalse((await client.ask("card_out", uid="04A1B2C3D4E5F6", connectors=[2]))["ok"])

        self.play(scenario)

    def test_pause_and_resume(self):
        async def scenario(client):
            await client.ask("plug", connector=1)
            self.world.outlets[0].wave(outlet.PILOT, 1000, 160 * 65535 // 600)
            self.assertEqual(self.world.describe()[0]["pilot"], "C")
            await client.ask("ev_pause", connector=1)
            self.assertEqual(self.world.describe()[0]["pilot"], "B")
            await client.ask("ev_resume", connector=1)
            self.assertEqual(self.world.describe()[0]["pilot"], "C")

        self.play(scenario)

    def test_every_fault_code_on_and_off(self):
        async def scenario(client):
            quiet = self.defects(0)
            for code in outlet.ALARM_CODES + PART_CODES:
                self.assertTrue((await client.ask("fault", connector=1, code=code))["ok"], code)
                self.assertNotEqual(self.defects(0), quiet, code)
                if code != "ReaderFailure":
                    self.assertEqual(self.defects(1), quiet, code)
                self.assertTrue((await client.ask("fault", connector=1, code=code, on=False))["ok"], code)
                self.assertEqual(self.defects(0), quiet, code)
            await client.ask("fault", connector=0, code="EmergencyStop")
            self.assertEqual([one.alarms for one in self.world.outlets], [1, 1])

        self.play(scenario)

    def defects(self, index):
        one = self.world.outlets[index]
        places = (None, (index + 1,))
        readers = [(self.world.reader(place).how, self.world.chip(place).how) for place in places]
        return one.alarms, one.shorted, one.contactor.how, one.lock.how, one.meter.how, readers

    def test_switch_failure_is_the_one_that_shows_at_once(self):
        async def scenario(client):
            await client.ask("fault", connector=1, code="PowerSwitchFailure")
            self.assertEqual(self.world.outlets[0].contactor.how, "welded")
            await client.ask("fault", connector=1, code="PowerSwitchFailure", on=False)
            self.world.outlets[0].drive(outlet.COIL, 1)
            time.advance(100)
            await client.ask("fault", connector=1, code="PowerSwitchFailure")
            self.assertEqual(self.world.outlets[0].contactor.how, "stuck")
            self.assertFalse(self.world.describe()[0]["contactor"])

        self.play(scenario)

    def test_break_each_part(self):
        async def scenario(client):
            for part, how in (("contactor", "welded"), ("lock", "jammed"), ("meter", "corrupt"), ("reader", "silent")):
                self.assertTrue((await client.ask("break", part=part, connector=2, how=how))["ok"])
                self.assertIn(how, str(self.defects(1)))
                self.assertNotIn(how, str(self.defects(0)))
                self.assertTrue((await client.ask("break", part=part, connector=2, how="ok"))["ok"])
                self.assertNotIn(how, str(self.defects(1)))
            await client.ask("break", part="reader", how="silent")
            self.assertEqual((self.world.reader().how, self.world.chip().how), ("silent", "silent"))

        self.play(scenario)

    def test_ws(self):
        self.ask("ws", up=False)
        self.ask("ws", up=True)
        self.assertEqual(self.app.up, [False, True])

    def test_advance_moves_the_clock(self):
        before = time.ticks_ms()
        self.assertTrue(self.ask("advance", s=3600.5)["ok"])
        self.assertGreaterEqual(time.ticks_diff(time.ticks_ms(), before), 3_600_500)

    def test_state_merges_firmware_and_world(self):
        state = self.ask("state")["state"]
        self.assertEqual((state["connected"], state["registration"]), (True, "Accepted"))
        first, second = state["connectors"]
        self.assertEqual((first["id"], first["status"], first["pilot"]), (1, "Available", "F"))
        self.assertIsNone(first["transaction"])
        self.assertEqual((second["status"], second["contactor"], second["energy_wh"]), ("Charging", False, 0))

    # --- watching

    def test_events_of_the_firmware_reach_every_watcher_and_no_other(self):
        async def scenario(client):
            second, idle = await self.connect(), await self.connect()
            self.assertIsNone(self.app.callback)
            await client.ask("watch")
            await second.ask("watch")
            event = {"event": "frame", "dir": "out", "text": '[2,"1","Heartbeat",{}]'}
            self.app.callback(event)
            self.assertEqual(await client.line(), event)
            self.assertEqual(await second.line(), event)
            self.assertEqual(await idle.ask("ping"), {"id": 1, "ok": True})
            for other in (second, idle):
                await other.close()

        self.play(scenario)

    def test_changes_of_the_world(self):
        async def scenario(client):
            self.world.outlets[0].wave(outlet.PILOT, 1000, 160 * 65535 // 600)
            await client.ask("watch")
            await asyncio.sleep_ms(60)  # the first look is what later ones are compared with
            self.world.outlets[0].plug({"current_a": 10})
            event = await client.event("ev")
            self.assertEqual((event["connector"], event["pilot"]), (1, "C"))
            self.world.outlets[0].drive(outlet.COIL, 1)
            event = await client.event("contactor")
            self.assertEqual((event["connector"], event["closed"]), (1, True))
            self.assertTrue(0 <= event["coil_ms"] < event["at_ms"])
            self.assertEqual((await client.event("meter"))["power_w"], 6900)
            self.world.advance(3_600_000)
            event = await client.event("meter")
            self.assertGreaterEqual(event["energy_wh"], 6900)
            self.world.outlets[0].drive(outlet.LOCK, 1)
            event = await client.event("lock")
            self.assertEqual((event["connector"], event["locked"]), (1, True))
            self.world.outlets[0].unplug()
            self.assertIsNone((await client.event("ev"))["ev"])

        self.play(scenario)

    def test_a_long_text_is_cut_and_says_so(self):
        async def scenario(client):
            await client.ask("watch")
            self.app.callback({"event": "frame", "dir": "in", "text": '"' * 60_000})
            event = await client.line()
            self.assertEqual((len(event["text"]), event["cut"]), (control.MAX_TEXT, 60_000))

        self.play(scenario)

    def test_a_watcher_that_does_not_read_is_dropped_and_the_others_go_on(self):
        async def scenario(client):
            slow = await self.connect()
            await slow.ask("watch")
            await client.ask("watch")
            event = {"event": "log", "text": "x" * 2000}
            sent = 0
            while len(self.control._clients) > 1:
                self.app.callback(event)
                self.assertEqual(await client.line(), event)
                sent += 1
                self.assertLess(sent, 20_000)
            await slow.close()
            self.assertTrue((await client.ask("ping"))["ok"])

        self.play(scenario)

    def test_nothing_is_looked_at_once_the_last_watcher_left(self):
        async def scenario(client):
            second = await self.connect()
            await second.ask("watch")
            self.assertTrue(self.control._watch.watched)
            await second.close()
            while self.control._watch.watched:
                await asyncio.sleep_ms(1)
            self.assertTrue((await client.ask("ping"))["ok"])

        self.play(scenario)

    def test_a_port_that_is_taken(self):
        async def scenario(client):
            with self.assertRaises(OSError):
                await Control(self.world, self.app).listen(self.port)

        self.play(scenario)

    def test_board_names_are_there(self):
        for name in ("NAME", "INTERLOCK_PERIOD_MS", "INTERLOCK_HARD", "WATCHDOG_MS"):
            self.assertTrue(hasattr(board, name), name)


class _Client:
    number = 0

    async def line(self):
        return json.loads(await self.reader.readline())

    async def raw(self, request):
        self.writer.write(json.dumps(request).encode() + b"\n")
        await self.writer.drain()
        return await self.line()

    async def ask(self, cmd, **arguments):
        """The answer; events before it are passed over."""
        self.number += 1
        arguments.update({"id": self.number, "cmd": cmd})
        answer = await self.raw(arguments)
        while "event" in answer:
            answer = await self.line()
        return answer

    async def event(self, kind):
        while True:
            event = await self.line()
            if event.get("event") == kind:
                return event

    async def close(self):
        self.writer.close()
        await self.writer.wait_closed()
