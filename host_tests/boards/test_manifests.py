"""What each board freezes: the manifest resolves, and every module of it compiles for the board's processor."""

import ast

import pytest

from tools import manifest, mpy
from tools.boards import BOARDS, ROOT


@pytest.fixture(params=sorted(BOARDS))
def board(request):
    return BOARDS[request.param]


def test_it_names_the_whole_firmware_and_the_board(board):
    files = manifest.resolve(board.folder / "manifest.py").files
    firmware = {
        path.relative_to(ROOT / "firmware").as_posix()
        for path in (ROOT / "firmware").rglob("*.py")
        if path.name != "manifest.py"
    }
    assert firmware <= set(files)
    if board.port != "qemu":
        assert files["board.py"] == board.folder / "board.py"


def test_every_import_of_the_boards_own_code_is_in_it(board):
    """Of a module that lies in boards/; that firmware/ is whole is said above."""
    files = manifest.resolve(board.folder / "manifest.py").files
    ours = {path.stem for path in (ROOT / "boards" / "common").glob("*.py")} | {
        path.stem for path in board.folder.glob("*.py")
    }
    for file in files.values():
        if not file.is_relative_to(ROOT / "boards"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                for name in node.names:
                    assert name.name not in ours or f"{name.name}.py" in files, f"{file}: {name.name}"


def test_every_module_compiles_for_the_processor(board):
    files = manifest.resolve(board.folder / "manifest.py").files
    compiled = mpy.compiled(files, board.arch)
    assert len(compiled) == len(files)
    kept = {target for target in compiled if not target.endswith(".mpy")}
    assert kept == {"boot.py", "main.py"}
    for target, data in compiled.items():
        if target.endswith(".mpy"):
            assert data[0:2] == b"M\x06"


def test_code_for_a_processor_says_so():
    """The interlock is machine code: its .mpy names the architecture, others run anywhere."""
    files = {"native.py": ROOT / "host_tests" / "boards" / "native_sample.py"}
    for arch in ("xtensawin", "armv7emdp"):
        (data,) = mpy.compiled(files, arch).values()
        assert data[2] >> 2 & 0xF == mpy.ARCHS.index(arch)


def test_a_syntax_error_names_the_file(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("def f(:\n")
    with pytest.raises(mpy.CompileError, match=r"wrong\.py"):
        mpy.compiled({"wrong.py": path}, "xtensawin")


def test_a_file_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "manifest.py"
    for line in ('module("no.py")', 'package("no")', 'freeze(".", "no.py")', 'include("no.py")'):
        path.write_text(line + "\n")
        with pytest.raises(manifest.ManifestError, match="is missing"):
            manifest.resolve(path)


def test_two_files_for_one_place_are_told(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text("")
    path = tmp_path / "manifest.py"
    path.write_text('module("same.py", base_path="one")\nfreeze("two")\n')
    with pytest.raises(manifest.ManifestError, match=r"same\.py"):
        manifest.resolve(path)


@pytest.mark.parametrize(
    ("mpy_code", "arch", "says"),
    [
        (6 | 3 << 8 | 10 << 10, "xtensawin", None),
        (6 | 3 << 8 | 8 << 10, "armv7emdp", None),
        (6 | 3 << 8 | 7 << 10, "armv7m", None),
        (6 | 3 << 8 | 7 << 10, "armv7emdp", "wrong BOARD"),
        (6 | 3 << 8 | 10 << 10, "armv7emdp", "xtensawin"),
        (6 | 3 << 8, "xtensawin", "without native code"),
        (6 | 2 << 8 | 10 << 10, "xtensawin", "6.2"),
        (5 | 3 << 8 | 10 << 10, "xtensawin", "5.3"),
        (0, "xtensawin", "0.0"),
    ],
)
def test_a_board_that_cannot_run_it_is_refused(mpy_code, arch, says):
    found = mpy.mismatch(mpy_code, arch)
    assert found is None if says is None else says in found
