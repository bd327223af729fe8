"""UARTs over QEMU's character devices, and the console."""

import asyncio

from tools import emulator


async def test_uart_exchanges_bytes(firmware, script):
    received = asyncio.Queue()
    done = asyncio.Event()

    async def peer(reader, writer):
        data = bytes(range(256)) * 8
        writer.write(data)
        received.put_nowait(await reader.readexactly(len(data)))
        writer.write(b"last")
        await done.wait()
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = """
        import asyncio, machine, sys
        uart = machine.UART(2, baudrate=115200, bits=8, parity=None, stop=1, timeout=0, timeout_char=2)
        async def main():
            stream = asyncio.StreamReader(uart)
            count = 0
            while count < 2048:
                data = await stream.read(64)
                count += len(data)
                uart.write(bytes(255 - b for b in data))
            print(await stream.readexactly(4), uart.read(1), uart.any())
        asyncio.run(main())
    """
    async with server:
        serial = ("null", f"tcp:127.0.0.1:{port}")
        async with emulator.Emulator(firmware, script(text), serial=serial) as board:
            data = await asyncio.wait_for(received.get(), 30)
            assert data == bytes(255 - b for b in range(256)) * 8
            assert await board.ended() == 0
            assert board.text() == "b'last' None 0"
        done.set()


async def test_uart_waits_for_its_timeout_and_no_longer(guest):
    (line,) = await guest(
        """
        import machine, time
        uart = machine.UART(1, 9600, timeout=150)
        begun = time.ticks_ms()
        data = uart.read(10)
        print(data, 150 <= time.ticks_diff(time.ticks_ms(), begun) < 170)
        """,
        icount=emulator.INSTRUCTION_SHIFT,
    )
    assert line == "None True"


async def test_console_reads_lines_under_asyncio(firmware, script):
    text = """
        import asyncio, sys
        async def main():
            reader = asyncio.StreamReader(sys.stdin)
            print("ready")
            while (line := await reader.readline()) != b"end\\n":
                print("got", line)
        asyncio.run(main())
    """
    async with emulator.Emulator(firmware, script(text)) as board:
        await board.printed("ready")
        board.write(b"one\n")
        assert await board.printed("got") == r"got b'one\n'"
        board.write(b"two\nend\n")
        assert await board.ended() == 0
        assert board.lines[-1] == r"got b'two\n'"


async def test_ctrl_c_interrupts(firmware, script):
    text = """
        print("ready")
        try:
            while True:
                pass
        except KeyboardInterrupt:
            print("interrupted")
    """
    async with emulator.Emulator(firmware, script(text)) as board:
        await board.printed("ready")
        board.write(b"\x03")
        assert await board.ended() == 0
        assert board.lines[-1] == "interrupted"
