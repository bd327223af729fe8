"""One connector's life: cable, card, contact, transaction, as IEC 61851-1 and OCPP 1.6 §4.9 tell it.

`run()` calls `step()` twenty times a second. A step looks at the cable and the faults, begins the transaction
that was granted, watches over the one that runs, reads the meter when it is due and tells the listener when the
status has changed. Whatever takes away the leave to charge opens the contact first and is reported afterwards;
between two steps, and whatever a step waits for, the interlock watches alone.

The verbs for others: `grant` (a card or a remote start is authorized), `withdraw`, `stop`, `unlock`,
`set_operative`, `release_cable`.
"""

import asyncio

from micropython import const

from station import measurands
from station.charging import faults, metering, status
from station.charging import interlock as pilot
from station.charging.authorization import same_id_tag
from station.charging.plausibility import Register
from station.storage.journal import JournalFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from station.charging.charge_point import ChargePoint
    from station.charging.faults import Faults
    from station.charging.interlock import Interlock
    from station.charging.transaction import Ledger, Transaction
    from station.clock import Clock
    from station.log import Log
    from station.settings import Settings

_STEP_MS = const(50)
_LOCK_WAIT_S = const(2)  # for the lock to report that it is locked
_UNLOCK_WAIT_MS = const(2000)  # for a transaction to end, and again for the lock to open
_EV_WAIT_S = const(1)  # a car that asks for energy within this was never SuspendedEV
_METER_IDLE_S = const(10)  # without a transaction the meter is read this often, to notice that it died
_METER_BUSY_S = const(1)
_METER_DEAD_S = const(5)  # while it is charged without a meter: each try holds the connector's other duties up
_METER_FAILURES = const(3)  # in a row, each after the driver's own retries
_STORE_AGAIN_S = const(5)  # after the flash refused the end of a transaction


class Grant:
    """Leave to begin a transaction: a card's or a remote start's. `deadline`: uptime in s."""

    def __init__(self, id_tag: str, parent_id_tag: "str | None", deadline: int) -> None:
        self.id_tag = id_tag
        self.parent_id_tag = parent_id_tag
        self.deadline = deadline


class Devices:
    """What a connector drives; `lock` is None where the cable is fixed."""

    def __init__(self, interlock: "Interlock", pilot_line: "Any", meter: "Any", lock: "Any", faults: "Faults") -> None:
        self.interlock = interlock
        self.pilot = pilot_line
        self.meter = meter
        self.lock = lock
        self.faults = faults


class Connector:
    """See above. `current_da` is what may be offered to a car, in 0.1 A, on so many phases."""

    def __init__(
        self,
        connector_id: int,
        devices: Devices,
        settings: "Settings",
        clock: "Clock",
        ledger: "Ledger",
        log: "Log",
        current_da: int,
        phases: int,
    ) -> None:
        self.connector_id = connector_id
        self._interlock = devices.interlock
        self._pilot = devices.pilot
        self._meter = devices.meter
        self._lock = devices.lock
        self._faults = devices.faults
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._log = log
        self._current_da = current_da
        self._phases = phases
        self._schedule = metering.Schedule(settings, clock)
        self._register = Register(current_da, phases)
        self._locking_since = -1  # uptime at which the lock was told to lock, -1: not waiting for it
        self._stopping: tuple[str, str | None] = None  # (reason, id_tag) of a stop that is asked for
        self._patient_until = 0  # uptime until which a car that has not asked for energy yet is Preparing
        self._store_at = 0  # uptime at which an end that the flash refused is stored again, 0: it was not refused
        self._supplying = False  # are the coils on, as of the latest step?
        self._tripped = False  # an alarm contact opened the coils, and the car still waits for them
        self._spent = False  # an invalid card's allowance is used up, and the transaction goes on without energy
        self._kept_for: str = None  # the card that may take a cable which stayed locked
        self._meter_at = -_METER_IDLE_S
        self._meter_failures = 0
        self._interlock_failures = 0  # that the log has heard of
        self._told: tuple = None
        self.listener: ChargePoint = (
            None  # status_changed(connector), aligned(connector, stamp, measurement), store_full()
        )
        self.looked = asyncio.Event()  # the first look at the cable is taken: the status is no guess
        self.grant_held: Grant = None
        self.plugged = False
        self.plugged_at = 0
        self.finished = False  # a transaction has ended and its cable is still in
        self.operative = True
        self.transaction: Transaction = None
        self.measurement: tuple[int, ...] = None  # the newest one

    # --- what others ask

    @property
    def status(self) -> str:
        """The ChargePointStatus of OCPP 1.6 §7.7."""
        if self._faults.any():
            return status.FAULTED
        if self.transaction:
            return self._status_in_transaction()
        if not self.operative:
            return status.UNAVAILABLE
        if self.grant_held:
            return status.PREPARING
        if self._kept_for is not None:  # the cable waits for its owner's card
            return status.FINISHING
        if self.plugged:
            return status.FINISHING if self.finished else status.PREPARING
        return status.AVAILABLE

    def _status_in_transaction(self) -> str:
        if self._spent:
            return status.SUSPENDED_EVSE
        if self._supplying:
            return status.CHARGING
        if self.plugged and self._clock.uptime() <= self._patient_until:
            return status.PREPARING
        if self._interlock.state == pilot.D:  # it asks for energy that this place may not give
            return status.SUSPENDED_EVSE
        if self._tripped:
            return status.SUSPENDED_EVSE
        return status.SUSPENDED_EV

    @property
    def error(self) -> "tuple[str, str, str]":
        """(errorCode, info, vendorErrorCode)"""
        return self._faults.first()

    @property
    def has_lock(self) -> bool:
        return self._lock is not None

    def is_free(self) -> bool:
        """Could a transaction be granted here?"""
        taken = self.transaction or self.grant_held or self._kept_for is not None
        return self.operative and not (taken or self._faults.any())

    # --- what others tell

    def grant(self, grant: Grant) -> None:
        """A card or a remote start is authorized for this connector."""
        self.grant_held = grant

    def withdraw(self) -> None:
        """Take back a grant that began no transaction, and free the cable that was locked for it."""
        if self.grant_held and not self.transaction:
            self._unlock_unless_kept()
        self.grant_held = None
        self._locking_since = -1

    def stop(self, reason: str, id_tag: "str | None" = None) -> None:
        """Open the contact now and end the transaction in the next step; the first reason given counts."""
        self._interlock.open()
        if self.transaction and not self._stopping:
            self._stopping = (reason, id_tag)

    def set_operative(self, operative: bool) -> None:
        """The availability now in force (OCPP 1.6 §5.2)."""
        self.operative = operative
        if not operative:
            self.withdraw()

    def release_cable(self, id_tag: str) -> bool:
        """Its owner's card gives back a cable that stayed locked; True if it was this card's."""
        if not same_id_tag(self._kept_for, id_tag):
            return False
        self._kept_for = None
        self._lock.unlock()
        return True

    async def unlock(self) -> bool:
        """Unlock the cable, ending a transaction with UnlockCommand first (OCPP 1.6 §5.18). Did it unlock?"""
        self.stop("UnlockCommand")
        await self._wait_until(lambda: self.transaction is None)
        self.withdraw()
        self._kept_for = None
        self._lock.unlock()
        await self._wait_until(lambda: not self._lock.is_locked())
        return not self._lock.is_locked()

    async def _wait_until(self, condition) -> None:
        waited = 0
        while not condition() and waited < _UNLOCK_WAIT_MS:
            await asyncio.sleep_ms(_STEP_MS)
            waited += _STEP_MS

    # --- the step

    async def run(self, report: "Callable[[], None]") -> None:
        """The connector's task; `report()` says that it still goes round.

        It begins with the cable free: what was locked before a restart is over.
        """
        if self._lock and not self.transaction:
            self._lock.unlock()
        while not self._interlock.is_settled():
            await asyncio.sleep_ms(_STEP_MS)
        while True:
            await self.step()
            report()
            self.looked.set()
            await asyncio.sleep_ms(_STEP_MS)

    async def step(self) -> None:
        self._see_cable()
        self._faults.update()
        self._faults.tolerated = self._tolerated()
        if self.transaction:
            await self._watch_transaction()
        elif self.grant_held:
            await self._follow_grant()
        await self._read_when_due()
        self._supplying = self._interlock.supplies
        waits = self._interlock.state >= pilot.C and not self._supplying
        self._tripped = waits and (self._tripped or self._faults.holds_open())
        self.tell()

    def _hear_interlock(self) -> None:
        """It cannot log what it met within an interrupt."""
        if self._interlock.failures != self._interlock_failures:
            self._interlock_failures = self._interlock.failures
            self._log.error("interlock", "%d: a device failed within a pass; opened", self.connector_id)

    def tell(self) -> None:
        """Tell the listener if what it was told last is no longer so."""
        now = (self.status, self.error)
        if now != self._told:
            self._told = now
            self.listener.status_changed(self)

    def _see_cable(self) -> None:
        state = self._interlock.state
        if state == pilot.A and self.plugged:
            self.plugged = False
            self.finished = False
            self._pilot.offer(0)
            self._interlock.clear()
            self._faults.unplugged()
            if not self.transaction:
                self._free_socket()
        elif state == pilot.A and self._faults.any():
            self._faults.unplugged()  # what came without a cable does not wait for one
        elif (pilot.B <= state <= pilot.D or state == pilot.NO_DIODE) and not self.plugged:
            self.plugged = True
            self.plugged_at = self._clock.uptime()

    def _free_socket(self) -> None:
        """The car has gone: no lock waits for its cable any more; one that was kept is let go if the key says so."""
        self._locking_since = -1
        if self._settings["UnlockConnectorOnEVSideDisconnect"]:
            self._kept_for = None
        self._unlock_unless_kept()

    # --- before a transaction

    async def _follow_grant(self) -> None:
        if self._faults.any():
            self.withdraw()
        elif self.plugged:
            if self._lock_holds():
                await self._begin(self.grant_held)
        elif self._clock.uptime() >= self.grant_held.deadline:
            self._log.info("connector", "%d: no cable within ConnectionTimeOut", self.connector_id)
            self.withdraw()

    def _lock_holds(self) -> bool:
        """Lock the cable if there is a lock; no energy without it. A lock that stays open is a fault."""
        if self._lock is None or self._lock.is_locked():
            self._locking_since = -1
            return True
        now = self._clock.uptime()
        if self._locking_since < 0:
            self._locking_since = now
            self._lock.lock()
        elif now - self._locking_since > _LOCK_WAIT_S:
            self._locking_since = -1
            self._lock.unlock()
            self._faults.add("LockFailure")
            self.withdraw()
        return False

    async def _begin(self, grant: Grant) -> None:
        known = await self._read() or self._goes_without_meter()
        if not known or self.grant_held is not grant:  # it may be taken back while the meter is read
            return
        try:
            self.transaction = self._ledger.start(
                self.connector_id, grant.id_tag, grant.parent_id_tag, self.measurement[measurands.ENERGY]
            )
        except (JournalFull, OSError) as error:
            self._log.error("connector", "%d: no transaction can begin: %s", self.connector_id, error)
            self.listener.store_full()
        else:
            self.finished = False
            self._patient_until = self._clock.uptime() + _EV_WAIT_S
            self._schedule.begin()
            self._record(metering.BEGIN, "", self._settings["StopTxnSampledData"])
        self.withdraw()

    # --- within a transaction

    async def _watch_transaction(self) -> None:
        if self._faults.any():
            self.stop("EmergencyStop" if self._faults.has("EmergencyStop") else "Other")
        elif not self.plugged:
            self._miss_car()
        elif not self.transaction.accepted:
            self._limit_invalid()
        if self._stopping:
            await self._end(*self._stopping)
        else:
            self._supply()

    def _miss_car(self) -> None:
        """The car's side was unplugged (OCPP 1.6 §4.10): the end, or a pause during which the cable stays locked."""
        if self._settings["StopTransactionOnEVSideDisconnect"]:
            self.stop("EVDisconnected")

    def _limit_invalid(self) -> None:
        """The backend did not accept the card in StartTransaction.conf (OCPP 1.6 §4.8).

        It may still have what MaxEnergyOnInvalidId grants, counted from the transaction's start; then the
        transaction ends, or goes on without energy, as StopTransactionOnInvalidId says.
        """
        used = self.measurement[measurands.ENERGY] - self.transaction.meter_start
        measured = not (self._faults.has("MeterSilent") or self._faults.has("MeterImplausible"))
        if measured and used < self._settings["MaxEnergyOnInvalidId"]:
            return
        if self._settings["StopTransactionOnInvalidId"]:
            self.stop("DeAuthorized")
        else:
            self._spent = True

    def _supply(self) -> None:
        """Offer current, and close the contact when the car asks for it."""
        if self._spent or not self.plugged or not self._lock_holds():
            self._pilot.offer(0)
            self._interlock.open()
            return
        self._pilot.offer(self._current_da)
        if self._interlock.supplies:
            self._patient_until = -1
        elif not self._interlock.wanted:
            self._interlock.close()

    async def _end(self, reason: str, id_tag: "str | None") -> None:
        """Write the end of the transaction. If the flash refuses, a later step tries again."""
        self._interlock.open()
        self._pilot.offer(0)
        if self._clock.uptime() < self._store_at:
            return
        if not self._store_at and await self._read():
            self._record(metering.END, "", self._settings["StopTxnSampledData"])
        transaction = self.transaction
        meter_wh = max(transaction.last_meter, self.measurement[measurands.ENERGY])
        try:
            self._ledger.stop(transaction, meter_wh, reason, id_tag)
        except (JournalFull, OSError) as error:
            self._log.error("connector", "%d: the end cannot be stored yet: %s", self.connector_id, error)
            self._store_at = self._clock.uptime() + _STORE_AGAIN_S
            return
        self._store_at = 0
        self.transaction = None
        self._stopping = None
        self._spent = False
        self.finished = self.plugged
        self._kept_for = transaction.id_tag if self._keeps_cable(reason) else None
        self._unlock_unless_kept()
        self.listener.transaction_ended(self)

    def _keeps_cable(self, reason: str) -> bool:
        """After DeAuthorized (§4.8), and after a pull at the car's side if the key says so, for its owner."""
        if self._lock is None:
            return False
        if reason == "EVDisconnected":
            return not self._settings["UnlockConnectorOnEVSideDisconnect"]
        return reason == "DeAuthorized"

    def _unlock_unless_kept(self) -> None:
        if self._lock and self._kept_for is None:
            self._lock.unlock()

    # --- readings

    async def _read(self) -> bool:
        """Read the meter into `measurement`; a meter that does not answer several times is a fault."""
        self._meter_at = self._clock.uptime()
        try:
            measurement = await self._meter.read()
        except OSError as error:
            self._meter_failures += 1
            self._log.warning("connector", "%d: energy meter: %s", self.connector_id, error)
            if self._meter_failures >= _METER_FAILURES:
                self._faults.add("MeterSilent")
            return False
        self._meter_failures = 0
        self._faults.remove("MeterSilent")
        self.measurement = (self._plausible(measurement[measurands.ENERGY]),) + measurement[1:] + (self._pilot.offered,)
        return True

    def _plausible(self, wh: int) -> int:
        """The energy that counts. A register that cannot be right is a fault within a transaction, else only logged."""
        bound = self.transaction is not None
        counts, wrong = self._register.judge(wh, self._meter_at, self._clock.uptime(), bound)
        known = self._faults.has("MeterImplausible")
        if wrong and not (bound and known):
            self._log.warning("connector", "%d: energy meter: %s", self.connector_id, wrong)
        if bound and not wrong:
            self._faults.remove("MeterImplausible")
        elif bound and self.plugged:  # it stays until the cable is out
            self._faults.add("MeterImplausible")
        return counts

    def _tolerated(self) -> "tuple[str, ...]":
        """The faults of the meter with which charging goes on, as MeterFailurePolicy says.

        Stop: none, the transaction ends. Finish: the one that runs goes on by the last known register, no other
        begins. Continue: others begin, too, for places where nobody is billed by the Wh.
        """
        policy = self._settings["MeterFailurePolicy"]
        if (policy == "Finish" and self.transaction) or (policy == "Continue" and self.measurement):
            return faults.METER
        return ()

    async def _read_when_due(self) -> None:
        """The intervals of MeterValueSampleInterval and ClockAlignedDataInterval (OCPP 1.6 §4.7, §9.1)."""
        sampled = self.transaction is not None and self._schedule.sample_due()
        aligned = self._schedule.aligned_due()
        pause = self._meter_pause()
        if not (sampled or aligned or self._clock.uptime() - self._meter_at >= pause):
            return
        if not await self._read():
            return
        if sampled:
            self._record(
                metering.PERIODIC,
                self._settings["MeterValuesSampledData"],
                self._settings["StopTxnSampledData"],
            )
        if aligned and self.transaction:
            self._record(metering.CLOCK, self._settings["MeterValuesAlignedData"], self._settings["StopTxnAlignedData"])
        elif aligned:
            self.listener.aligned(self)

    def _goes_without_meter(self) -> bool:
        return self._faults.has("MeterSilent") and not self._faults.any()

    def _meter_pause(self) -> int:
        if self._goes_without_meter():
            return _METER_DEAD_S
        return _METER_BUSY_S if self.transaction or self._meter_failures else _METER_IDLE_S

    def _record(self, context: int, names: str, stop_names: str) -> None:
        mask = measurands.mask_of(names, self._phases)
        stop_mask = measurands.mask_of(stop_names, self._phases)
        try:
            kept = self._ledger.reading(self.transaction, context, self.measurement, mask, stop_mask)
        except OSError as error:
            self._log.error("connector", "%d: a reading is lost: %s", self.connector_id, error)
        except JournalFull:
            self.listener.store_full()
        else:
            if not kept:
                self.listener.store_full()
