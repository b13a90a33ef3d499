"""The options that say how a photograph becomes a model's input, which four commands share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from fns_lab.errors import InputError


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """The options as they were given. A command takes them as its parameter `image`, see `takes_image_options`."""

    scale: Annotated[
        str | None, typer.Option("--scale", metavar="F", help="Factor of an image's 0..255, such as 1/255.")
    ] = None
    mean: Annotated[
        str | None,
        typer.Option("--mean", metavar="R,G,B", help="Subtracted from the scaled image; one number or three."),
    ] = None
    std: Annotated[str | None, typer.Option("--std", metavar="R,G,B", help="The image is then divided by this.")] = None
    layout: Annotated[str | None, typer.Option("--layout", help="Axes of an image: NCHW or NHWC.")] = None
    fit: Annotated[bool, typer.Option("--fit", help="Scale an image to the model's height and width each.")] = False
    crop: Annotated[
        bool, typer.Option("--crop", help="Scale an image to cover the model's size, cut at the centre.")
    ] = False
    pad: Annotated[
        bool, typer.Option("--pad", help="Scale an image to lie inside the model's size, fill with black.")
    ] = False

    def changes(self) -> dict[str, object]:
        """Return the settings of `Preprocessing` that were given. Raises `InputError` for bad ones."""
        resizes = [name for name in ("fit", "crop", "pad") if getattr(self, name)]
        if len(resizes) > 1:
            raise InputError(f"--{resizes[0]} and --{resizes[1]}: give one of them")
        changes: dict[str, object] = {}
        if self.scale is not None:
            changes["scale"] = _numbers("--scale", self.scale)[0]
        if self.mean is not None:
            changes["mean"] = _numbers("--mean", self.mean)
        if self.std is not None:
            changes["std"] = _numbers("--std", self.std)
        if self.layout is not None:
            changes["layout"] = self.layout.upper()
        return changes | ({"resize": resizes[0]} if resizes else {})


NO_IMAGE_OPTIONS = ImageOptions()


def takes_image_options(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return the command with one parameter per option in place of its parameter `image`, as typer reads them."""
    hints = get_type_hints(ImageOptions, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(ImageOptions)
    ]

    @functools.wraps(command)
    def run(**given: Any) -> int | None:
        image = ImageOptions(**{option.name: given.pop(option.name) for option in options})
        return command(**given, image=image)

    own = inspect.signature(command, eval_str=True)
    parameters = [new for old in own.parameters.values() for new in (options if old.name == "image" else [old])]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer looks at
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _numbers(flag: str, text: str) -> tuple[float, ...]:
    """Return the numbers of `0.5`, `1/255` or `0.485,0.456,0.406`."""
    try:
        parts = [part.partition("/") for part in text.split(",")]
        return tuple(float(above) / float(below or 1) for above, _, below in parts)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{flag} {text}: give numbers, such as 1/255 or 0.485,0.456,0.406") from None
