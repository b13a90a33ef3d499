"""Figures of what the web site's benchmark page measured in several browsers."""

from __future__ import annotations

import pandas as pd

from fns_lab.errors import InputError
from fns_lab.views.plots import LINE_COLOURS, NotebookFigure, plain


def time_and_ratio(table: pd.DataFrame, base: str) -> NotebookFigure:
    """Draw on the left how long two files take on each machine, on the right how many times as fast the second is.

    `table`: that of `BrowserResults`; `base`: the file that the other is compared with. The other file, with its
    network, size and engine, is the one that most machines timed beside `base`, of equally many the one that gains
    most. Raises `InputError` if there is none.
    """
    keys = ["network", "size", "target", "file"]
    compared = table[(table.file != base) & table.times_as_fast.notna()]
    if compared.empty:
        raise InputError(f"no machine timed another file beside {base!r}; there is nothing to compare")
    groups = compared.groupby(keys).times_as_fast.agg(["count", "median"]).sort_values(["count", "median"])
    network, size, target, file = groups.index[-1]
    alike = table[(table.network == network) & (table["size"] == size) & (table.target == target)]
    rows = {name: alike[alike.file == name].set_index("machine") for name in (base, file)}
    machines = list(rows[file].times_as_fast.dropna().sort_values(ascending=False).index)
    figure = NotebookFigure(figsize=(12, 1.7 + 0.5 * len(machines)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for i, (name, of_file) in enumerate(rows.items()):
        chosen, colour = of_file.loc[machines], LINE_COLOURS[i]
        places = [y + 0.4 * i - 0.2 for y in range(len(machines))]
        spread = [chosen.ms_median - chosen.ms_p10, chosen.ms_p90 - chosen.ms_median]
        label = f"{name}, {chosen.nodes.iloc[0]} nodes"
        left.barh(places, chosen.ms_median, height=0.36, color=colour, alpha=0.85, label=plain(label))
        left.errorbar(chosen.ms_median, places, xerr=spread, fmt="none", ecolor="#444444", capsize=2, lw=1)
    ratios = rows[file].times_as_fast.loc[machines]
    bars = right.barh(range(len(machines)), ratios, height=0.5, color=LINE_COLOURS[2], alpha=0.85)
    right.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], padding=4)
    right.axvline(1, color="#444444", lw=1, ls="--")
    right.margins(x=0.12)
    left.set_yticks(range(len(machines)), list(map(plain, machines)))
    left.invert_yaxis()
    left.set(xlabel="ms per run", title=plain(f"times of {network}, {size}, in {target}"))
    right.set(xlabel=plain(f"{file}: times as fast as {base}"), title="their ratio on each machine")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
