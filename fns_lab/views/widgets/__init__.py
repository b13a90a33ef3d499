"""Controls for notebooks. Each also has a static view, which a report shows."""

from fns_lab.views.widgets.preview import StylePreview

__all__ = ["StylePreview"]
