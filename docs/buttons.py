"""Write the buttons that open the notebooks in Binder and Colab into README.md. `mkdocs.yml` has the address.

`python docs/buttons.py`: run it again when `repo_url` in `mkdocs.yml` changes; docs/no-install.md says why.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
FIRST = "notebooks/00_start.ipynb"
BLOCK = re.compile(r"(?<=<!-- buttons -->\n).*?(?=<!-- end of buttons -->)", re.DOTALL)
"""The place of the buttons in a document."""


def buttons(address: str) -> str:
    """Return the buttons for a public repository as Markdown; "" without an address. Colab opens GitHub's only."""
    address = address.strip().removesuffix("/").removesuffix(".git")
    if not address:
        return ""
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", address):
        raise SystemExit(
            f"mkdocs.yml: repo_url {address!r}: give the repository's public address, https://HOST/OWNER/NAME"
        )
    on_github = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", address)
    source = f"gh/{on_github[1]}" if on_github else f"git/{quote(address, safe='')}"
    places = {"Open in Binder": f"https://mybinder.org/v2/{source}/HEAD?urlpath=lab/tree/{FIRST}"}
    if on_github:
        places["Open in Colab"] = f"https://colab.research.google.com/github/{on_github[1]}/blob/HEAD/{FIRST}"
    return "".join(f"[{words}]({link})\n" for words, link in places.items())


def address(configuration: str) -> str:
    """Return `repo_url` of the text of `mkdocs.yml`, or ""."""
    found = re.search(r"^repo_url: *([^\s#]*)", configuration, re.MULTILINE)
    return found[1].strip("\"'") if found else ""


def main() -> None:
    """Write README.md."""
    readme, configuration = ROOT / "README.md", ROOT / "mkdocs.yml"
    block = buttons(address(configuration.read_text(encoding="utf-8")))
    readme.write_text(BLOCK.sub(lambda _: block, readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
