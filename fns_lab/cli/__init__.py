"""The command line: `fns-lab COMMAND`, same as `python -m fns_lab COMMAND`.

Exit codes: 0 good; 1 the answer is no, or an engine failed; 2 bad input or usage; 3 something needed is missing here;
70 a fault of fns-lab itself; 130 interrupted (Ctrl-C); 141 the reader of stdout closed it; 143 terminated. An error is
one line on stderr. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from fns_lab import limits
from fns_lab.cli import common, compare, convert, course, devices, fetch, matrix, measure, networks, show
from fns_lab.cli import export as exporting
from fns_lab.cli import site as web_site
from fns_lab.cli import targets as target_list
from fns_lab.cli import train as training
from fns_lab.errors import InputError, MissingError, RuntimeFault, is_out_of_memory, one_line, visible
from fns_lab.signals import Signals, Terminated

GOOD, NO, BAD_INPUT, MISSING, FAULT, INTERRUPTED, PIPE_CLOSED, TERMINATED = 0, 1, 2, 3, 70, 130, 141, 143

COMMANDS = (
    training.train,
    networks.eval,
    exporting.export,
    convert.check,
    convert.lower,
    convert.run,
    compare.compare,
    measure.bench,
    measure.tune,
    matrix.matrix,
    show.view,
    show.report,
    web_site.site,
    target_list.targets,
    fetch.fetch,
    show.doctor,
)
"""The commands, in the order of the work and of `fns-lab --help`."""


EXTRAS = {
    "torch": ("torch", "torchvision", "accelerate", "safetensors"),
    "notebooks": ("IPython", "anywidget", "ipywidgets", "nbconvert", "nbformat", "papermill"),
}
"""What a wheel does not bring unless its extra is asked for, by the names that are imported."""


def build_app() -> typer.Typer:
    """Return the commands as one typer application."""
    app = typer.Typer(
        name="fns-lab",
        help="Convert a network from PyTorch to ONNX to a smaller runtime, and prove op by op that nothing broke.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in COMMANDS:
        app.command()(_stoppable(command))
    app.add_typer(course.app)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` is without the program's name; None takes the process's own."""
    given = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    common.set_verbosity(0)
    with Signals() as signals:
        try:
            with contextlib.redirect_stdout(VisibleText(sys.stdout)):
                argv = devices.spelled_out(exporting.spelled_out(given))
                code = typer.main.get_command(build_app()).main(argv, prog_name="fns-lab", standalone_mode=False)
                sys.stdout.flush()
        except Stopped as stop:
            return _fail(str(stop) or "interrupted", INTERRUPTED)
        except Terminated:
            return _fail("terminated", TERMINATED)
        except BaseException as error:
            if signals.interrupted:  # a library made an error of its own of it
                return _fail("interrupted", INTERRUPTED)
            return _code_of(error)
        return _fail("interrupted", INTERRUPTED) if signals.interrupted else int(code or GOOD)


class Stopped(BaseException):
    """Ctrl-C ended a command. The message, if any, says what was kept."""


class VisibleText:
    """A text stream that writes control characters out, so that no name in a file can steer the terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text and return its length."""
        self._stream.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _code_of(error: BaseException) -> int:
    """Print an error that ended a command as one line, and return the exit code."""
    if isinstance(error, BrokenPipeError | SystemExit):  # typer turns a closed pipe into SystemExit
        return _stop_writing()
    if common.verbosity() > 0 and not isinstance(error, typer.TyperException):
        import traceback

        print(visible("".join(traceback.format_exception(error))), file=sys.stderr)
    if isinstance(error, typer.TyperException):
        return _fail(_usage(error), BAD_INPUT)
    if isinstance(error, InputError):
        return _fail(error, BAD_INPUT)
    if isinstance(error, MissingError):
        return _fail(error, MISSING)
    if isinstance(error, ModuleNotFoundError) and (hint := _what_brings(error)):
        return _fail(hint, MISSING)
    if isinstance(error, RuntimeFault):
        return _fail(error, NO)
    if is_out_of_memory(error):
        return _fail(f"not enough memory: {one_line(error)}; take a smaller image, size or model", NO)
    if isinstance(error, OSError) and error.errno is not None:
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", BAD_INPUT)
    return _fail(f"a fault of fns-lab: {type(error).__name__}: {one_line(error)}; `fns-lab -v ...` shows where", FAULT)


def _stoppable(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return the command with Ctrl-C as `Stopped`, since typer would drop the message."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> int | None:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt as stop:
            raise Stopped(str(stop)) from None

    return run


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fns-lab {version('fns-lab')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print results and errors, no notes or progress.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also print where an error arose.")] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N",
            help="Another limit on what files may hold, such as image-pixels=1e9; docs/security.md lists them. May be "
            "given several times.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    if quiet and verbose:
        raise InputError("-q and -v contradict each other; leave one out")
    common.set_verbosity(-1 if quiet else int(verbose))
    context.with_resource(limits.changed(limit or ()))


def _fail(message: object, code: int) -> int:
    print("fns-lab:", one_line(message, longest=None), file=sys.stderr)
    return code


def _what_brings(error: ModuleNotFoundError) -> str | None:
    """Return which extra of the wheel brings a package that is not installed, None for a module of our own."""
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    if extra is None:
        return None
    return f"this needs {package}, which is not installed: run `pip install 'fns-lab[{extra}]'`"


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{error.format_message()} (see {context.command_path if context else 'fns-lab'} --help)"


def _stop_writing() -> int:
    """End without a message when the reader of stdout has closed it; return the exit code of SIGPIPE in a shell."""
    if sys.__stdout__ is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    return PIPE_CLOSED
