"""One connection of a station to the backend of `tools.backend`, on the `ocpp` library's ChargePoint.

The library validates, dispatches and answers; added here: every frame goes into the transcript, scripted
answers take precedence, and what the station does against OCPP-J or a schema is kept as a violation.
"""

import asyncio
import contextlib
import inspect
import logging
import uuid

import ocpp.v16
from ocpp import charge_point, exceptions
from ocpp.messages import Call, validate_payload
from ocpp.routing import on
from ocpp.v16 import call_result
from websockets.exceptions import ConnectionClosed

from tools.frames import CALL, CSMS, ERROR, STATION

VERSION = "1.6"
SILENCE = object()  # as an answer: none at all

# What the libraries log (tracebacks of everything a test provokes) is in the transcript already.
QUIET = logging.getLogger("ladepunkt.backend")
QUIET.setLevel(logging.CRITICAL + 1)


class Unchecked:
    """Wraps a scripted answer that shall go out although the schema forbids it."""

    def __init__(self, payload):
        self.payload = payload


class CallFailed(Exception):
    """The station answered a CALL with a CALLERROR: `code`, `description`, `details`."""

    def __init__(self, action, code, description, details):
        super().__init__(f"{action}: {code}: {description} {details}")
        self.code, self.description, self.details = code, description, details


class Connection(ocpp.v16.ChargePoint):
    """The library's ChargePoint, which also records, counts and obeys the scripts of its `Csms`."""

    def __init__(self, csms, socket):
        super().__init__(
            socket.request.path.rpartition("/")[2], socket, response_timeout=csms.answer_timeout, logger=QUIET
        )
        self.csms, self.socket = csms, socket
        self.path, self.headers = socket.request.path, socket.request.headers
        self.open = True
        self._asked = set()  # unique ids of our CALLs
        self._seen = set()  # unique ids of the station's CALLs
        self._unanswered = None  # the station's CALL that is being answered without a script
        self._calls = asyncio.Queue()

    @property
    def code(self):
        """The close code, 1006 if there was no close frame, None while open."""
        return self.socket.close_code

    @property
    def reason(self):
        """The close reason."""
        return self.socket.close_reason

    def thaw(self):
        """Undoes `Csms.freeze`."""
        with contextlib.suppress(RuntimeError):
            self.socket.transport.resume_reading()

    async def run(self):
        """Serves until the connection ends.

        CALLs are answered in order, by a task of their own: an answer that a script holds back must not hold
        back the answers to our own CALLs.
        """
        worker = asyncio.create_task(self._answer_calls())
        try:
            async for text in self.socket:
                await self._received(text)
        except ConnectionClosed:
            pass
        finally:
            self.open = False
            worker.cancel()

    async def _received(self, text):
        frame = self.csms.transcript.add(text, STATION)
        if frame.kind is None:
            self._violation("no OCPP-J message", text)
        elif frame.kind == CALL:
            if self._unanswered:
                self._violation("a CALL while another is unanswered (OCPP-J §4.1.1)", text)
            if frame.unique_id in self._seen:
                self._violation("a unique id used twice (OCPP-J §4.1.4)", text)
            self._seen.add(frame.unique_id)
            script = self.csms.scripted(frame.action)
            self._unanswered = frame.unique_id if script is None else None
            self._calls.put_nowait((frame, script))
        elif frame.unique_id in self._asked:
            await self.route_message(text)

    async def _answer_calls(self):
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame, script = await self._calls.get()
                try:
                    await self._answer_call(frame, script)
                except exceptions.OCPPError as error:
                    self._violation(_reason(error), frame.text)
                    await self._send(_call(frame).create_call_error(error).to_json())

    async def _answer_call(self, frame, answer):
        try:
            while callable(answer):
                answer = answer(frame)
                if inspect.isawaitable(answer):
                    answer = await answer
        except exceptions.OCPPError as error:
            answer = error
        except Exception as error:
            self._violation(f"the script failed ({error!r}) at", frame.text)
            answer = None
        if answer is None:
            await self.route_message(frame.text)
            return
        call = _call(frame)
        await validate_payload(call, VERSION)
        if answer is SILENCE:
            return
        if isinstance(answer, exceptions.OCPPError):
            reply = call.create_call_error(answer)
        elif isinstance(answer, Unchecked):
            reply = call.create_call_result(answer.payload)
        else:
            reply = call.create_call_result(answer)
            await validate_payload(reply, VERSION)
        await self._send(reply.to_json())

    async def _handle_call(self, msg):
        try:
            return await super()._handle_call(msg)
        except exceptions.OCPPError as error:
            self._violation(_reason(error), msg.to_json())
            raise

    async def _send(self, message):
        await self.send(message)

    async def send(self, text):
        """Records and sends one message."""
        frame = self.csms.transcript.add(text, CSMS)
        if frame.kind != CALL and frame.unique_id == self._unanswered:
            self._unanswered = None
        await self.socket.send(text)

    async def ask(self, action, payload):
        """See `Csms.call`."""
        request = getattr(ocpp.v16.call, action)(**charge_point.camel_to_snake_case(payload))
        unique_id = str(uuid.uuid4())
        self._asked.add(unique_id)
        call = asyncio.ensure_future(self.call(request, unique_id=unique_id))
        closed = asyncio.ensure_future(self.socket.wait_closed())
        try:
            await asyncio.wait((call, closed), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise ConnectionError(f"the connection ended before {action} was answered")
            await call
        finally:
            self._asked.discard(unique_id)
            call.cancel()
            closed.cancel()
        frame = await self.csms.transcript.answer_to(unique_id)
        if frame.kind == ERROR:
            raise CallFailed(action, **frame.payload)
        return frame.payload

    def _violation(self, what, text):
        self.csms.violations.append(f"{what}: {text}")

    # --- what a backend answers of itself

    @on("BootNotification")
    def on_boot_notification(self, **_):
        return call_result.BootNotification(self.csms.now(), self.csms.interval, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_):
        return call_result.Heartbeat(self.csms.now())

    @on("StatusNotification")
    def on_status_notification(self, **_):
        return call_result.StatusNotification()

    @on("Authorize")
    def on_authorize(self, id_tag, **_):
        return call_result.Authorize(self.csms.id_tag_info(id_tag))

    @on("StartTransaction")
    def on_start_transaction(self, id_tag, **_):
        number = self.csms.next_transaction
        self.csms.next_transaction += 1
        return call_result.StartTransaction(number, self.csms.id_tag_info(id_tag))

    @on("MeterValues")
    def on_meter_values(self, **_):
        return call_result.MeterValues()

    @on("StopTransaction")
    def on_stop_transaction(self, id_tag=None, **_):
        return call_result.StopTransaction(id_tag and self.csms.id_tag_info(id_tag))

    @on("DiagnosticsStatusNotification")
    def on_diagnostics_status_notification(self, **_):
        return call_result.DiagnosticsStatusNotification()

    @on("FirmwareStatusNotification")
    def on_firmware_status_notification(self, **_):
        return call_result.FirmwareStatusNotification()

    @on("DataTransfer")
    def on_data_transfer(self, **_):
        return call_result.DataTransfer("UnknownVendorId")


def _call(frame):
    return Call(frame.unique_id, frame.action, frame.payload)


def _reason(error):
    return f"{error.code} ({error.details.get('cause', error.description)})"
