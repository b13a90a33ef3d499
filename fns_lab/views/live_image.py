"""An image in a notebook that is replaced in place while a cell runs. A report shows the final one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fns_lab import images

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


class LiveImage:
    """An image of a notebook cell: the first call shows it, each later call replaces it.

    Call it with an image `(1, 3, H, W)`, RGB, 0..255. Outside a notebook nothing is shown.
    """

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def __call__(self, x: np.ndarray) -> None:
        """Show the image `x` in place of the one before."""
        from IPython import get_ipython
        from IPython.display import Image, display

        if get_ipython() is None:
            return
        image = Image(images.png(x))
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)
