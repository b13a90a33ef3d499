"""Real engines as another version of themselves, in a registry on this machine that pip and npm are set to."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import tarfile
import zipfile

from fns_lab.runtimes.engines import NODE_MODULES
from tests.file_server import FileServer


def use_for_pip_and_npm(server: FileServer, monkeypatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple/")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("npm_config_registry", f"{server.address}/")


def serve_wheel(server: FileServer, package: str, version: str) -> None:
    """Serve the installed package as a wheel of that version."""
    installed = importlib.metadata.distribution(package)
    kept = [
        file
        for file in installed.files or ()
        if ".dist-info" not in file.parts[0] and ".." not in file.parts and "__pycache__" not in file.parts
    ]
    serve_files(server, package, version, {str(file): file.read_binary() for file in kept})


def serve_files(server: FileServer, package: str, version: str, files: dict[str, bytes]) -> None:
    """Serve a wheel of these files, and the page that pip looks it up in."""
    stream = io.BytesIO()
    folder = f"{package}-{version}.dist-info"
    described = {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
        f"{folder}/RECORD": b"",
    }
    with zipfile.ZipFile(stream, "w") as wheel:
        for name, content in (files | described).items():
            wheel.writestr(name, content)
    name = f"{package}-{version}-py3-none-any.whl"
    server.files[f"files/{name}"] = stream.getvalue()
    server.files[f"simple/{package}/"] = f'<a href="/files/{name}">{name}</a>'.encode()


def serve_npm(server: FileServer, package: str, sources: dict[str, str]) -> None:
    """Serve versions of an npm package, each with the files of a package that is installed in node_modules."""
    described = {version: _described(server, package, version, source) for version, source in sources.items()}
    tags = {"latest": list(sources)[-1]}
    server.files[package] = json.dumps({"name": package, "dist-tags": tags, "versions": described}).encode()


def _described(server: FileServer, package: str, version: str, source: str) -> dict[str, object]:
    stream = io.BytesIO()
    manifest = json.dumps({"name": package, "version": version}).encode()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/package.json")
        info.size = len(manifest)
        archive.addfile(info, io.BytesIO(manifest))
        for path in sorted((NODE_MODULES / source / "dist").iterdir()):
            if path.suffix in (".js", ".wasm") and path.is_file():
                archive.add(path, f"package/dist/{path.name}")
    name = f"files/{package}-{version}.tgz"
    server.files[name] = stream.getvalue()
    return {"name": package, "version": version, "dist": {"tarball": f"{server.address}/{name}"}}
