"""`make bench`: the figures of the project, as a table and as build/bench.json.

Rates are ratios against a peer in the same run, the rest are counts; nothing here asserts. The measuring itself is
in host_tests/benchmarks: what runs in MicroPython prints JSON, what runs in CPython is imported.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "host_tests" / "benchmarks"
RESULT = ROOT / "build" / "bench.json"
# the first one is on top of MicroPython's path
PATHS = (BENCHMARKS, ROOT / "host_tests" / "unit" / "lib", ROOT / "boards" / "unix", ROOT / "firmware")

REQUESTS = ("remote_start", "change_configuration", "get_configuration_all")


def micropython(script):
    """What a script of host_tests/benchmarks prints, decoded."""
    program = Path(sys.executable).with_name("micropython")
    environment = {**os.environ, "MICROPYPATH": ":".join([*map(str, PATHS), ".frozen"])}
    words = [program, "-X", "heapsize=8M", BENCHMARKS / script]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{script} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def figures():
    """Yields (name, value, unit, target, compared with what)."""
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
    parts = micropython("parts.py")
    yield "mask.8k_us", parts["mask_8k_us"], "us", "<= 60", "a byte loop takes 710 us"
    yield "flash.transaction.bytes_programmed", parts["bytes_programmed"], "B", "<= 1024", "Start, 10 MeterValues, Stop"
    yield "flash.transaction.erases", parts["erases"], "blocks", "<= 0.3", "MicroOcpp rewrites 9 files"
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


def main():
    sys.path[:0] = [str(BENCHMARKS), str(ROOT)]
    rows = []
    print(f"{'figure':40} {'value':>10} {'unit':7} {'target':9} compared with")
    for name, value, unit, target, compared in figures():
        print(f"{name:40} {value:10.1f} {unit:7} {target or '':9} {compared}", flush=True)
        rows.append({"name": name, "value": round(value, 3), "unit": unit, "target": target})
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
