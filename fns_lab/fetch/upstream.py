"""Download upstream's style images and pretrained networks: other people's works, which the repository does not hold.

A download grows in `NAME.part` and gets its name once it is complete and checked: an image by its SHA-256, a network by
opening it. `NAME.part.etag` holds the address and version of these bytes, so that a later run continues them with a
Range request and never joins two versions.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fns_lab.errors import InputError, MissingError, one_line
from fns_lab.files import atomic_write, sha256
from fns_lab.limits import DOWNLOAD_BYTES
from fns_lab.paths import FETCHED_DATA, FETCHED_MODELS

if TYPE_CHECKING:
    import requests

STYLES_FOLDER = FETCHED_DATA / "style-images" / "upstream"
"""Where upstream's style images are put."""
STYLES_ADDRESS = "https://raw.githubusercontent.com/pytorch/examples/main/fast_neural_style/images/style-images"
"""Where upstream keeps them."""
STYLES = {
    "candy.jpg": "1af09b2c18a6674b7d88849cb87564dd77e1ce04d1517bb085449b614cc0c8d8",
    "mosaic.jpg": "17698add60e1ce8618103c04e6cdddc5ac21b82181a37b7517413f36a5b785a4",
    "rain-princess.jpg": "edc860681275f663ff23b28ade7436b34bf8ea28ae60be773f3e1c39b938e5d3",
    "udnie.jpg": "270be68e7c6c282c9edb62ab7bcd345b1fb6b6cebb5d1f10d9a2d21915f69a8a",
}
"""Upstream's style images and their SHA-256."""

MODELS_FOLDER = FETCHED_MODELS / "upstream"
"""Where upstream's networks are put."""
ARCHIVE = "saved_models.zip"
"""Name of the archive with upstream's networks."""
ARCHIVE_ADDRESS = "https://www.dropbox.com/s/lrvwfehqdcxoza8/saved_models.zip?dl=1"
"""The address in upstream's download_saved_models.py. It publishes no checksum: a network is checked by opening it."""
MODELS = ("candy.pth", "mosaic.pth", "rain_princess.pth", "udnie.pth")
"""Files of upstream's networks."""
LARGEST_MODEL_BYTES = 64 * 2**20
"""Upstream's networks, of width 32, have 6.7 million bytes each; a far larger file is not one of them."""

TIMEOUT_S = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""
CHUNK_BYTES = 2**14
"""Bytes read at a time: the most that a broken connection loses."""


class _WrongContent(ValueError):
    """The download is not the wanted file. The message continues a sentence that begins with the address."""


def styles(folder: Path = STYLES_FOLDER, mirror: str | None = None) -> list[Path]:
    """Download upstream's four style images into `folder`, except those that are there, and return their paths.

    `mirror` is the address of a folder that has them. Raises `MissingError`, with the address and what to do by hand,
    for an image that cannot be downloaded, and `InputError` for another file in its place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_style(folder / name, f"{mirror or STYLES_ADDRESS}/{name}") for name in STYLES]


def models(folder: Path = MODELS_FOLDER, mirror: str | None = None) -> list[Path]:
    """Download upstream's four networks into `folder`, except those that are there, and return their paths.

    `mirror` is the address of a folder that has their archive. Raises as `styles` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in MODELS]
    missing = [path for path in paths if not _is_network(path)]
    if missing:
        address = f"{mirror}/{ARCHIVE}" if mirror else ARCHIVE_ADDRESS
        with _download(address, folder / ARCHIVE, f"unpack its .pth files into {folder}") as archive:
            _write_networks(_networks(archive), missing)
    return paths


def _style(path: Path, address: str) -> Path:
    wanted = STYLES[path.name]
    if path.exists():
        if sha256(path) != wanted:
            raise InputError(f"{path}: not upstream's image of that name; move it away or give another folder")
        return path
    with _download(address, path, f"save it as {path}") as part:
        if (actual := sha256(part)) != wanted:
            raise _WrongContent(f"not upstream's image: its SHA-256 is {actual[:12]}..., not {wanted[:12]}...")
        with atomic_write(path) as temporary:
            part.replace(temporary)
    return path


def _is_network(path: Path) -> bool:
    from fns_lab.nets import checkpoints

    if not path.exists():
        return False
    try:
        checkpoints.load(path)
    except InputError as error:
        raise InputError(f"{error}; move it away or give another folder") from None
    return True


def _networks(archive: Path) -> dict[str, bytes]:
    """Return the files of `MODELS` in a zip archive, in whichever folder of it."""
    try:
        with zipfile.ZipFile(archive) as source:
            entries = source.infolist()
            _check_entries(entries)
            by_name = {PurePosixPath(entry.filename).name: entry for entry in entries}
            return {name: source.read(by_name[name]) for name in MODELS if name in by_name}
    except _WrongContent:
        raise
    except Exception as error:  # zipfile and its decoders raise many classes for a broken archive
        raise _WrongContent(f"not a whole zip archive ({one_line(error)})") from None


def _check_entries(entries: Sequence[zipfile.ZipInfo]) -> None:
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise _WrongContent(f"refused: {entry.filename!r} in it would leave the folder")
        if entry.file_size > LARGEST_MODEL_BYTES:
            raise _WrongContent(f"refused: {entry.filename!r} in it unpacks to {entry.file_size:,} bytes")


def _write_networks(networks: dict[str, bytes], paths: Sequence[Path]) -> None:
    """Write all networks or none; each must open as the weights of a `TransformerNet`, without running code."""
    from fns_lab.nets import checkpoints

    with contextlib.ExitStack() as files:
        for path in paths:
            if path.name not in networks:
                raise _WrongContent(f"not upstream's archive: it holds no {path.name}")
            temporary = files.enter_context(atomic_write(path))
            temporary.write_bytes(networks[path.name])
            try:
                checkpoints.load(temporary)
            except InputError as error:
                reason = str(error).removeprefix(f"{temporary}: ")
                raise _WrongContent(f"{path.name} in it is no style network: {reason}") from None


@contextlib.contextmanager
def _download(address: str, path: Path, by_hand: str) -> Iterator[Path]:
    """Download `address` into a file beside `path` and yield that file, for the caller to check and rename."""
    import requests

    part = _Part(path, address)
    try:
        part.fill()
    except requests.RequestException as error:
        raise MissingError(f"{address}: {_reason(error)}{part.keep()}; by hand: {by_hand}") from None
    except InputError:  # more bytes than the limit
        part.forget()
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{address}: stopped{part.keep()}") from None
    try:
        yield part.path
    except _WrongContent as error:
        part.forget()
        raise MissingError(f"{address}: {error}; by hand: {by_hand}") from None
    part.forget()


class _Part:
    """The bytes of a download that have arrived, in this run or an earlier one."""

    def __init__(self, path: Path, address: str) -> None:
        self.address = address
        self.path = path.with_name(f"{path.name}.part")
        self.version = path.with_name(f"{path.name}.part.etag")

    def fill(self) -> None:
        """Download the rest: everything, unless the server still has the version that was begun."""
        import requests

        start, etag = self._kept()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-", "If-Range": etag} if start else {})
        with requests.get(self.address, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if start and response.status_code in (206, 416) and not _continues(response, start, etag):
                self.forget()
                self.fill()
                return
            response.raise_for_status()
            self._append(response, start if response.status_code == 206 else 0)

    def keep(self) -> str:
        """Keep what a later run can continue, delete bytes of an unknown version, and return the end of a message."""
        if not self.version.exists():
            self.path.unlink(missing_ok=True)
        start, _ = self._kept()
        return f"; {start:,} bytes are kept in {self.path}, the same command continues from there" if start else ""

    def forget(self) -> None:
        """Delete the bytes and their version."""
        self.path.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _kept(self) -> tuple[int, str]:
        """Return how many bytes arrived, and their version; 0 where that is unknown or of another address."""
        try:
            address, etag = self.version.read_text(encoding="utf-8").splitlines()
            return (self.path.stat().st_size, etag) if address == self.address else (0, "")
        except (OSError, ValueError):
            return 0, ""

    def _append(self, response: requests.Response, start: int) -> None:
        from tqdm import tqdm

        remaining = response.raw.length_remaining
        total = None if remaining is None else start + remaining
        with (
            self.path.open("ab" if start else "wb") as stream,
            tqdm(
                desc=self.path.stem, total=total, initial=start, unit="B", unit_scale=True, delay=1, leave=False
            ) as bar,
        ):
            self._write_version(response)  # older bytes are gone by now, or are of this version
            if total is not None:
                DOWNLOAD_BYTES.require(total, self.address)
            for chunk in response.iter_content(CHUNK_BYTES):
                stream.write(chunk)
                bar.update(len(chunk))
                DOWNLOAD_BYTES.require(int(bar.n), self.address)

    def _write_version(self, response: requests.Response) -> None:
        etag = response.headers.get("ETag", "W/")
        if (
            etag.startswith("W/") or "Content-Encoding" in response.headers
        ):  # these do not promise the same bytes next time
            self.version.unlink(missing_ok=True)
        else:
            self.version.write_text(f"{self.address}\n{etag}\n", encoding="utf-8")


def _continues(response: requests.Response, start: int, etag: str) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return content_range.startswith(f"bytes {start}-") and response.headers.get("ETag") == etag


def _reason(error: requests.RequestException) -> str:
    import requests

    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified"
    if isinstance(error, requests.ConnectionError):
        return "no connection to it"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    return f"cannot be downloaded ({type(error).__name__})"
