"""Pages that MkDocs writes from the code: commands, rules, and what Python can import. `mkdocs.yml` names it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import typer
from buttons import BLOCK, buttons
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from fns_lab.cli import build_app
from fns_lab.paths import ROOT
from fns_lab.rewrite.rules import RULES

PACKAGE = ROOT / "fns_lab"
HIDDEN = ("cli", "rewrite/rules", "__main__.py", "measure/sweep/families", "teaching/exercises")
"""Parts of the package without a page in the Python reference: commands, rules and exercises have others, and the
families of ops are data of the sweep."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written from the code."""
    for name, text in {"commands.md": commands(), "rules.md": rules(), "api.md": api(), **modules()}.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Put the buttons that open the notebooks elsewhere into their place, if the repository has an address."""
    links = re.sub(r"\)$", "){ .md-button }", buttons(config.repo_url or ""), flags=re.MULTILINE)
    return BLOCK.sub(lambda _: links, markdown)


def commands() -> str:
    """Return the page with the help of every command."""
    group: Any = typer.main.get_command(build_app())
    context = typer.Context(group, info_name="fns-lab")
    sections = [
        "# Commands\n\nWhat `fns-lab COMMAND --help` prints. Exit codes: 0 good; 1 the answer is no; 2 bad input; 3 "
        "something that is needed is not installed; 130 interrupted. [JSON](json.md) is what `--json` prints."
    ]
    for name, command in group.commands.items():
        text = command.get_help(typer.Context(command, info_name=name, parent=context))
        sections.append(f"## {name}\n\n```text\n{text.strip()}\n```")
    return "\n\n".join(sections) + "\n"


def rules() -> str:
    """Return the page with a table of all rules, and the docstring of each rule's file."""
    rows = [
        f"| [{rule.NAME}](#{rule.NAME}) | {rule.FIDELITY} | {', '.join(getattr(rule, 'OPS', ()) or ('a pattern',))} | "
        f"{', '.join(rule.EMITS)} | {', '.join(rule.WORKS_AROUND)} |"
        for rule in RULES
    ]
    head = "| rule | fidelity | rewrites | writes | works around |\n|---|---|---|---|---|"
    sections = [
        "# Rules\n\nThe rules that `fns-lab lower` knows, in the order in which it tries them. "
        "[Fidelity](glossary.md#fidelity) says how near the result is; the last column names the "
        "[kinds of quirk](targets.md#the-kinds-of-quirk) that a rule is there to avoid.\n\n" + "\n".join([head, *rows])
    ]
    for rule in RULES:
        module = inspect.getmodule(rule)
        text = inspect.cleandoc((module and module.__doc__) or "")
        sections.append(f"## {rule.NAME}\n\n{_spaced(text)}")
    return "\n\n".join(sections) + "\n"


def api() -> str:
    """Return the page that lists every module, with the first line of its docstring."""
    sections = ["# Python\n\nThe modules of `fns_lab`, by folder."]
    for folder, paths in _by_folder().items():
        rows = [f"| [{_dotted(path)}]({_page(folder)}#{_dotted(path)}) | {_first_line(path)} |" for path in paths]
        sections.append(f"## {folder}\n\n| module | holds |\n|---|---|\n" + "\n".join(rows))
    return "\n\n".join(sections) + "\n"


def modules() -> dict[str, str]:
    """Return one page per folder with the public names of its modules, by the page's path."""
    return {
        _page(folder): "\n\n".join([f"# {folder}", *(f"::: {_dotted(path)}" for path in paths)]) + "\n"
        for folder, paths in _by_folder().items()
    }


def _by_folder() -> dict[str, list[Path]]:
    """Return the files of each folder that have a docstring, so public names."""
    folders: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(HIDDEN) and _docstring(path):
            folders.setdefault(".".join(path.relative_to(ROOT).parent.parts), []).append(path)
    return folders


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _first_line(path: Path) -> str:
    return _docstring(path).splitlines()[0].replace("|", "\\|")


def _page(folder: str) -> str:
    return f"api/{folder}.md"


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _spaced(text: str) -> str:
    """Return a docstring as Markdown: a list needs an empty line before it."""
    return re.sub(r"(?m)^(?!- |  )(\S.*)\n(?=- )", r"\1\n\n", text)
