"""The board boots, has the heap that it is given, and its end can be told from outside."""

import pytest

from tools import emulator


async def test_is_a_32_bit_micropython(guest):
    lines = await guest("""
        import sys
        print(sys.platform, sys.implementation.version[:2], sys.maxsize == 2**31 - 1)
        print(16777217.0 == 16777216.0)  # single floats: 24 bits
    """)
    assert lines == ["qemu (1, 26) True", "True"]


@pytest.mark.parametrize(("heap", "size"), [("64K", 64 << 10), ("300000", 300_000), ("8M", 8 << 20)])
async def test_heap_has_the_size_asked_for(guest, heap, size):
    (line,) = await guest(
        """
        import gc
        print(gc.mem_free() + gc.mem_alloc())
        """,
        {"heap": heap},
    )
    assert 0.95 * size < int(line) <= size  # the collector's own table is the rest


@pytest.mark.parametrize("heap", ["1K", "17M", "much", "-5"])
async def test_heap_that_cannot_be_is_refused(guest, heap):
    lines = await guest("print('ran')", {"heap": heap}, status=emulator.WRONG_STATUS)
    assert lines == ["heap=: must be 16K to 15M"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("import sys\nsys.exit(9)", 9),
        ("import sys\nsys.exit()", 0),
        ("import qemu\nqemu.exit(33)", 33),
        ("import machine\nmachine.reset()", emulator.RESET_STATUS),
        ("1 / 0", 1),
    ],
)
async def test_exit_status(guest, text, status):
    await guest(text, status=status)


async def test_fault_shows_registers_and_ends(guest):
    lines = await guest("import machine\nmachine.mem32[0x60000000]", status=emulator.FAULT_STATUS)
    assert any(line.startswith("fault: pc=") for line in lines)
    assert "bfar=60000000" in lines[-1]


async def test_recursion_without_end_is_an_exception(guest):
    lines = await guest("""
        def deeper(n):
            return deeper(n + 1) + 1
        try:
            deeper(0)
        except RuntimeError as error:
            print(error)
    """)
    assert lines == ["maximum recursion depth exceeded"]


async def test_arguments_reach_the_script(guest):
    lines = await guest(
        """
        import qemu
        for name in ("a", "b", "none", "ab"):
            print(repr(qemu.argument(name)))
        """,
        {"ab": "1", "a": "two words, a comma", "b": "/x/y%z"},
    )
    assert lines == ["'two words, a comma'", "'/x/y%z'", "None", "'1'"]


async def test_arguments_that_do_not_fit_are_not_ignored(guest):
    lines = await guest("print('ran')", {"long": "x" * 2048}, status=emulator.WRONG_STATUS)
    assert lines == ["the arguments are longer than 2047 characters"]


async def test_files_of_the_host(guest, tmp_path):
    (tmp_path / "in.bin").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "greeting.py").write_text("TEXT = 'hello'\n")
    lines = await guest(
        """
        import os, qemu
        where = qemu.argument("where")
        data = qemu.read_host_file(where + "/in.bin")
        print(len(data), data == bytes(range(256)) * 20, qemu.read_host_file(where + "/empty"))
        print(qemu.host_size(where), qemu.host_size(where + "/in.bin"))
        qemu.write_host_file(where + "/out.bin", data[:1000])
        import greeting
        print(greeting.TEXT, open("/host" + where + "/in.bin", "rb").read(3))
        try:
            qemu.read_host_file(where + "/absent")
        except OSError as error:
            print(error.errno)
        """,
        {"where": tmp_path, "path": tmp_path / "lib"},
    )
    assert lines == ["5120 True b''", "-1 5120", "hello b'\\x00\\x01\\x02'", "2"]
    assert (tmp_path / "out.bin").read_bytes() == (bytes(range(256)) * 20)[:1000]


async def test_random_numbers_repeat_only_with_a_seed(guest):
    text = "import os, random\nprint(os.urandom(16), random.getrandbits(30))"
    assert await guest(text, {"seed": 5}) == await guest(text, {"seed": 5})
    assert await guest(text, {"seed": 6}) != await guest(text, {"seed": 5})
    assert await guest(text) != await guest(text)
