"""The requests that both sides of the comparison answer; read by MicroPython and by CPython."""

FRAMES = {
    "remote_start": b'[2,"4f1c","RemoteStartTransaction",{"connectorId":1,"idTag":"0123456789ABCD"}]',
    "change_configuration": b'[2,"4f1d","ChangeConfiguration",{"key":"HeartbeatInterval","value":"300"}]',
    "get_configuration_all": b'[2,"4f1e","GetConfiguration",{}]',
}
