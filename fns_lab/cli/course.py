"""The commands of the course: `course grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.common import JsonFlag, note, print_json
from fns_lab.errors import InputError

app = typer.Typer(
    name="course", help="The course: grade a class's notebooks.", rich_markup_mode=None, add_completion=False
)


@app.callback()
def _group() -> None:
    """Keep `grade` a command of its own name, though it is the only one."""


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with notebooks, or with a folder per student.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for grades.csv, grades.json and a page.")
    ] = Path("reports/course"),
    time: Annotated[int, typer.Option(min=1, metavar="S", help="Seconds that one notebook may take.")] = 600,
    memory: Annotated[float, typer.Option(min=0.25, metavar="GB", help="Memory that one notebook may take.")] = 4,
    json: JsonFlag = False,
) -> None:
    """Run a class's notebooks, each confined, and write who answered what, with how many hints.

    The class is listed in DIR/students.csv (columns who,student), if it is there: its numbers decide on the tasks.

    \b
    Examples:
      fns-lab course grade handed_in -o grades --time 300
    """
    from fns_lab.teaching.grading import grade as grade_class

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if output.is_file():
        raise InputError(f"{output}: a file, not a folder")
    grades = grade_class(folder, time_s=time, memory_bytes=int(memory * 2**30), say=note)
    page = grades.write(output)
    if json:
        print_json(grades.to_json())
    else:
        print(f"{grades}: {page}")
