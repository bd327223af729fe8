"""The composition root: builds the station's parts, wires them, starts their tasks, feeds the watchdog.

Nothing else builds parts, but `fitter.py` those at the pins. `App(board)` needs of a board what `boards/unix/board.py`
offers; `run()` never returns. `snapshot`, `watch` and `network` are for whoever looks at the station from beside it: a
simulator's control port.
"""

import asyncio
import gc
import sys

from micropython import const

from station import provisioning
from station.charging.authorization import Authorization
from station.charging.cache import Cache
from station.charging.charge_point import ChargePoint
from station.charging.connector import Connector
from station.charging.interlock import together
from station.charging.local_list import LocalList
from station.charging.signals import Signals
from station.charging.thinner import Thinner
from station.charging.transaction import Ledger
from station.clock import Clock
from station.diagnostics import Diagnostics, Report
from station.drivers import system, timer
from station.drivers.ethernet import Ethernet
from station.drivers.watchdog import Watchdog
from station.fitter import Fitter
from station.log import Log
from station.ocpp import websocket
from station.ocpp.backend import Backend
from station.ocpp.dispatch import Dispatcher
from station.ocpp.id_tags import IdTags
from station.ocpp.link import Link
from station.ocpp.outbox import Outbox
from station.ocpp.profiles.core import Core
from station.ocpp.profiles.data_transfer import DataTransfer
from station.ocpp.profiles.firmware_management import FirmwareManagement
from station.ocpp.profiles.local_auth_list import LocalAuthList
from station.ocpp.registration import Registration
from station.ocpp.reporter import Reporter
from station.ocpp.rollback import Rollback
from station.ocpp.shutdown import Shutdown
from station.ocpp.spectators import Spectators, describe
from station.rtc import RealTimeClock
from station.settings import Settings
from station.storage import atomic, conversion, filesystem, secret
from station.storage.card_table import CardTable
from station.storage.cards.card_hash import CardHash
from station.storage.journal import Journal
from station.storage.region import Region
from station.supervisor import Supervisor
from station.update.application import Application
from station.update.firmware_update import FirmwareUpdate
from station.update.health import Health
from station.update.inventory import Inventory
from station.update.slots import Slots
from station.update.transaction import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from station.update.installer import Installer

_LOG_BYTES = const(8192)  # unless the board has another LOG_BYTES
_FEED_MS = const(1000)
_PATIENCE = const(30)  # times _FEED_MS: a connector may wait 21 s for a line on which eight meters are dead
_SETTINGS = filesystem.ROOT + "/settings.json"
_SECRET = filesystem.ROOT + "/secret"
_AVAILABILITY = filesystem.ROOT + "/availability.json"
_BOOTS = filesystem.ROOT + "/boots.json"
_TIME = filesystem.ROOT + "/time.json"
_UPDATE = filesystem.ROOT + "/update.json"
_BASE = filesystem.ROOT + "/base.json"
_DROPPED = filesystem.ROOT + "/dropped.json"


class App:
    """The station on a board. Raises ProvisioningError if the board's provisioning is wrong.

    A board may name vendor extensions, modules whose `extend(app)` is called once all is built. They may use
    `data_transfer` (handlers for the backend's DataTransfer), `backend` (to send one) and `supervisor` (for a task).
    """

    def __init__(self, board) -> None:
        self._board = board
        self._spectators = Spectators()
        self._log = log = Log(getattr(board, "LOG_BYTES", _LOG_BYTES), echo=self._echo)
        self._provisioning = given = provisioning.parse(board.provisioning())
        filesystem.mount(board.filesystem(), log)
        self._slots = Slots(lambda name: Region(*board.region(name)), given.firmware_version, log)
        if not self._slots.on_trial:
            conversion.convert(log)
        self._clock = clock = Clock(_count_boot(log))
        log.clock = clock
        rtc = RealTimeClock(_TIME, log, system.rtc_read, system.rtc_set, given.provisioned_at)
        clock.on_set(lambda: rtc.learn(clock.now()))
        self._settings = settings = Settings(_SETTINGS, log, given.settings, given.connectors, given.phases)
        log.set_level(settings["LogLevel"])
        settings.on_change("LogLevel", log.set_level)
        self.supervisor = Supervisor(log)
        self._installer: "Installer | None" = None
        self._build_charging(board, given)
        self._build_ocpp(board, given)
        self._replay()

    # --- building

    def _build_charging(self, board, given) -> None:
        """Connectors, transactions and cards: what charges, whatever protocol tells of it."""
        log, clock, settings = self._log, self._clock, self._settings
        self._journal = Journal(Region(*board.region("journal")), log)
        self._journal.mount()
        self._ledger = ledger = Ledger(self._journal, clock, log)
        self._thinner = Thinner(self._journal, ledger, log, _DROPPED)
        self._fitter = fitter = Fitter(board, given, log, settings)
        connectors, lamps = [], []
        for i in range(1, given.connectors + 1):
            devices = fitter.devices(i)
            connector = Connector(i, devices, settings, clock, ledger, log, given.max_current_a * 10, given.phases)
            connectors.append(connector)
            lamps.append(fitter.lamp(i))
        self._interlocks = fitter.interlocks
        self._build_cards(board)
        self._authorization = Authorization(
            settings, clock, self._cache, log, self._ask, self._is_online, self._local_list
        )
        self._charge_point = ChargePoint(connectors, self._authorization, settings, clock, ledger, log, _AVAILABILITY)
        self._charge_point.load()
        self._signals = Signals(connectors, lamps, settings, self._is_online)
        self._charge_point.on_card = self._signals.answered

    def _build_cards(self, board) -> None:
        """Local list and cache: worth nothing without the secret by which they name cards."""
        log, settings = self._log, self._settings
        found = secret.load(_SECRET, log)
        key = found or secret.make()
        self._card_hash = CardHash(key)
        journal = Journal(Region(*board.region("cache")), log)
        journal.mount()
        table = CardTable(Region(*board.region("cards")), log)
        table.mount()
        self._cache = Cache(journal, self._card_hash, settings, self._clock, log)
        self._local_list = LocalList(table, self._card_hash, self._cache, settings, log)
        if found:
            self._cache.load()
            return
        if journal.next > 1 or table.version:
            log.error("cards", "their secret is lost: starting with an empty list and an empty cache")
            self._cache.clear()
            self._local_list.forget()
        secret.store(_SECRET, key, log)

    def _build_ocpp(self, board, given) -> None:
        """The operator's backend: one link, and all that speaks over it."""
        log, clock, settings, point = self._log, self._clock, self._settings, self._charge_point
        self._dispatcher = Dispatcher(log)
        self._link = link = Link(
            settings,
            log,
            url=given.url.rstrip("/") + "/" + websocket.quote(given.charge_point_id),
            user=given.charge_point_id if given.password else None,
            password=given.password,
            ca=given.ca.encode() if given.ca else None,
            serve=self._dispatcher.serve,
            stream=self._dispatcher.stream,
            trace=self._spectators.frame,
        )
        self._registration = Registration(link, settings, clock, log, _boot_notification(given, self._slots.version))
        reporter = Reporter(link, point, settings, clock, log, given.phases)
        self._spectators.charge_point = point
        self._spectators.listener = reporter
        point.listener = self._spectators
        id_tags = IdTags(self._card_hash.parent)
        self._ethernet = Ethernet(board.network(), log)
        self._ethernet.on_up = link.nudge
        self._outbox = Outbox(
            self._journal, link, point, self._authorization, settings, clock, log, given.phases, id_tags
        )
        self._ledger.on_append = self._outbox.appended
        self._ledger.on_renewed = self._outbox.renewed
        self._thinner.on_thinned = self._outbox.thinned
        self.backend = Backend(link, self._registration, reporter, self._outbox, id_tags, log)
        self._shutdown = Shutdown(point, self.backend, self._outbox, self._cache, link, system.reset, log)
        self.data_transfer = DataTransfer()
        core = Core(point, settings, self._cache, self._shutdown.request, self._registration, log)
        self._dispatcher.admit = self._registration.admits
        self._dispatcher.add(core.handlers())
        self._dispatcher.add(self.data_transfer.handlers())
        lists = LocalAuthList(self._local_list, id_tags)
        self._dispatcher.add(lists.handlers())
        self._dispatcher.add_streams(lists.streams())
        for name in getattr(board, "EXTENSIONS", ()):
            __import__(name)
            sys.modules[name].extend(self)
        settings.provide("LocalAuthListMaxLength", lambda: self._local_list.max_length)
        settings.provide("JournalDepth", lambda: self._outbox.depth)
        settings.provide("JournalOldest", self._outbox.oldest)
        settings.provide("JournalDropped", lambda: self._ledger.dropped)
        self._build_update()

    def _build_update(self) -> None:
        """The components and their updates, what is told of them, the application's way back by hand, its trial."""
        slots, point = self._slots, self._charge_point
        self._build_components()
        self._firmware = firmware = FirmwareManagement(self._link, self._log)
        self._diagnostics = Diagnostics(
            self._file_name, self._report, self._upload, firmware.tell_diagnostics, self._log
        )
        self._update = FirmwareUpdate(
            _UPDATE,
            slots,
            self._transaction,
            point,
            self._settings,
            self._clock,
            self._make_installer,
            self._make_download,
            self._is_online,
            firmware.tell,
            firmware.is_told,
            self._log,
        )
        firmware.request = self._update.request
        firmware.send_diagnostics = self._diagnostics.request
        self._dispatcher.add(firmware.handlers())
        rollback = Rollback(slots, point, self._update, self._shutdown.request, self._log)
        self.data_transfer.register(rollback.VENDOR, rollback.MESSAGE, rollback.serve)
        self._settings.provide("UpdateState", self._update.told)
        self._settings.provide("ApplicationFallback", slots.told_fallback)
        self._settings.provide("ApplicationSlot", lambda: slots.running + (" (on trial)" if slots.on_trial else ""))
        self._settings.provide("ApplicationVersion", lambda: slots.version)
        if slots.fallen_back:
            self._log.error("slots", "%s did not stay: %s", *slots.fallen_back)

    def _build_components(self) -> None:
        """What the station consists of, and the transaction that updates it."""
        log, given, point = self._log, self._provisioning, self._charge_point
        self._health = Health(self._is_online, lambda: point.is_well)
        components: "dict[str, Any]" = {}
        own = Application(self._slots, given.update_vendor, given.update_class, self._health.now)
        components[own.name] = own
        if hasattr(self._board, "base_places") and self._slots.available:
            from station.update.base import Base

            base = Base(self._board.base_places(), given.update_vendor, given.update_class, _BASE, log)
            components[base.name] = base
        for name, row in given.components.items():
            components[name] = self._fitter.component(name, row)
        self._components = components
        journal = None
        if self._slots.available:  # else there are no updates, and no region for their journal
            journal = Journal(Region(*self._board.region("update")), log)
            journal.mount()
        self._transaction = Transaction(
            journal, components, self._health, lambda: self._shutdown.request("Soft"), self._settings, log
        )
        self._inventory = Inventory(components, log)
        self._transaction.on_end = self._inventory.changed
        self._settings.provide("ComponentVersions", self._inventory.told)

    def _make_installer(self):
        """Takes its memory at the first update, and keeps it."""
        from station.update.installer import Installer

        keys = self._provisioning.update_keys
        if not keys or not self._slots.available:
            raise OSError("no slots on this board" if keys else "no update.keys in the provisioning")
        if self._installer is None:
            self._installer = Installer(self._components, self._inventory, keys, self._make_download, self._log)
        return self._installer

    def _make_download(self, location: str):
        from station.transfer.download import Download

        return Download(location, self._file_ca())

    def _file_ca(self) -> "bytes | None":
        """Whom to trust where files come from and go to."""
        ca = self._provisioning.update_ca or self._provisioning.ca
        return ca.encode() if ca else None

    def _file_name(self) -> str:
        """Of diagnostics that are asked for now."""
        return "diagnostics-%s-%s.log" % (self._provisioning.serial, self._now().replace(":", ""))

    def _now(self) -> str:
        """As the log writes it."""
        clock = self._clock
        return clock.iso(clock.now()) if clock.is_set else "+%ds" % clock.uptime()

    def _report(self, since: str, until: str) -> Report:
        given = self._provisioning
        head = (
            ("time", self._now()),
            ("station", "%s %s %s" % (given.vendor, given.model, given.serial)),
            ("charge point", given.charge_point_id),
            ("uptime", "%d s" % self._clock.uptime()),
            ("heap in use", "%d bytes" % gc.mem_alloc()),
            ("restarted tasks", self.supervisor.restarts),
            ("connectors", [describe(connector) for connector in self._charge_point.connectors]),
        )
        return Report(head, self._settings, self._log, since, until)

    async def _upload(self, location: str, name: str, read) -> None:
        from station.transfer.upload import upload

        await upload(location, self._file_ca(), name, read)

    def _replay(self) -> None:
        """Read the journal of the lives before: what is still to be told, and which transaction was cut off."""
        for seq, kind, payload in self._journal.records(self._journal.oldest):
            self._ledger.replay(seq, kind, payload)
            self._outbox.replay(seq, kind, payload)
        self._ledger.recover()

    # --- running

    async def run(self) -> None:
        """Start every task, then feed the watchdog for ever while all are well. All contacts open when this ends."""
        try:
            await self._run()
        finally:
            for interlock in self._interlocks:
                interlock.open()

    async def _run(self) -> None:
        board = self._board
        step = together(self._interlocks)
        ticking = timer.every(board.INTERLOCK_PERIOD_MS, step, board.INTERLOCK_HARD, board.INTERLOCK_TIMER)
        # from here on, so that a start which hangs ends in a reset, too
        feeding = asyncio.create_task(self._feed(ticking))
        try:
            await self._start()
            await feeding
        finally:
            feeding.cancel()

    async def _start(self) -> None:
        """Start every task; the backend's once each connector has looked at its cable."""
        board, start = self._board, self.supervisor.start
        await board.started(self)
        for connector in self._charge_point.connectors:
            self.supervisor.start_critical("connector %d" % connector.connector_id, connector.run, _PATIENCE)
        self.supervisor.start_critical("charge point", self._charge_point.run, _PATIENCE)
        start("remote start", self._charge_point.serve_remote)
        start("signals", self._signals.run)
        for row in board.readers():
            name, reader = self._fitter.reader(row)
            self._charge_point.readers.append(reader)
            start("reader " + name, _card_task(self._charge_point, reader, tuple(row["connectors"])))
        for connector in self._charge_point.connectors:
            await connector.looked.wait()  # so that no backend is told of a cable that only seems to be out
        start("ethernet", self._ethernet.run)
        start("link", self._connect)
        start("introduce", self.backend.introduce)
        start("heartbeats", self.backend.heartbeats)
        start("report", self.backend.report)
        start("deliver", self.backend.deliver)
        start("cache", self._cache.run)
        start("local list", self._local_list.run)
        start("thinner", self._thinner.run)
        start("shutdown", self._shutdown.run)
        start("firmware", lambda: self.backend.while_online(self._firmware.run))
        start("components", self._inventory.run)
        start("update", self._update.run)
        start("diagnostics", self._diagnostics.run)
        if self._slots.on_trial:
            start("probation", self._prove)

    async def _feed(self, ticking) -> None:
        """Feed the watchdog while every critical task reports in and every interlock passes; keeps the timer alive."""
        watchdog = Watchdog(self._board.WATCHDOG_MS)
        passes = [-1] * len(self._interlocks)
        while True:
            now = [interlock.passes for interlock in self._interlocks]
            if self.supervisor.healthy() and all([new != old for new, old in zip(now, passes)]):
                watchdog.feed()
            passes = now
            await asyncio.sleep_ms(_FEED_MS)

    async def _connect(self) -> None:
        await self._ethernet.up()  # without a cable there is nothing to try, and no back-off to grow
        await self._link.run()

    async def _prove(self) -> None:
        from station.update.probation import Probation  # takes its memory only where it is needed

        probation = Probation(
            self._slots,
            self.supervisor,
            self._settings,
            self._health,
            self._update.proven,
            lambda: self._settings["FirmwareProbation"] * (1 + 2 * len(self._components)),
            system.reset,
            self._log,
        )
        await probation.run()

    def _ask(self, id_tag: str):
        return self.backend.authorize(id_tag)

    def _is_online(self) -> bool:
        return self.backend.is_online

    # --- for whoever looks on

    def _echo(self, line: str) -> None:
        print(line, file=sys.stderr)
        self._spectators.line(line)

    def watch(self, callback) -> None:
        """`callback(event)` is called with each status, OCPP frame and line of the log: see `ocpp/spectators.py`."""
        self._spectators.add(callback)

    def network(self, up: bool) -> None:
        """Take the backend's network away, or give it back."""
        if up:
            self._link.release()
        else:
            self._link.hold()

    def snapshot(self) -> dict:
        """What the firmware thinks of itself now. Collects garbage, so that `heap_bytes` is what is in use."""
        gc.collect()
        return {
            "heap_bytes": gc.mem_alloc(),
            "connected": self._link.connected,
            "registration": self._registration.state,
            "online": self.backend.is_online,
            "clock": self._clock.iso(self._clock.now()) if self._clock.is_set else None,
            "restarts": self.supervisor.restarts,
            "journal_depth": self._outbox.depth,
            "connectors": [self._describe(connector) for connector in self._charge_point.connectors],
        }

    def _describe(self, connector: Connector) -> dict:
        row = describe(connector)
        row["id"] = connector.connector_id
        return row


def _count_boot(log) -> int:
    """The number of this boot; it names the uptimes of records made before the clock is set."""
    boots = atomic.load_json(_BOOTS, log)
    boots = boots + 1 if isinstance(boots, int) else 1
    try:
        atomic.replace_json(_BOOTS, boots)
    except OSError as error:
        log.error("storage", "the boot cannot be counted: %s", error)
    return boots


def _boot_notification(given, version: str) -> dict:
    """OCPP 1.6 §6.3"""
    return {
        "chargePointVendor": given.vendor,
        "chargePointModel": given.model,
        "chargePointSerialNumber": given.serial,
        "firmwareVersion": version,
    }


def _card_task(charge_point, reader, connector_ids: tuple):
    async def run():
        await charge_point.serve_reader(reader, connector_ids)

    return run
