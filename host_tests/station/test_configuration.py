"""GetConfiguration and ChangeConfiguration (OCPP 1.6 §5.8, §5.3): every Core key of §9.1, and how keys behave."""

import pytest
from sessions import CALM, begin, configuration, logged, online

from tools.peer import CallFailed

TRUTH = (("true", "false"), ("", "yes", "1", "0"))
ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
VALUES = (
    (ENERGY, f"{ENERGY},{POWER}", f"{ENERGY}, Current.Import.L1,Voltage.L3", "Frequency,Power.Offered", ""),
    ("Energy", f"{ENERGY};{POWER}", f"{ENERGY},", "SoC", f"{ENERGY},{ENERGY}", "Voltage.L4", ENERGY.lower()),
)


def seconds(least):
    return (str(max(least, 1)), "7", "86400", str(least)), ("-1", "86401", "1.5", "soon", "", "1e2", "0x10")


# §9.1: name -> (good values, bad values), None for a key that may only be read
CORE = {
    "AllowOfflineTxForUnknownId": TRUTH,
    "AuthorizationCacheEnabled": TRUTH,
    "AuthorizeRemoteTxRequests": TRUTH,
    "BlinkRepeat": (("0", "10"), ("-1", "11")),
    "ClockAlignedDataInterval": seconds(0),
    "ConnectionTimeOut": seconds(1),
    "ConnectorPhaseRotation": (
        ("0.RST,1.RST,2.RTS", "1.Unknown,2.NotApplicable", "1.STR"),
        ("RST", "1.ABC", "3.RST", "1.RST,1.RST", "1:RST"),
    ),
    "ConnectorPhaseRotationMaxLength": None,
    "GetConfigurationMaxKeys": None,
    "HeartbeatInterval": seconds(1),
    "LightIntensity": (("0", "100"), ("-1", "101")),
    "LocalAuthorizeOffline": TRUTH,
    "LocalPreAuthorize": TRUTH,
    "MaxEnergyOnInvalidId": (("0", "500"), ("-1", "lots", "0.5")),
    "MeterValuesAlignedData": VALUES,
    "MeterValuesAlignedDataMaxLength": None,
    "MeterValuesSampledData": VALUES,
    "MeterValuesSampledDataMaxLength": None,
    "MeterValueSampleInterval": seconds(0),
    "MinimumStatusDuration": (("0", "5", "3600"), ("-1", "3601", "x")),
    "NumberOfConnectors": None,
    "ResetRetries": (("0", "3", "10"), ("-1", "11", "often")),
    "StopTransactionOnEVSideDisconnect": TRUTH,
    "StopTransactionOnInvalidId": TRUTH,
    "StopTxnAlignedData": VALUES,
    "StopTxnAlignedDataMaxLength": None,
    "StopTxnSampledData": VALUES,
    "StopTxnSampledDataMaxLength": None,
    "SupportedFeatureProfiles": None,
    "SupportedFeatureProfilesMaxLength": None,
    "TransactionMessageAttempts": (("1", "3", "100"), ("0", "-1", "101", "many")),
    "TransactionMessageRetryInterval": seconds(1),
    "UnlockConnectorOnEVSideDisconnect": TRUTH,
    "WebSocketPingInterval": seconds(0),
}
# of Local Auth List Management (§9.2): the same
LISTS = {
    "LocalAuthListEnabled": TRUTH,
    "LocalAuthListMaxLength": None,
    "SendLocalListMaxLength": None,
}
# of the station's own: the same
OWN = {
    "ApplicationFallback": None,
    "ComponentVersions": None,
    "UpdateState": None,
    "ApplicationSlot": None,
    "ApplicationVersion": None,
    "FirmwareInstallWait": (("1", "86400"), ("0", "86401")),
    "FirmwareProbation": (("10", "3600"), ("9", "3601")),
    "AuthorizationCacheMaxLength": (("1", "1000"), ("0", "1001")),
    "IdTagByteOrder": (("LSB", "MSB"), ("msb", "")),
    "IdTagCase": (("Lower", "Upper"), ("lower", "Title")),
    "IdTagPrefix": (("CARD-", "x" * 12, ""), ("x" * 13, "a b")),
    "JournalDepth": None,
    "JournalDropped": None,
    "JournalOldest": None,
    "LogLevel": (("DEBUG", "ERROR"), ("debug", "LOUD", "")),
    "MessageTimeout": (("1", "600"), ("0", "601")),
    "MeterFailurePolicy": (("Finish", "Continue", "Stop"), ("stop", "Ignore", "")),
    "RetryBackOffRandomRange": (("0", "3600"), ("-1", "3601")),
    "RetryBackOffRepeatTimes": (("0", "10"), ("-1", "11")),
    "RetryBackOffWaitMinimum": (("1", "3600"), ("0", "3601")),
}
FACTS = {
    "ConnectorPhaseRotation": "1.Unknown,2.Unknown",
    "GetConfigurationMaxKeys": "50",
    "NumberOfConnectors": "2",
    "SupportedFeatureProfiles": "Core,FirmwareManagement,LocalAuthListManagement",
    "MeterValuesSampledData": ENERGY,
    "StopTxnSampledData": "",
}


async def ask(csms, *keys):
    """{name: row} of what GetConfiguration tells, and the list of unknown keys."""
    answer = await csms.call("GetConfiguration", **({"key": list(keys)} if keys else {}))
    rows = answer.get("configurationKey", [])
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row for row in rows}, answer.get("unknownKey", [])


async def change(csms, key, value):
    return (await csms.call("ChangeConfiguration", key=key, value=value))["status"]


def same(told, value):
    """A list is told without the blanks that it was given with."""
    return told == ",".join(item.strip() for item in value.split(","))


# --- every key


async def test_every_core_key_is_there(csms, station):
    box = await station(connectors={"count": 2})
    await online(csms, box)
    rows, unknown = await ask(csms)
    assert unknown == []
    assert [key for key in CORE if key not in rows] == []
    for key, values in {**CORE, **LISTS, **OWN}.items():
        assert rows[key]["readonly"] is (values is None), key
        assert isinstance(rows[key]["value"], str), key
    for key, value in FACTS.items():
        assert rows[key]["value"] == value, key
    assert set(rows) == {*CORE, *LISTS, *OWN, "WebSocketMaxMessageSize"}


async def test_every_key_takes_what_is_in_its_range(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    wrong = []
    for key, values in {**CORE, **LISTS, **OWN}.items():
        for value in values[0] if values else ():
            status = await change(csms, key, value)
            told = await configuration(csms, key)
            if status != "Accepted" or not same(told, value):
                wrong.append((key, value, status, told))
    assert wrong == []


async def test_every_key_refuses_what_is_not_and_keeps_its_value(csms, station):
    box = await station(connectors={"count": 2}, settings=CALM)
    await online(csms, box)
    before, _ = await ask(csms)
    wrong = []
    for key, values in {**CORE, **LISTS, **OWN}.items():
        for value in values[1] if values else ():
            if (status := await change(csms, key, value)) != "Rejected":
                wrong.append((key, value, status))
    assert wrong == []
    assert (await ask(csms))[0] == before


async def test_no_key_that_is_read_only_can_be_changed(csms, station):
    box = await station(connectors={"count": 2})
    await online(csms, box)
    before, _ = await ask(csms)
    for key, values in {**CORE, **LISTS, **OWN}.items():
        if values is None:
            assert await change(csms, key, before[key]["value"]) == "Rejected", key
            assert await change(csms, key, "5") == "Rejected", key
    assert (await ask(csms))[0] == before


async def test_the_reason_of_a_refusal_is_in_the_log(csms, station):
    box = await station()
    await online(csms, box)
    assert await change(csms, "HeartbeatInterval", "86401") == "Rejected"
    await logged(box, r"HeartbeatInterval: expected a whole number from 1 to 86400, got '86401'")


async def test_lists_are_as_long_as_their_max_length_says(csms, station):
    settings = {f"{key}MaxLength": "2" for key in CORE if f"{key}MaxLength" in CORE and key.endswith("Data")}
    assert len(settings) == 4
    box = await station(settings=settings)
    await online(csms, box)
    for name in settings:
        key = name.removesuffix("MaxLength")
        assert await configuration(csms, name) == "2"
        assert await change(csms, key, f"{ENERGY},{POWER}") == "Accepted", key
        assert await change(csms, key, f"{ENERGY},{POWER},Voltage") == "Rejected", key
        assert await configuration(csms, key) == f"{ENERGY},{POWER}"


async def test_a_single_phase_station_has_one_phase(csms, station):
    box = await station(connectors={"phases": 1})
    await online(csms, box)
    assert await change(csms, "MeterValuesSampledData", "Voltage.L1") == "Accepted"
    assert await change(csms, "MeterValuesSampledData", "Voltage.L2") == "Rejected"


# --- names


async def test_names_are_matched_without_regard_to_case(csms, station):
    box = await station()
    await online(csms, box)
    assert await change(csms, "METERVALUESAMPLEINTERVAL", "11") == "Accepted"
    rows, unknown = await ask(csms, "metervaluesampleinterval", "heartBEATinterval")
    assert unknown == []
    assert set(rows) == {"MeterValueSampleInterval", "HeartbeatInterval"}
    assert rows["MeterValueSampleInterval"]["value"] == "11"


async def test_unknown_keys_are_named_as_they_were_asked_for(csms, station):
    box = await station()
    await online(csms, box)
    rows, unknown = await ask(csms, "NoSuchKey", "HeartbeatInterval", "no.such.KEY", "Schlüssel")
    assert unknown == ["NoSuchKey", "no.such.KEY", "Schlüssel"]
    assert set(rows) == {"HeartbeatInterval"}
    assert await ask(csms, "OnlyThis") == ({}, ["OnlyThis"])
    assert await change(csms, "NoSuchKey", "1") == "NotSupported"


async def test_a_key_of_more_than_50_characters_is_an_error(csms, station):
    """§6.23: CiString50."""
    box = await station()
    await online(csms, box)
    await csms.send_text([2, "long", "GetConfiguration", {"key": ["K" * 51]}])
    assert (await csms.answer_to("long")).payload["code"] == "PropertyConstraintViolation"
    await csms.send_text([2, "value", "ChangeConfiguration", {"key": "LogLevel", "value": "x" * 501}])
    assert (await csms.answer_to("value")).payload["code"] == "PropertyConstraintViolation"


async def test_an_empty_list_of_keys_asks_for_all(csms, station):
    box = await station()
    await online(csms, box)
    answer = await csms.call("GetConfiguration", key=[])
    assert {row["key"] for row in answer["configurationKey"]} >= set(CORE)
    assert not answer.get("unknownKey")


async def test_more_keys_than_get_configuration_max_keys(csms, station):
    box = await station(settings={"GetConfigurationMaxKeys": "3"})
    await online(csms, box)
    assert await configuration(csms, "GetConfigurationMaxKeys") == "3"
    rows, unknown = await ask(csms, "HeartbeatInterval", "LogLevel", "Nothing")
    assert set(rows) == {"HeartbeatInterval", "LogLevel"} and unknown == ["Nothing"]
    with pytest.raises(CallFailed, match="OccurenceConstraintViolation") as failure:
        await ask(csms, "HeartbeatInterval", "LogLevel", "Nothing", "ConnectionTimeOut")
    assert "3" in failure.value.description
    # a request without keys names none
    assert set((await ask(csms))[0]) >= set(CORE)


# --- what lasts


async def test_values_survive_a_power_cut_right_after_the_answer(csms, station):
    wanted = {
        "MeterValueSampleInterval": "123",
        "LocalPreAuthorize": "true",
        "MeterValuesSampledData": f"{ENERGY},Voltage.L2",
        "ConnectorPhaseRotation": "1.RTS",
        "LogLevel": "DEBUG",
    }
    box = await station(settings={"ConnectionTimeOut": "20"})
    await online(csms, box)
    for key, value in wanted.items():
        assert await change(csms, key, value) == "Accepted"
    await box.kill()
    await box.start()
    await online(csms, box)
    rows, _ = await ask(csms)
    assert {key: rows[key]["value"] for key in wanted} == wanted
    assert rows["ConnectionTimeOut"]["value"] == "20"


async def test_a_value_back_at_its_default_stays_there(csms, station):
    box = await station(settings={"ConnectionTimeOut": "20"})
    await online(csms, box)
    for value in ("30", "20"):
        assert await change(csms, "ConnectionTimeOut", value) == "Accepted"
    await box.kill()
    await box.start()
    await online(csms, box)
    assert await configuration(csms, "ConnectionTimeOut") == "20"


async def test_a_value_survives_what_provisioning_says(csms, station):
    """The file gives initial values; what the backend has changed since counts."""
    box = await station(settings={"ConnectionTimeOut": "20"})
    await online(csms, box)
    assert await change(csms, "ConnectionTimeOut", "33") == "Accepted"
    await box.kill()
    box.provisioning["settings"]["ConnectionTimeOut"] = "44"
    await box.start()
    await online(csms, box)
    assert await configuration(csms, "ConnectionTimeOut") == "33"


async def test_what_needs_a_reboot_is_in_force_after_it(csms, station):
    box = await station(settings={"WebSocketMaxMessageSize": "4096"})
    await online(csms, box)
    assert await change(csms, "WebSocketMaxMessageSize", "2048") == "RebootRequired"
    assert await configuration(csms, "WebSocketMaxMessageSize") == "2048"
    large = [2, "big", "DataTransfer", {"vendorId": "x", "data": "y" * 3000}]
    await csms.send_text(large)
    assert (await csms.answer_to("big")).payload == {"status": "UnknownVendorId"}
    # back to what is in force: nothing waits for a reboot any more
    assert await change(csms, "WebSocketMaxMessageSize", "4096") == "Accepted"
    assert await change(csms, "WebSocketMaxMessageSize", "2048") == "RebootRequired"
    assert await change(csms, "WebSocketMaxMessageSize", "1023") == "Rejected"
    assert (await csms.call("Reset", type="Soft"))["status"] == "Accepted"
    await box.restarted(2)
    await online(csms, box)
    assert await configuration(csms, "WebSocketMaxMessageSize") == "2048"
    await csms.send_text(large)
    connection = await csms.disconnected()
    assert connection.code == 1009


async def test_what_does_not_change_is_not_written(csms, station):
    box = await station()
    await online(csms, box)
    flash = box.state_dir / "flash.bin"
    assert await change(csms, "MeterValueSampleInterval", "31") == "Accepted"
    before = flash.read_bytes()
    assert await change(csms, "MeterValueSampleInterval", "31") == "Accepted"
    assert await change(csms, "MeterValueSampleInterval", "031") == "Accepted"
    assert await change(csms, "MeterValueSampleInterval", "forty") == "Rejected"
    assert await change(csms, "NoSuchKey", "1") == "NotSupported"
    assert flash.read_bytes() == before
    assert await change(csms, "MeterValueSampleInterval", "32") == "Accepted"
    assert flash.read_bytes() != before


async def test_a_boot_that_changes_nothing_writes_no_settings(csms, station):
    """HeartbeatInterval comes with each BootNotification.conf: the same again is not written."""
    box = await station()
    await online(csms, box)
    flash = box.state_dir / "flash.bin"
    await csms.drop()
    before = flash.read_bytes()
    await csms.connected(number=2)
    await online(csms, box)
    assert flash.read_bytes() == before


async def test_a_change_is_in_force_at_once(csms, station):
    box = await station(settings=CALM)
    await online(csms, box)
    await begin(csms, box)
    assert await change(csms, "MeterValueSampleInterval", "10") == "Accepted"
    assert await change(csms, "MeterValuesSampledData", f"{ENERGY},{POWER}") == "Accepted"
    await box.advance(11)
    row = (await csms.expect("MeterValues")).payload["meterValue"][0]
    assert {value["measurand"] for value in row["sampledValue"]} == {ENERGY, POWER}


async def test_computed_keys_tell_what_is_so(csms, station):
    box = await station(connectors={"count": 3}, settings=CALM)
    await online(csms, box)
    rows, _ = await ask(csms, "NumberOfConnectors", "JournalDepth", "JournalOldest", "JournalDropped")
    assert {key: row["value"] for key, row in rows.items()} == {
        "NumberOfConnectors": "3",
        "JournalDepth": "0",
        "JournalOldest": "",
        "JournalDropped": "0",
    }
