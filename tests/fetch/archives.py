"""What the server of these tests holds, and how a message looks."""

from __future__ import annotations

import io
import zipfile

from fns_lab.fetch import upstream

ARCHIVE_PATH = f"/{upstream.ARCHIVE}"


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def is_one_line(err: str) -> bool:
    return err.startswith("fns-lab: ") and err.count("\n") == 1
