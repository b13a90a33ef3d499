"""Commands that show: view, report, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.common import JsonFlag, ModelPath, note, parent_exists, print_json


def view(
    model: ModelPath,
    svg: Annotated[Path | None, typer.Option(metavar="OUT.svg", help="Write an image; open nothing.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where Netron listens; 0 takes a free port.")] = 0,
) -> None:
    """Show a model's graph in Netron, until Ctrl-C.

    \b
    Examples:
      fns-lab view mosaic.onnx
      fns-lab view mosaic.onnx --svg mosaic.svg
    """
    from fns_lab import models
    from fns_lab.views import netron

    proto = models.load(model)
    if svg:
        print(netron.save_svg(proto, parent_exists(svg)))
        return
    import threading
    import webbrowser

    server = netron.serve(proto, port)
    print(server.url, flush=True)
    note("Ctrl-C ends it")
    webbrowser.open(server.url)
    try:
        threading.Event().wait()
    finally:
        server.close()


def report(
    notebooks: Annotated[
        list[Path] | None, typer.Argument(metavar="[NB...]", help="Notebooks; all of them without one.")
    ] = None,
) -> int:
    """Run notebooks and write reports/*.html, which open offline.

    Exit 1 if a notebook fails; the others still run.

    \b
    Examples:
      fns-lab report
      fns-lab report notebooks/05_compare_ops.ipynb
    """
    from fns_lab.views.report import run_notebooks

    result = run_notebooks(notebooks or None, say=note)
    print(result)
    return 0 if result else 1


def doctor(json: JsonFlag = False) -> int:
    """Say what works on this machine, and what mends the rest.

    Torch device, node, npm engines, browser, WebGL, WebGPU. Exit 3 if anything is missing.

    \b
    Examples:
      fns-lab doctor
    """
    from dataclasses import asdict

    from fns_lab.runtimes.doctor import diagnose

    findings = diagnose()
    if json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{'ok' if finding.ok else '--':<4}{finding.name:<{width}}  {finding.detail}")
            if not finding.ok:
                print(f"{'':<4}{'':<{width}}  fix: {finding.fix}")
    return 0 if all(finding.ok for finding in findings) else 3
