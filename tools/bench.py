"""`make bench`: the figures of the project, as a table and as build/bench.json.

With `BOARD=qemu_mps2` those of the emulated 32-bit board instead, as build/bench-qemu_mps2.json.

Rates are ratios against a peer in the same run, the rest are counts; nothing here asserts. The measuring itself is
in host_tests/benchmarks: what runs in MicroPython prints JSON, what runs in CPython is imported.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "host_tests" / "benchmarks"
RESULT = ROOT / "build" / "bench.json"
# the first one is on top of MicroPython's path
PATHS = (BENCHMARKS, ROOT / "host_tests" / "unit" / "lib", ROOT / "boards" / "unix", ROOT / "firmware")

REQUESTS = ("remote_start", "change_configuration", "get_configuration_all")


def micropython(script, *arguments):
    """What a script of host_tests/benchmarks prints, decoded."""
    program = Path(sys.executable).with_name("micropython")
    environment = {**os.environ, "MICROPYPATH": ":".join([*map(str, PATHS), ".frozen"])}
    words = [program, "-X", "heapsize=8M", BENCHMARKS / script, *arguments]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{script} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def figures():
    """Yields (name, value, unit, target, compared with what)."""
    yield from of_requests()
    yield from of_parts()
    yield from of_heap()
    yield from of_lists()
    yield from of_offline()
    yield from of_update()


def of_requests():
    import peer

    ours = micropython("requests.py")
    default, sync = peer.measure(ours["answer"]["configurationKey"])
    for name in REQUESTS:
        yield f"request.{name}.vs_ocpp", default[name] / ours[name], "x", ">= 5", "ocpp package, its default"
        yield (
            f"request.{name}.vs_ocpp_sync",
            sync[name] / ours[name],
            "x",
            ">= 1.5",
            "ocpp package, ASYNC_VALIDATION off",
        )


def of_parts():
    parts = micropython("parts.py")
    yield "mask.8k_us", parts["mask_8k_us"], "us", "<= 60", "a byte loop takes 710 us"
    yield "flash.transaction.bytes_programmed", parts["bytes_programmed"], "B", "<= 1024", "Start, 10 MeterValues, Stop"
    yield "flash.transaction.erases", parts["erases"], "blocks", "<= 0.3", "MicroOcpp rewrites 9 files"


def of_heap():
    code = micropython("code.py")
    yield "heap.code", code / 1024, "KiB", None, "boards run the code in place"
    import heap

    found = heap.measure()
    yield "heap.boot", found["boot"] / 1024, "KiB", None, "8 connectors, code included"
    yield "heap.session_least", found["least"], "KiB", "<= 1024", "2 connectors, code included"
    yield (
        "heap.session_least_data",
        found["least"] - code / 1024,
        "KiB",
        None,
        "the same without the code; its compiler is in it",
    )
    yield "heap.growth_1000_sessions", found["growth"], "B", "<= 1024", "after the first 100 sessions"


def of_lists():
    """The table by itself for what a lookup costs; the whole station and a backend for what receiving costs."""
    import lists

    sizes = [str(size) for size in lists.SIZES]
    with tempfile.TemporaryDirectory() as folder:
        tables = micropython("cards.py", Path(folder) / "flash.bin", *sizes)
    for size in lists.SIZES:
        table, station = tables[f"cards.{size}"], lists.full(size)
        name = f"list.{size}"
        yield f"{name}.heap_growth", station["heap_growth"], "B", "<= 24576", f"heap {lists.HEAP}, one SendLocalList"
        yield f"{name}.receive_s", station["receive_s"], "s", None, "MicroOcpp: 67 s for 50,000"
        yield f"{name}.lookup_bytes", table["lookup_bytes"][1], "B", "<= 4096", "at most"
        yield f"{name}.lookup_reads", table["lookup_reads"][1], "", "<= 4", "at most"
        yield f"{name}.lookups_per_s", 1e6 / table["lookup_us"], "1/s", None, "the hash included"
        yield f"{name}.heap_rest", table["rest"], "B", "<= 4096", "MicroOcpp holds 48 cards in RAM"
        yield f"{name}.boot_ms", station["boot_ms"], "ms", None, "all of the start; it compiles the code"
    largest = lists.SIZES[-1]
    yield "list.flash_per_card", tables[f"cards.{largest}"]["flash_per_card"], "B", "<= 32", f"of {largest:,}"
    took = lists.differentials(largest)
    yield f"list.{largest}.differentials_s", took, "s", None, f"{lists.DIFFERENTIAL:,} entries each"


def of_offline():
    import offline

    journal = micropython("offline_journal.py")
    yield "offline.readings_per_mib", journal["readings"], "", ">= 10000", "none left out"
    yield "offline.transactions_per_mib", journal["transactions"], "", None, "Start, 10 MeterValues, Stop; MicroOcpp: 4"
    yield "offline.deliver_10000_s", offline.deliver(10_000), "s", None, "a backend that answers at once"


def of_update():
    update = micropython("update.py")
    for name, words in (("es256", "one ECDSA verification on P-256"), ("rsa2048", "PKCS1-v1_5")):
        yield f"update.{name}_ms", update[f"{name}_ms"], "ms", None, words
        yield f"update.{name}_part_ms", update[f"{name}_part_ms"], "ms", None, "the longest without a look at the clock"
        yield f"update.{name}_garbage", update[f"{name}_garbage"] / 1024, "KiB", None, "allocated, all in all"
        yield f"update.{name}_heap", update[f"{name}_heap"], "B", "<= 16384", "needed at once"
    yield "update.package_heap", update["package_heap"], "B", "<= 16384", "reading a package, its manifest included"
    yield "update.payload_kib_ms", update["package_kib_ms"], "ms", None, "1 KiB of payload, hashed and handed on"
    import station_update

    whole = station_update.measure()
    http, https = whole["http"], whole["https"]
    yield (
        "update.heap_extra",
        http["heap_extra"],
        "B",
        None,
        "above idle; here the code lies in the heap, see qemu_mps2",
    )
    yield "update.heap_extra_https", https["heap_extra"], "B", None, "the same with TLS to the server of the package"
    yield "update.write_amplification", http["write_amplification"], "", "<= 1.1", "bytes programmed by byte of package"
    yield "update.activate_s", http["activate_s"], "s", None, "from Installing to Available"


def of_emulated_board():
    """Flash, heap and instructions on a 32-bit board: counts, the same in each run to one part in a hundred."""
    import emulated

    yield from emulated.figures()


def main():
    sys.path[:0] = [str(BENCHMARKS), str(ROOT)]
    board = sys.argv[1] if len(sys.argv) > 1 else ""
    if board not in ("", "qemu_mps2"):
        sys.exit(f"no figures of board {board!r}; there are those of qemu_mps2, and without a name the unix board's")
    chosen = of_emulated_board() if board else figures()
    result = RESULT.with_name(f"bench-{board}.json") if board else RESULT
    rows = []
    print(f"{'figure':40} {'value':>10} {'unit':7} {'target':9} compared with")
    for name, value, unit, target, compared in chosen:
        print(f"{name:40} {value:10.1f} {unit:7} {target or '':9} {compared}", flush=True)
        rows.append({"name": name, "value": round(value, 3), "unit": unit, "target": target})
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {result.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
