"""An image in a notebook that changes in place while something runs. A report keeps the last one."""

from __future__ import annotations

import numpy as np

from fns_lab import images


class LiveImage:
    """Call it with `(1, 3, H, W)`, RGB, 0..255: the first call shows the image, each later one replaces it.

    Outside a notebook nothing is shown.
    """

    def __init__(self) -> None:
        self._handle = None

    def __call__(self, x: np.ndarray) -> None:
        from IPython import get_ipython
        from IPython.display import Image, display

        if get_ipython() is None:
            return
        image = Image(images.png(x))
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)
