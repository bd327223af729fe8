"""DataTransfer, both ways (OCPP 1.6 §5.6, §4.3), with the handlers of a vendor extension (echo_extension.py)."""

import json
from pathlib import Path

import pytest
from ocpp.exceptions import InternalError
from sessions import CALM, begin, logged, online

from tools.peer import SILENCE, CallFailed

EXTENSION = Path(__file__).with_name("echo_extension.py")
VENDOR = "test.echo"


async def transfer(csms, **payload):
    return await csms.call("DataTransfer", **payload)


# --- from the backend


async def test_without_extensions_no_vendor_is_known(csms, station):
    box = await station()
    await online(csms, box)
    assert await transfer(csms, vendorId="any.vendor") == {"status": "UnknownVendorId"}
    assert await transfer(csms, vendorId="any.vendor", messageId="m", data="d") == {"status": "UnknownVendorId"}


async def test_a_handler_gets_the_data_and_answers(csms, station):
    box = await station(extension=EXTENSION)
    await online(csms, box)
    assert await transfer(csms, vendorId=VENDOR, data='schön\n"\\ 🚗') == {
        "status": "Accepted",
        "data": 'schön\n"\\ 🚗',
    }
    assert await transfer(csms, vendorId=VENDOR) == {"status": "Accepted"}
    assert await transfer(csms, vendorId=VENDOR, messageId="refuse") == {"status": "Rejected"}
    assert await transfer(csms, vendorId=VENDOR, messageId="other", data="x") == {"status": "Accepted", "data": "x"}


async def test_vendor_and_message_must_both_be_known(csms, station):
    box = await station(extension=EXTENSION)
    await online(csms, box)
    assert await transfer(csms, vendorId="test.strict", messageId="only", data="1") == {
        "status": "Accepted",
        "data": "1",
    }
    assert await transfer(csms, vendorId="test.strict", messageId="other") == {"status": "UnknownMessageId"}
    assert await transfer(csms, vendorId="test.strict") == {"status": "UnknownMessageId"}
    assert await transfer(csms, vendorId="test") == {"status": "UnknownVendorId"}


async def test_a_handler_that_fails_is_an_internal_error(csms, station):
    box = await station(extension=EXTENSION)
    await online(csms, box)
    with pytest.raises(CallFailed, match="InternalError"):
        await transfer(csms, vendorId=VENDOR, messageId="break")
    await logged(box, "broken on demand")
    assert await transfer(csms, vendorId=VENDOR, data="on") == {"status": "Accepted", "data": "on"}
    assert (await box.state())["restarts"] == {}


async def test_a_handler_may_take_its_time(csms, station):
    """Meanwhile the station goes on, and the answers stay in order."""
    box = await station(extension=EXTENSION, settings=CALM)
    await online(csms, box)
    await csms.send_text([2, "slow", "DataTransfer", {"vendorId": VENDOR, "messageId": "later", "data": "s"}])
    await csms.send_text([2, "quick", "DataTransfer", {"vendorId": VENDOR, "data": "q"}])
    await begin(csms, box)
    slow, quick = await csms.answer_to("slow"), await csms.answer_to("quick")
    assert slow.payload["data"] == "s" and quick.payload["data"] == "q"
    assert slow.number < quick.number


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "OccurenceConstraintViolation"),
        ({"vendorId": 7}, "TypeConstraintViolation"),
        ({"vendorId": "v" * 256}, "PropertyConstraintViolation"),
        ({"vendorId": VENDOR, "messageId": "m" * 51}, "PropertyConstraintViolation"),
        ({"vendorId": VENDOR, "data": {"a": 1}}, "TypeConstraintViolation"),
        ({"vendorId": VENDOR, "more": 1}, "FormationViolation"),
    ],
    ids=["no-vendor", "vendor-type", "vendor-length", "message-length", "data-type", "unknown"],
)
async def test_what_the_schema_forbids_reaches_no_handler(csms, station, payload, code):
    box = await station(extension=EXTENSION)
    await online(csms, box)
    await csms.send_text([2, "bad", "DataTransfer", payload])
    assert (await csms.answer_to("bad")).payload["code"] == code


async def test_data_is_as_long_as_a_message_may_be(csms, station):
    """§6.9: data has no length of its own."""
    box = await station(extension=EXTENSION, heap="2M")  # on this port the code takes much of the usual one
    await online(csms, box)
    data = "0123456789" * 3000
    assert (await transfer(csms, vendorId=VENDOR, data=data))["data"] == data


# --- to the backend


async def send(csms, data):
    """Lets the extension send a DataTransfer; returns the answer that it got."""
    return json.loads((await transfer(csms, vendorId=VENDOR, messageId="send", data=data))["data"])


async def test_the_station_sends_while_it_serves(csms, station):
    """A handler's own CALL is answered although the backend's CALL is not yet."""
    csms.answer("DataTransfer", {"status": "Accepted", "data": "thanks"})
    box = await station(extension=EXTENSION)
    await online(csms, box)
    assert await send(csms, "hello") == {"status": "Accepted", "data": "thanks"}
    sent = (await csms.expect("DataTransfer")).payload
    assert sent == {"vendorId": VENDOR, "messageId": "from-station", "data": "hello"}


async def test_every_answer_reaches_the_extension(csms, station):
    box = await station(extension=EXTENSION)
    await online(csms, box)
    for status in ("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"):
        csms.answer("DataTransfer", {"status": status})
        assert await send(csms, "x") == {"status": status}


@pytest.mark.parametrize("answer", [InternalError("no"), SILENCE], ids=["error", "silence"])
async def test_a_failure_reaches_the_extension_too(csms, station, answer):
    csms.answer("DataTransfer", answer)
    box = await station(extension=EXTENSION, settings={"MessageTimeout": "1"})
    await online(csms, box)
    await csms.send_text([2, "ask", "DataTransfer", {"vendorId": VENDOR, "messageId": "send", "data": "x"}])
    await logged(box, r"CallRefused|NoAnswer")
    if answer is not SILENCE:
        assert (await csms.answer_to("ask")).payload["code"] == "InternalError"
    csms.answer("DataTransfer")
    await online(csms, box)
    assert await send(csms, "y") == {"status": "UnknownVendorId"}
