"""Clock, hard timers, watchdog and RTC. Emulated time follows the instructions here, so the figures are exact."""

import time

import pytest

from host_tests.board.conftest import EXACT, SKIPPING

# `gap` is the longest time in microseconds between two calls. Nothing here allocates: it runs in the interrupt.
TICKER = """
import array, gc, machine, micropython, time
seen = array.array("i", (0, 0, 0))  # calls, last, longest gap
diff = time.ticks_diff
now = time.ticks_us
def tick(timer):
    t = now()
    if seen[0]:
        gap = diff(t, seen[1])
        if gap > seen[2]:
            seen[2] = gap
    seen[1] = t
    seen[0] += 1
timer = machine.Timer(ID)
def start(period=10):
    seen[0] = seen[1] = seen[2] = 0
    timer.init(mode=machine.Timer.PERIODIC, period=period, callback=tick, hard=True)
def stop():
    timer.deinit()
    print(seen[0], seen[2])
"""


def ticker(number=0):
    return TICKER.replace("ID", str(number))


def figures(line):
    calls, gap = line.split()
    return int(calls), int(gap)


async def test_sleeps_as_long_as_asked_over_the_counters_wrap(guest):
    """CMSDK timer 0 wraps in 171 s, whether anybody looks or not."""
    lines = await guest(
        """
        import time
        for seconds in (1, 100, 500, 1000):
            begun, micro = time.ticks_ms(), time.ticks_us()
            time.sleep(seconds)
            print(time.ticks_diff(time.ticks_ms(), begun) - 1000 * seconds, time.time())
        """,
        icount=SKIPPING,
    )
    late, wall = zip(*(map(int, line.split()) for line in lines))
    assert all(0 <= ms <= 100 for ms in late)
    assert wall == (1, 101, 601, 1601)


async def test_asyncio_sleeps(guest):
    (line,) = await guest(
        """
        import asyncio, time
        async def nap(ms):
            await asyncio.sleep_ms(ms)
        async def main():
            begun = time.ticks_ms()
            await asyncio.gather(*(nap(ms) for ms in (700, 2000, 50)))
            return time.ticks_diff(time.ticks_ms(), begun)
        print(asyncio.run(main()))
        """,
        icount=EXACT,
    )
    assert 2000 <= int(line) < 2500  # an idle board waits in the host's time, which may be late


async def test_instructions_repeat_exactly(guest):
    text = """
        import time
        def work():
            total = 0
            for i in range(20000):
                total = (total * 31 + i) & 0xFFFF
            return total
        begun = time.ticks_cpu()
        work()
        print(time.ticks_diff(time.ticks_cpu(), begun))
    """
    first = await guest(text, {"seed": 1}, icount=EXACT)
    assert first == await guest(text, {"seed": 1}, icount=EXACT)
    assert int(first[0]) > 10_000


async def test_timer_takes_a_frequency(guest):
    (line,) = await guest(
        ticker()
        + """
timer.init(freq=2000, callback=tick, hard=True)
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 1000:
    pass
stop()
""",
        icount=EXACT,
    )
    calls, gap = figures(line)
    assert 1998 <= calls <= 2000 and gap < 600


@pytest.mark.parametrize("number", [0, 1])
async def test_hard_timer_fires_while_the_program_is_busy(guest, number):
    (line,) = await guest(
        ticker(number)
        + """
start()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 5000:
    pass
stop()
""",
        icount=EXACT,
    )
    calls, gap = figures(line)
    assert 499 <= calls <= 500 and 9_900 < gap < 10_100


@pytest.mark.parametrize(
    "busy",
    {
        "the heap is exhausted": """
held = []
try:
    while True:
        held.append(bytearray(1000))
except MemoryError:
    pass
try:
    while True:
        held = [held]
except MemoryError:
    pass
start()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 1000:
    pass
""",
        "the heap is locked": """
start()
micropython.heap_lock()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 1000:
    pass
micropython.heap_unlock()
""",
        "garbage is collected": """
held = [bytearray(100) for _ in range(3000)]
start()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 1000:
    gc.collect()
""",
        "the scheduler is busy": """
def again(_):
    pass
start()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 1000:
    micropython.schedule(again, None)
""",
    }.items(),
    ids=lambda item: item[0],
)
async def test_hard_timer_fires_while(guest, busy):
    (line,) = await guest(ticker() + busy[1] + "stop()\n", {"heap": "512K"}, icount=EXACT)
    calls, gap = figures(line)
    assert 98 <= calls <= 115 and gap < 10_100


async def test_hard_timer_fires_during_flash_erases(guest, tmp_path):
    (line,) = await guest(
        ticker()
        + """
import qemu
flash = qemu.Flash(qemu.argument("flash"), 64)
flash.writeblocks(63, b"\\0", 4095)  # the file is whole, an erase writes it
start()
begun = time.ticks_ms()
n = 0
while diff(time.ticks_ms(), begun) < 1000:
    flash.ioctl(6, n % 64)
    n += 1
stop()
""",
        {"flash": tmp_path / "flash.bin"},
        icount=EXACT,
    )
    calls, gap = figures(line)
    assert 98 <= calls <= 100 and gap < 10_100


async def test_exception_in_a_hard_timer_ends_the_timer_alone(guest):
    lines = await guest("""
        import machine, micropython, time
        micropython.alloc_emergency_exception_buf(200)
        calls = bytearray(1)
        def tick(timer):
            calls[0] += 1
            bytearray(100)
        timer = machine.Timer(0)
        timer.init(period=5, callback=tick, hard=True)
        time.sleep_ms(100)
        print(calls[0])
        bytearray(100)
    """)
    assert "MemoryError: memory allocation failed, heap is locked" in lines
    assert "uncaught exception in the interrupt of Timer(0)" in lines
    assert lines[-1] == "1"


async def test_one_shot_and_scheduled_and_soft_timers(guest):
    lines = await guest(
        """
        import machine, time
        def busy(ms):
            begun = time.ticks_ms()
            while time.ticks_diff(time.ticks_ms(), begun) < ms:
                pass
        calls = []
        once = machine.Timer(1, mode=machine.Timer.ONE_SHOT, period=30, callback=lambda t: calls.append(bytes(3)))
        scheduled = machine.Timer(0, period=20, callback=lambda t: calls.append(bytes(2)))
        soft = machine.Timer(-1, period=50, callback=lambda t: calls.append(bytes(1)))
        busy(1005)
        scheduled.deinit()
        soft.deinit()
        print([sum(len(c) == n for c in calls) for n in (1, 2, 3)])
        busy(200)
        print(len(calls))
        """,
        icount=EXACT,
    )
    assert lines == ["[20, 50, 1]", "71"]


async def test_interrupts_can_be_disabled(guest):
    lines = await guest(
        ticker()
        + """
start()
state = machine.disable_irq()
begun = time.ticks_ms()
while diff(time.ticks_ms(), begun) < 200:
    pass
print(seen[0])
machine.enable_irq(state)
print(seen[0])
stop()
""",
        icount=EXACT,
    )
    assert lines[0] == "0" and lines[1] in ("1", "2")  # the one that was held back, and perhaps the next


@pytest.mark.parametrize(
    "arguments",
    ["3, period=10, callback=print", "-1, period=10, callback=print, hard=True", "0, period=0, callback=print"],
)
async def test_timer_that_cannot_be_is_refused(guest, arguments):
    lines = await guest(f"""
        import machine
        try:
            machine.Timer({arguments})
        except (ValueError, TypeError):
            print("refused")
    """)
    assert lines == ["refused"]


@pytest.mark.parametrize("hang", ["pass", "machine.disable_irq()"])
async def test_watchdog_resets_and_the_cause_is_told(guest, hang):
    lines = await guest(
        f"""
        import machine, sys, time
        if machine.reset_cause() == machine.WDT_RESET:
            print("reset")
            sys.exit(0)
        watchdog = machine.WDT(timeout=1000)
        for _ in range(5):
            begun = time.ticks_ms()
            while time.ticks_diff(time.ticks_ms(), begun) < 900:
                pass
            watchdog.feed()
        print("fed", machine.reset_cause() == machine.PWRON_RESET)
        {hang}
        while True:
            pass
        """,
        icount=EXACT,
    )
    assert lines == ["fed True", "reset"]


async def test_rtc_begins_in_2000_and_can_be_set(guest):
    lines = await guest(
        """
        import machine, time
        rtc = machine.RTC()
        print(rtc.datetime()[:7])
        rtc.datetime((2031, 12, 31, 0, 23, 59, 58, 0))
        time.sleep(3)
        print(rtc.datetime()[:7], time.localtime()[:6])
        """,
        icount=EXACT,
    )
    assert lines == ["(2000, 1, 1, 5, 0, 0, 0)", "(2032, 1, 1, 3, 0, 0, 1) (2032, 1, 1, 0, 0, 1)"]


async def test_rtc_takes_the_hosts_time_if_told(guest):
    (line,) = await guest("import time\nprint(time.time())", {"rtc": "host"})
    assert abs(int(line) + 946_684_800 - time.time()) < 10


async def test_network_comes_up_again_after_the_watchdogs_reset(guest):
    lines = await guest("""
        import machine, network, sys, time
        lan = network.LAN()
        lan.active(True)
        while not lan.isconnected():
            time.sleep_ms(5)
        print(lan.ifconfig()[0])
        if machine.reset_cause() == machine.WDT_RESET:
            sys.exit(0)
        machine.WDT(timeout=100)
        while True:
            pass
    """)
    assert lines == ["10.0.2.15"] * 2
