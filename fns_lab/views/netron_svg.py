"""Rewrite the SVG text that Netron exports: share its styles, and fold a tall graph into columns."""

from __future__ import annotations

import html
import itertools
import re

from fns_lab.errors import InputError

COLUMN_GAP_PX = 24
"""Gap between two columns of a folded graph, in pixels."""
NODE_MARGIN_PX = 8
"""Space that is left above a node or a label where a column begins."""


def share_styles(text: str) -> str:
    """Return the SVG with a class for each distinct inline style, which halves its size: there are few."""
    names: dict[str, str] = {}

    def style_to_class(match: re.Match[str]) -> str:
        tag, style = match[0], match[1]
        if not style:
            return tag.replace(' style=""', "")
        name = names.setdefault(html.unescape(style), f"s{len(names)}")
        tag = tag.replace(f' style="{style}"', "")
        if ' class="' in tag:
            return tag.replace(' class="', f' class="{name} ', 1)
        return re.sub(r"^<([\w-]+)", rf'<\1 class="{name}"', tag)

    text = re.sub(r'<[\w-]+(?: [^<>]*?)? style="([^"]*)"[^<>]*>', style_to_class, text)
    sheet = "".join(f".{name}{{{style}}}" for style, name in names.items())
    return re.sub(
        r"(<svg[^>]*>)", lambda match: f"{match[1]}<style>{html.escape(sheet, quote=False)}</style>", text, count=1
    )


def size(text: str) -> tuple[float, float]:
    """Return width and height of the drawing, in pixels."""
    tag = group(r"(<svg[^>]*>)", text)
    return float(group(r' width="([\d.]+)"', tag)), float(group(r' height="([\d.]+)"', tag))


def group(pattern: str, text: str) -> str:
    """Return the first group of the pattern; raise `InputError` where Netron's export does not have it."""
    match = re.search(pattern, text)
    if match is None:
        raise InputError(f"this version of Netron writes another kind of SVG: no {pattern!r} in it")
    return match[1]


def fold(text: str, boxes: list[tuple[float, float]], columns: int) -> str:
    """Return the drawing cut into columns side by side; `boxes`: top and bottom of what must not be cut, in px."""
    width, height = size(text)
    cuts = _cuts(boxes, height, columns)
    total_height = max(end - start for start, end in itertools.pairwise(cuts))
    head = group(r"^(<svg[^>]*>)", text)
    body, tail = text[len(head) : text.rindex("</svg>")], "</svg>"
    total_width = len(cuts[1:]) * (width + COLUMN_GAP_PX) - COLUMN_GAP_PX
    views = "".join(
        f'<svg x="{i * (width + COLUMN_GAP_PX)}" y="0" width="{width}" height="{end - start}" '
        f'viewBox="0 {start} {width} {end - start}"><use href="#graph"/></svg>'
        for i, (start, end) in enumerate(itertools.pairwise(cuts))
    )
    head = re.sub(r' width="[^"]*"', f' width="{total_width}"', head)
    head = re.sub(r' height="[^"]*"', f' height="{total_height}"', head)
    return f'{head}<rect width="100%" height="100%" fill="#fff"/><defs><g id="graph">{body}</g></defs>{views}{tail}'


def _cuts(boxes: list[tuple[float, float]], height: float, columns: int) -> list[float]:
    """Return where columns begin and end: every `height / columns`, moved up above what would be cut."""
    spaced = [(top - NODE_MARGIN_PX, bottom) for top, bottom in boxes]
    cuts, step = [0.0], height / columns
    while cuts[-1] + step * 1.05 < height:
        cut = cuts[-1] + step
        while tops := [top for top, bottom in spaced if cuts[-1] < top < cut < bottom]:
            cut = min(tops)
        cuts.append(cut)
    return [*cuts, height]
