"""What the images are built from is checked, and what they hold is the same on any machine."""

import pytest

from tools import build_qemu, sources


def test_a_wrong_download_is_refused_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SOURCES", tmp_path)
    (tmp_path / "a.tar.xz").write_bytes(b"not what was asked for")
    with pytest.raises(sources.Missing, match="SHA-256"):
        sources._fetched("a", "sid", "a.tar.xz", "0" * 64)
    assert not (tmp_path / "a.tar.xz").exists()


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    with pytest.raises(sources.Missing, match="apt-get install qemu-system-arm"):
        sources.programs("qemu-system-arm")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://mirror/debian\nSuites: x\nComponents: main\n",
        ),
        ("sources.list", "# old\ndeb [signed-by=/key] http://mirror/debian bookworm main contrib\n"),
    ],
)
def test_sources_come_from_the_machines_own_mirror(tmp_path, monkeypatch, file, text):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(sources, "APT", tmp_path)
    entry = sources._source_entry("sid")
    assert entry.startswith("Types: deb-src\nURIs: http://mirror/debian\nSuites: sid\nComponents: main\n")


def test_machine_without_debian_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "APT", tmp_path)
    with pytest.raises(sources.Missing, match="no entry"):
        sources._source_entry("sid")


@pytest.mark.parametrize("name", list(build_qemu.MANIFESTS))
def test_image_knows_neither_this_machine_nor_the_day(name):
    content = build_qemu.image(name).read_bytes()
    assert str(sources.ROOT).encode() not in content
    assert b"v1.26.1 on 2026-01-01" in content  # of SOURCE_DATE_EPOCH


def test_second_build_leaves_the_image_alone():
    path = build_qemu.image("stock")
    before = path.stat()
    after = build_qemu.image("stock").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_image_fits_and_its_parts_are_told():
    build_qemu.image("firmware")
    size = build_qemu.sizes("firmware")
    assert 0 < size["frozen"] < size["text"] < 4 << 20
