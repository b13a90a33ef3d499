"""Writing of files is atomic."""

from __future__ import annotations

import os
import stat

import pytest

from fns_lab.errors import InputError
from fns_lab.files import atomic_write, is_text


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
