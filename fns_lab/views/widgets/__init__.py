"""Controls for notebooks. State lives in the widgets; each also carries a static image for a report."""

from fns_lab.views.widgets.preview import StylePreview

__all__ = ["StylePreview"]
