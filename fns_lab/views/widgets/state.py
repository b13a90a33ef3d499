"""The state of a preview, which the kernel and the browser share: what is chosen, offered and shown."""

from __future__ import annotations

from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Dict, Float, Int, List, Tuple, Unicode

from fns_lab import web
from fns_lab.views.widgets.choice import BROWSER, CHOICES, KERNEL, LOWERED, Choice


class PreviewState(AnyWidget):
    """The traits of a preview. Those in `CHOICES` are its controls."""

    _esm = web.module("preview/widget.js") + "export default widget;\n"
    _css = web.text("preview/preview.css")

    image = Unicode(help="label of an image").tag(sync=True)
    network = Unicode(help="label of a network").tag(sync=True)
    size = Tuple(allow_none=True, help="(H, W) in pixels, None for the image's own").tag(sync=True)
    model = Unicode(LOWERED, help="one of `models`").tag(sync=True)
    where = Unicode(KERNEL, help="where the engine runs").tag(sync=True)
    engine = Unicode(help="name of a target").tag(sync=True)
    show_error = Bool(help="whether the error against the regular model is shown").tag(sync=True)

    images = List(Unicode(), help="labels of the images offered").tag(sync=True)
    networks = List(Dict(), help="label, style and width of the networks offered").tag(sync=True)
    sizes: List[Any] = List(help="sizes offered").tag(sync=True)
    models = List(Unicode(), help="models offered").tag(sync=True)
    engines = List(Unicode(), help="engines offered in the kernel").tag(sync=True)
    browser_engines = List(Unicode(), help="engines offered in the browser").tag(sync=True)

    before = Dict(help="the image that went in, as `Pixels`").tag(sync=True)
    after = Dict(help="the image that came out, as `Pixels`; empty after a failure").tag(sync=True)
    error_image = Dict(help="heat map of the error, as `Pixels`").tag(sync=True)
    task = Int(help="number of the run that the browser is asked for").tag(sync=True)
    status = Unicode(help="engine, nodes and time of the latest run, or why it failed").tag(sync=True)
    failed = Bool(help="whether `status` says why the latest run failed").tag(sync=True)
    step = Unicode(help="what is done now; empty when nothing is").tag(sync=True)
    progress = Float(help="part of the run that is done, 0..1").tag(sync=True)

    @property
    def choice(self) -> Choice:
        """The values of the controls."""
        return Choice(**{name: getattr(self, name) for name in CHOICES})

    def offered(self) -> dict[str, list[Any]]:
        """Return the values that each control offers."""
        values = {name: getattr(self, f"{name}s") for name in ("image", "size", "model")}
        networks = [row["label"] for row in self.networks]
        engines = [*self.engines, *self.browser_engines]
        return {**values, "network": networks, "engine": engines, "where": [KERNEL, BROWSER]}

    def update(self, **values: object) -> None:
        """Set traits, and send them to the browser in one message."""
        with self.hold_sync():
            for name, value in values.items():
                setattr(self, name, value)
