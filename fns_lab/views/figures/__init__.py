"""The figures with which notebooks open: each explains one idea on real data. Each returns a new figure."""

from fns_lab.views.figures.browsers import time_and_ratio
from fns_lab.views.figures.graphs import journey, node_sources, shared_products, subpixel, treatment, widths_along_depth
from fns_lab.views.figures.images import normalisation, padding, quantisation, quirk, two_losses

__all__ = [
    "journey",
    "node_sources",
    "normalisation",
    "padding",
    "quantisation",
    "quirk",
    "shared_products",
    "subpixel",
    "time_and_ratio",
    "treatment",
    "two_losses",
    "widths_along_depth",
]
