"""A backend (CSMS) for one station, on the `ocpp` library with schema validation on.

`make run` shows a session against it, tests script it. As it stands it accepts every boot and card and counts
transactions. `Csms.answer` replaces what it answers, `call` asks the station, `expect`/`status`/`answer_to`
wait for frames, `refuse`/`drop`/`cut`/`freeze` make the connection fail. What the station does against the
standard is answered with a CALLERROR and kept in `violations`.
"""

import datetime
import json
import time

from websockets.asyncio.server import serve

from tools.frames import WITHIN_S, Transcript
from tools.peer import QUIET, Connection

PATH = "/ocpp"


class Csms:
    """Listens on `host`:`port` (0: any free one). `transcript` holds every frame of every connection."""

    def __init__(self, *, host="127.0.0.1", port=0, ssl=None, interval=300, transcript=None, answer_timeout=WITHIN_S):
        self.host, self.port, self.ssl = host, port, ssl
        self.interval = interval  # s, in the answer to BootNotification
        self.answer_timeout = answer_timeout  # s, until `call` gives up
        self.clock_offset = 0  # s, added to the wall clock in currentTime
        self.cards = {}  # id tag -> IdTagInfo as on the wire; others are Accepted
        self.transcript = transcript or Transcript()
        self.violations = []  # what the station did against the standard
        self.connections = []  # every Connection that was opened, the last one is the present one
        self.refusal = None  # HTTP status for whoever connects; None lets them in
        self.next_transaction = 1
        self._scripts = {}  # action -> list of answers, the last of which stays
        self._server = None

    # --- life

    async def start(self):
        """Starts (again) to listen, on the same port as before."""
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            ssl=self.ssl,
            subprotocols=["ocpp1.6"],
            process_request=self._handshake,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            logger=QUIET,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, code=1001):
        """Closes every connection and stops to listen."""
        server, self._server = self._server, None
        if server is None:
            return
        for connection in self.connections:
            connection.thaw()
        server.close(code=code)
        await server.wait_closed()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    @property
    def url(self):
        """The backend URL for the provisioning file; the station adds its id."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.ssl else 'ws'}://{host}:{self.port}{PATH}"

    def now(self):
        """The backend's time as a `currentTime`."""
        moment = datetime.datetime.fromtimestamp(time.time() + self.clock_offset, datetime.timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def shift_clock(self, seconds):
        """Moves the backend's clock, along with a station's."""
        self.clock_offset += seconds

    # --- what it answers

    def answer(self, action, *answers):
        """Replaces the answers to an action: each is given once, the last one stays.

        An answer is a payload as on the wire; an `OCPPError` of the library (sent as CALLERROR); `SILENCE`;
        `None` (what the backend answers of itself); `Unchecked(payload)`; or a callable (plain or async) that
        gets the CALL's Frame and returns one of these. No answers at all: as if there had been no script.
        """
        self._scripts[action] = list(answers)

    def scripted(self, action):
        """The answer that the next CALL of this action gets, None if there is no script."""
        script = self._scripts.get(action)
        if not script:
            return None
        return script.pop(0) if len(script) > 1 else script[0]

    def id_tag_info(self, id_tag):
        """What the backend says of a card."""
        return dict(self.cards.get(id_tag, {"status": "Accepted"}))

    # --- what it asks

    async def call(self, action, /, **payload):
        """Sends a CALL through the `ocpp` library, both payloads checked; returns the answer's payload.

        Raises CallFailed for a CALLERROR, asyncio.TimeoutError if there is none within `answer_timeout`.
        """
        return await self.connection.ask(action, payload)

    async def send_text(self, text):
        """Sends any text (or bytes: a binary message) as one message."""
        if not isinstance(text, str | bytes):
            text = json.dumps(text, separators=(",", ":"))
        await self.connection.send(text)

    # --- waiting

    async def expect(self, action, within=WITHIN_S, **wanted):
        """The station's next CALL of an action; see `Transcript.expect`."""
        return await self.transcript.expect(action, within, **wanted)

    async def status(self, connector, status, within=WITHIN_S, **wanted):
        """The next StatusNotification with this status of a connector; see `Transcript.expect`."""
        return await self.transcript.status(connector, status, within, **wanted)

    async def answer_to(self, call, within=WITHIN_S):
        """The answer to a CALL; see `Transcript.answer_to`."""
        return await self.transcript.answer_to(call, within)

    async def connected(self, within=WITHIN_S, number=None):
        """Waits until the station is connected (for the `number`-th time, from 1); returns the Connection."""

        def find():
            wanted = self.connections[-1:] if number is None else self.connections[number - 1 : number]
            return wanted[0] if wanted and (number or wanted[0].open) else None

        return await self.transcript.wait_for(find, within, "connection")

    async def disconnected(self, within=WITHIN_S):
        """Waits until the present connection has ended; returns it (`code`, `reason` say how it ended)."""

        def find():
            return self.connections[-1] if self.connections and not self.connections[-1].open else None

        return await self.transcript.wait_for(find, within, "end of the connection")

    # --- failures of the network and of the backend

    @property
    def connection(self):
        """The present Connection; raises if the station is not connected."""
        if not self.connections or not self.connections[-1].open:
            raise ConnectionError("the station is not connected")
        return self.connections[-1]

    def refuse(self, status=503):
        """From now on connecting is answered with this HTTP status; None accepts again."""
        self.refusal = status

    async def drop(self, code=1000, reason=""):
        """Closes the connection by a close handshake."""
        await self.connection.socket.close(code, reason)

    async def cut(self):
        """Breaks the TCP connection without a word of WebSocket."""
        connection = self.connection
        connection.socket.transport.abort()
        await connection.socket.wait_closed()

    def freeze(self):
        """Makes the connection half-open: nothing more is read from it, nothing answered, not even a ping."""
        self.connection.socket.transport.pause_reading()

    # --- inside

    def _handshake(self, socket, request):
        if self.refusal is not None:
            return socket.respond(self.refusal, "refused\n")
        return None

    async def _serve(self, socket):
        connection = Connection(self, socket)
        self.connections.append(connection)
        self.transcript.connection = len(self.connections)
        self.transcript.changed()
        try:
            await connection.run()
        finally:
            self.transcript.changed()
