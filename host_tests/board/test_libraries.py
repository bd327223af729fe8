"""What the image has of MicroPython's libraries, against CPython's results."""

import base64
import hashlib
import zlib

from tools import emulator

TEXT = "import binascii, hashlib, sys\ndata = bytes(range(256)) * 5\n"
DATA = bytes(range(256)) * 5


async def test_digests(guest):
    lines = await guest(
        TEXT + "for name in ('md5', 'sha1', 'sha256'):\n    print(getattr(hashlib, name)(data).digest().hex())\n"
    )
    assert lines == [hashlib.new(name, DATA).hexdigest() for name in ("md5", "sha1", "sha256")]


async def test_aes(guest):
    """FIPS 197, appendix B; CBC back and forth."""
    lines = await guest("""
        import cryptolib
        key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
        print(cryptolib.aes(key, 1).encrypt(bytes.fromhex("3243f6a8885a308d313198a2e0370734")).hex())
        closed = cryptolib.aes(key, 2, bytes(16)).encrypt(b"x" * 64)
        print(cryptolib.aes(key, 2, bytes(16)).decrypt(closed) == b"x" * 64)
    """)
    assert lines == ["3925841d02dc09fbdc118597196a0b32", "True"]


async def test_json_binascii_deflate_uctypes(guest, tmp_path):
    (tmp_path / "packed").write_bytes(zlib.compress(DATA))
    lines = await guest(
        TEXT
        + """
import deflate, io, json, qemu, struct, uctypes
print(binascii.b2a_base64(data[:30], newline=False).decode(), binascii.crc32(data))
print(json.dumps(json.loads('{"a": [1, 2.5, null, "\\\\u20ac"]}'), separators=(",", ":")))
print(deflate.DeflateIO(io.BytesIO(qemu.read_host_file(qemu.argument("packed"))), deflate.ZLIB).read() == data)
packed = io.BytesIO()
with deflate.DeflateIO(packed, deflate.GZIP) as stream:
    stream.write(data)
print(0 < len(packed.getvalue()) < len(data))
layout = {"word": uctypes.UINT32 | 0, "byte": uctypes.UINT8 | 4}
view = uctypes.struct(uctypes.addressof(data), layout, uctypes.LITTLE_ENDIAN)
print(hex(view.word), view.byte)
""",
        {"packed": tmp_path / "packed"},
    )
    assert lines == [
        f"{base64.b64encode(DATA[:30]).decode()} {zlib.crc32(DATA)}",
        '{"a":[1,2.5,null,"€"]}',
        "True",
        "True",
        "0x3020100 4",
    ]


async def test_native_and_viper_code(guest):
    """Both emitters make code for this processor, and viper is worth it."""
    lines = await guest(
        """
        import micropython, time
        def plain(data):
            total = 0
            for i in range(len(data)):
                total += data[i]
            return total
        @micropython.native
        def native(data):
            total = 0
            for i in range(len(data)):
                total += data[i]
            return total
        @micropython.viper
        def viper(data: ptr8, n: int) -> int:
            total = 0
            for i in range(n):
                total += data[i]
            return total
        data = bytes(range(256)) * 20
        took = []
        for work, arguments in ((plain, (data,)), (native, (data,)), (viper, (data, len(data)))):
            begun = time.ticks_cpu()
            print(work(*arguments))
            took.append(time.ticks_diff(time.ticks_cpu(), begun))
        print(took[0] > took[1] > 5 * took[2])
        """,
        icount=emulator.INSTRUCTION_SHIFT,
    )
    assert lines == [str(sum(bytes(range(256)) * 20))] * 3 + ["True"]


async def test_the_firmware_is_in_the_image(guest):
    lines = await guest("""
        import station.settings, station.ocpp.framer, station.charging.connector
        print(station.settings.__file__)
    """)
    assert lines == ["station/settings.py"]
