"""Writing of files is atomic."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from fns_lab.errors import InputError
from fns_lab.files import (
    MARK,
    atomic_folder,
    atomic_write,
    can_be_written,
    is_text,
    read_bytes,
    sweep,
    write_bytes,
    write_text,
)
from fns_lab.limits import ALL, Limit

LIMIT = Limit("FNS_LAB_TEST_BYTES", 1000)


def test_the_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new, half writ")
        assert path.read_text() == "old"
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as temporary:
        temporary.write_text("half, then a letter that is not in ASCII: ü", encoding="ascii")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_its_mode_is_that_of_any_new_file(tmp_path):
    with atomic_write(tmp_path / "whole") as temporary:
        temporary.write_text("x")
    (tmp_path / "plain").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("whole", "plain")}
    assert len(modes) == 1


def test_places_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(InputError, match="create the folder first"), atomic_write(tmp_path / "no" / "a.txt"):
        pytest.fail("nothing to write to")
    with pytest.raises(InputError, match="is a folder"), atomic_write(tmp_path):
        pytest.fail("nothing to write to")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a letter,\r\n\twith lines", True),
        ("müßig".encode(), True),
        (b"", False),
        (b"\x08\x03", False),
        (b"a\0b", False),
    ],
)
def test_text_is_distinguished_from_bytes(data, text):
    assert is_text(data) is text


def test_a_device_and_a_pipe_are_written_through(tmp_path):
    write_bytes("/dev/null", b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="nobody reads this pipe"):
        write_bytes(pipe, b"lost")
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    while not read:
        try:
            write_bytes(pipe, b"x" * 100_000)
            break
        except InputError:
            time.sleep(0.01)  # the reader has not opened it yet
    reader.join(10)
    assert read == [b"x" * 100_000]
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_a_link_stays_and_its_file_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    file, link, dangling = tmp_path / "there" / "file", tmp_path / "link", tmp_path / "dangling"
    file.write_text("old")
    link.symlink_to(file)
    dangling.symlink_to(tmp_path / "there" / "new")
    write_text(link, "new")
    write_text(dangling, "too")
    assert link.is_symlink() and dangling.is_symlink()
    assert (file.read_text(), (tmp_path / "there" / "new").read_text()) == ("new", "too")


def test_what_a_killed_run_left_goes_and_what_another_writes_stays(tmp_path):
    left = tmp_path / f".a.txt{MARK}abcdefgh.part"
    left.write_text("half")
    left_folder = tmp_path / f".d{MARK}abcdefgh.part"
    left_folder.mkdir()
    (left_folder / "half.csv").write_text("half")
    other = tmp_path / ".of_somebody_else.part"
    other.write_text("theirs")
    with atomic_write(tmp_path / "b.txt") as first:
        first.write_text("b")
        write_text(tmp_path / "c.txt", "c")
        assert first.exists(), "it is being written"
    with atomic_folder(tmp_path / "d") as folder:
        write_text(tmp_path / "e.txt", "e")
        assert folder.exists(), "it is being written"
    assert sorted(os.listdir(tmp_path)) == sorted([other.name, "b.txt", "c.txt", "d", "e.txt"])


def test_a_long_name_can_be_written(tmp_path):
    for name in ("x" * 255, "\u00fc" * 127):
        write_text(tmp_path / name, "x")
        assert (tmp_path / name).read_text() == "x"


@pytest.mark.parametrize("library", ["python", "numpy", "torch"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, library):
    """A limit on the size of files stands in for the disk: the system reports it in the same way."""
    path = tmp_path / "out"
    write = {
        "python": "files.write_bytes(path, bytes(2 * limit))",
        "numpy": "arrays.save_array(path, np.zeros(2 * limit))",
        "torch": "checkpoints.save(TransformerNet(8), path)",
    }[library]
    script = f"""
import resource, signal, sys
import numpy as np
from fns_lab import arrays, files
from fns_lab.errors import InputError
{"from fns_lab.nets import checkpoints; from fns_lab.nets.transformer import TransformerNet" * (library == "torch")}
path, limit = {str(path)!r}, 50_000
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    {write}
except InputError as error:
    sys.exit(str(error))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert result.stderr == f"{path}: no room to write it: the disk or the quota is full\n"
    assert os.listdir(tmp_path) == []


def test_a_kill_at_any_moment_leaves_a_whole_file_or_none(tmp_path):
    path = tmp_path / "a"
    script = f"""
from fns_lab.files import write_bytes
print(flush=True)
while True:
    for letter in (b"a", b"b"):
        write_bytes({str(path)!r}, letter * 300_000)
"""
    for turn in range(5):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.01 + 0.03 * turn)
            process.send_signal(signal.SIGKILL)
        assert not path.exists() or re.fullmatch(rb"a{300000}|b{300000}", path.read_bytes())
    write_bytes(path, b"last")
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_a_killed_run_wrote_is_old_or_new_and_its_parts_go(tmp_path):
    path = tmp_path / "a"
    script = f"""
from fns_lab.files import atomic_folder
print(flush=True)
while True:
    for letter in ("a", "b"):
        with atomic_folder({str(path)!r}) as folder:
            for number in range(20):
                (folder / str(number)).write_text(letter)
"""
    for turn in range(5):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.02 + 0.03 * turn)
            process.send_signal(signal.SIGKILL)
        sweep(tmp_path)
        assert os.listdir(tmp_path) in ([], ["a"])
        contents = [file.read_text() for file in path.iterdir()] if path.exists() else []
        assert contents in ([], ["a"] * 20, ["b"] * 20)


def test_a_folder_moved_aside_by_a_killed_run_is_put_back(tmp_path):
    old = tmp_path / f".a{MARK}abcdefgh.old"
    old.mkdir()
    (old / "file").write_text("kept")
    new = old.with_suffix(".part")
    new.mkdir()
    with atomic_write(tmp_path / "b.txt") as temporary:
        temporary.write_text("b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b.txt"]
    assert (tmp_path / "a" / "file").read_text() == "kept"
    with atomic_folder(tmp_path / "a") as folder:
        write_text(tmp_path / "c.txt", "c")
        assert folder.exists(), "it is being written"
    assert sorted(os.listdir(tmp_path)) == ["a", "b.txt", "c.txt"]


def test_two_writers_leave_one_whole_file(tmp_path):
    path = tmp_path / "a"

    def write(letter):
        for _ in range(50):
            write_bytes(path, letter * 200_000)

    writers = [threading.Thread(target=write, args=[letter]) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() in (b"a" * 200_000, b"b" * 200_000)
    assert os.listdir(tmp_path) == ["a"]


def test_only_regular_files_of_some_size_are_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(bytes(1001))
    for path, why in (("/dev/zero", "a pipe or a device"), (tmp_path / "pipe", "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=why):
            read_bytes(path, LIMIT)
    with pytest.raises(InputError, match=r"1,001 bytes are more than the limit of 1,000; .*--limit test-bytes=N"):
        read_bytes(tmp_path / "file", LIMIT)
    monkeypatch.setenv("FNS_LAB_TEST_BYTES", "2e3")
    assert len(read_bytes(tmp_path / "file", LIMIT)) == 1001
    monkeypatch.setenv("FNS_LAB_TEST_BYTES", "many")
    with pytest.raises(InputError, match="FNS_LAB_TEST_BYTES=many: give a number above 0"):
        read_bytes(tmp_path / "file", LIMIT)
    assert len({limit.variable for limit in ALL}) == len(ALL)


def test_a_folder_that_cannot_be_written_to_is_known_before(tmp_path):
    assert can_be_written("/dev/null")
    assert not can_be_written(tmp_path / "new")
    with pytest.raises(InputError, match="no folder"):
        can_be_written(tmp_path / "no" / "new")
