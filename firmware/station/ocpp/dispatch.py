"""A CALL from a backend comes in, its CALLRESULT or CALLERROR goes out; there is always one (OCPP-J 1.6 §4.2),
except while the backend rejects this station (OCPP 1.6 §4.2).

The order of the checks: is the frame whole, is the action known, is it switched on for this backend, does the
payload fit its shape; only then the handler sees it. A handler is called with the payload and gives the payload
of the answer, or a coroutine that does; it may raise `CallError`. Anything else that it raises is an
InternalError for the backend and a traceback in the log. Of an action with a stream, `streamed_call.py` stands in for
the handler.
"""

from station.ocpp import framer, messages, schema
from station.ocpp.json_head import HEAD_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from station.log import Log
    from station.ocpp.streamed_call import Sink, StreamedCall


class CallError(Exception):
    """An answer that is an error: one of OCPP-J's codes (§4.2.3), and a sentence for a person."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description


class Dispatcher:
    """`admit()`: may the backend be answered now? While not, its CALLs are dropped; the registration uses it."""

    def __init__(self, log: "Log") -> None:
        self._log = log
        self._handlers: dict[str, Callable] = {}
        self._streams: "dict[str, Callable[[], Sink]]" = {}
        self.admit: Callable[[], bool] = None

    def add(self, handlers: dict) -> None:
        """{action: handler(payload) -> payload or coroutine}"""
        self._handlers.update(handlers)

    def add_streams(self, streams: "dict[str, Callable[[], Sink]]") -> None:
        """{action: open() -> sink}, for requests with a `messages.long_list`; `open` may raise CallError."""
        self._streams.update(streams)

    def stream(self, action: str) -> "Callable[[], Sink] | None":
        """What opens a sink for the action's long list; None: its CALLs are served like any other."""
        open_sink = self._streams.get(action)
        return _open_none if open_sink and self.admit and not self.admit() else open_sink

    async def serve(self, frame, call: "StreamedCall | None" = None) -> "bytes | None":
        """The answer to a parsed CALL `(2, id, action, payload)` or to a framer.FrameError; None if there is none.

        `call`: what the frame is the rest of, its long list went to a sink.
        """
        if self.admit and not self.admit():
            self._log.warning("dispatch", "a CALL is not answered: the backend has rejected this station")
            return None
        if isinstance(frame, framer.FrameError):
            return self._refuse_frame(frame)
        _, unique_id, action, payload = frame
        try:
            answer = self._handle(action, payload, call)
            if not isinstance(answer, dict):
                answer = await answer
            return framer.result(unique_id, answer)
        except CallError as error:
            self._log.info("dispatch", "%s refused: %s %s", action, error.code, error.description)
            return framer.error(unique_id, error.code, error.description)
        except Exception as error:
            self._log.exception("dispatch", action, error)
            return framer.error(unique_id, "InternalError", "the request could not be carried out")

    def _handle(self, action: str, payload: dict, call: "StreamedCall | None"):
        handler = call.finish if call else self._handlers.get(action)
        if handler is None:
            if action in self._streams:
                raise CallError("FormationViolation", "id and action must be its first %d bytes" % HEAD_LIMIT)
            if messages.is_known(action):
                raise CallError("NotSupported", "%s is not supported by this station" % action)
            raise CallError("NotImplemented", "%s is no action of OCPP 1.6" % action[:50])
        violation = schema.check(messages.request(action), payload)
        if call:
            violation = call.judge(violation)
        if violation:
            raise CallError(violation.code, violation.text)
        return handler(payload)

    def _refuse_frame(self, error) -> "bytes | None":
        self._log.warning("dispatch", "bad frame: %s", error.description)
        if error.unique_id is None:
            return None
        return framer.error(error.unique_id, error.code, error.description)


def _open_none():
    """Nothing is kept for a backend that has rejected this station."""
    raise CallError("GenericError", "it came while the backend rejected this station")
