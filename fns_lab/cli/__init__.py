"""The command line: `fns-lab COMMAND`, same as `python -m fns_lab COMMAND`.

Exit codes: 0 good; 1 the answer is no, or an engine failed; 2 bad input or usage; 3 something needed is missing here;
130 interrupted. An error is one line on stderr. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from fns_lab.cli import compare, convert, fetch, matrix, measure, networks, show
from fns_lab.cli import site as web_site
from fns_lab.cli import targets as target_list
from fns_lab.cli import train as training
from fns_lab.errors import InputError, MissingError, RuntimeFault, one_line

GOOD, NO, BAD_INPUT, MISSING, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141

COMMANDS = (
    training.train,
    networks.eval,
    networks.export,
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


def build_app() -> typer.Typer:
    """Return the commands as one typer application."""
    app = typer.Typer(
        name="fns-lab",
        help="Convert a network from PyTorch to ONNX to a smaller runtime, and prove op by op that nothing broke.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in COMMANDS:
        app.command()(command)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` is without the program's name; None takes the process's own."""
    argv = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        code = typer.main.get_command(build_app()).main(argv, prog_name="fns-lab", standalone_mode=False)
        sys.stdout.flush()
        return int(code or GOOD)
    except typer.TyperException as error:
        return _fail(_usage(error), BAD_INPUT)
    except InputError as error:
        return _fail(error, BAD_INPUT)
    except MissingError as error:
        return _fail(error, MISSING)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # typer turns a closed pipe into SystemExit; nothing else here exits
        return _stop_writing()
    except OSError as error:
        if error.errno is None:
            raise
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", BAD_INPUT)
    except RuntimeFault as error:
        return _fail(error, NO)


def _root() -> None:
    pass


def _fail(message: object, code: int) -> int:
    print("fns-lab:", one_line(message, longest=None), file=sys.stderr)
    return code


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{error.format_message()} (see {context.command_path if context else 'fns-lab'} --help)"


def _stop_writing() -> int:
    """End without a message when the reader of stdout has closed it; return the exit code of SIGPIPE in a shell."""
    if sys.__stdout__ is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    return PIPE_CLOSED
