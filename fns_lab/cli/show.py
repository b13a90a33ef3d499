"""Commands that show something: view, report, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.common import JsonFlag, ModelPath, checked_output, note, print_json


def view(
    model: ModelPath,
    svg: Annotated[
        Path | None, typer.Option(metavar="OUT.svg", help="Write the graph to this file and open nothing.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port that Netron listens on; 0: any free port.")] = 0,
) -> None:
    """Show a model's graph in Netron, until Ctrl-C.

    \b
    Examples:
      fns-lab view mosaic.onnx
      fns-lab view mosaic.onnx --svg mosaic.svg
    """
    from fns_lab import models
    from fns_lab.views import netron, netron_server

    if svg:
        checked_output(svg, (".svg",), "use .svg")
    proto = models.load(model)
    if svg:
        print(netron.save_svg(proto, svg))
        return
    import time
    import webbrowser

    server = netron_server.serve(proto, port)
    print(server.url, flush=True)
    note("Ctrl-C ends it")
    webbrowser.open(server.url)
    try:
        while True:
            time.sleep(1)  # not for ever: a signal that another thread received does not end a sleep of this one
    finally:
        server.close()


def report(
    notebooks: Annotated[
        list[Path] | None, typer.Argument(metavar="[NB...]", help="Notebooks to run, from anywhere; default: all.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A value for the parameters cells; repeatable."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write to; default: reports.")
    ] = None,
    code: Annotated[bool, typer.Option("--code/--no-code", help="Whether pages show the code.")] = True,
    title: Annotated[str, typer.Option(help="Title of the report.", show_default=False)] = "",
    author: Annotated[str, typer.Option(help="Who wrote it.", show_default=False)] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print each page on A4, as PDF.")] = False,
    compare: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of another report to compare the figures with.")
    ] = None,
) -> int:
    """Run notebooks and write DIR/*.html, which open offline, and their tables and times as CSV.

    A value is written as in Python: 80, 1e-3, True, "(96, 128)", text. Exit 1 if a notebook fails; the others run all
    the same.

    \b
    Examples:
      fns-lab report
      fns-lab report notebooks/05_compare_ops.ipynb
      fns-lab report mine.ipynb -p runs=20 -o thesis --no-code --title "My runtime" --author "A. Student" --pdf
      fns-lab report -o today --compare yesterday
    """
    from fns_lab.paths import REPORTS
    from fns_lab.views.report import Style, run_notebooks
    from fns_lab.views.report.parameters import parse

    result = run_notebooks(
        notebooks or None,
        output or REPORTS,
        parameters=parse(parameter or []),
        style=Style(title, author, code),
        pdf=pdf,
        compare_with=compare,
        say=note,
    )
    print(result)
    return 0 if result else 1


def doctor(json: JsonFlag = False) -> int:
    """Say what works on this machine, and how to fix the rest.

    Torch device, node, npm engines, browser, WebGL, WebGPU. Exit 3 if anything is missing.

    \b
    Examples:
      fns-lab doctor
    """
    from dataclasses import asdict

    from fns_lab.runtimes.doctor import diagnose

    diagnostics = diagnose()
    if json:
        print_json({"findings": [asdict(diagnostic) for diagnostic in diagnostics]})
    else:
        width = max(len(diagnostic.name) for diagnostic in diagnostics)
        for diagnostic in diagnostics:
            print(f"{'ok' if diagnostic.ok else '--':<4}{diagnostic.name:<{width}}  {diagnostic.detail}")
            if not diagnostic.ok:
                print(f"{'':<4}{'':<{width}}  fix: {diagnostic.fix}")
    return 0 if all(diagnostic.ok for diagnostic in diagnostics) else 3
